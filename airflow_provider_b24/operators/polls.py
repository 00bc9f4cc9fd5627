"""Send polls, vote, stop, read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import Bitrix24Error
from airflow_provider_b24.links.polls import POLL_LINKS, chat_url, push_links
from airflow_provider_b24.operators.base import Bitrix24BaseOperator
from airflow_provider_b24.operators.idempotency import is_retry, task_template_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook


class Bitrix24SendPollOperator(Bitrix24BaseOperator):
    """Send a poll to a chat, once however often the task is retried.

    All tries of a task instance share one template id, by which the portal recognises the poll.
    Clearing the task sends another poll.

    Method: ``vote.Integration.Im.send``
    (https://apidocs.bitrix24.com/api-reference/vote/vote.integration.im.send.html).

    :param chat_id: the chat's number, or ``chatN`` (templated).
    :param question: the question's text (templated).
    :param answers: two to ten different texts (templated).
    :param multiple_choice: whether a person may choose several answers.
    :param anonymous: whether Bitrix24 keeps secret who voted for what.
    :param allow_revote: whether people may change or recall their vote.
    :param template_id: a lower-case UUIDv4 of your own instead of the task's (templated).
    :param bitrix24_conn_id: the Airflow connection (templated).
    :returns: ``{"message_id": int, "vote_id": int, "chat_id": int}``; any poll parameter takes it.
    :raises Bitrix24ValidationError: when the poll is not usable; nothing is sent.
    """

    template_fields: Sequence[str] = ("bitrix24_conn_id", "chat_id", "question", "answers", "template_id")
    operator_extra_links = POLL_LINKS

    def __init__(
        self,
        *,
        chat_id: int | str,
        question: str,
        answers: Sequence[str],
        multiple_choice: bool = False,
        anonymous: bool = False,
        allow_revote: bool = False,
        template_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.chat_id = chat_id
        self.question = question
        self.answers = answers
        self.multiple_choice = multiple_choice
        self.anonymous = anonymous
        self.allow_revote = allow_revote
        self.template_id = template_id

    def execute(self, context: Context) -> dict[str, int]:
        """Send the poll and return where it is."""
        own = task_template_id(context["ti"], portal=self.hook.settings.portal)
        sent = self.hook.polls.send(
            chat_id=self.chat_id,
            question=self.question,
            answers=self.answers,
            multiple_choice=self.multiple_choice,
            anonymous=self.anonymous,
            allow_revote=self.allow_revote,
            template_id=self.template_id or own,
            may_have_sent=bool(self.template_id) or is_retry(context),
        )
        self.log.info("Poll is message %d in chat %d", sent["message_id"], sent["chat_id"])
        self._push_links(context, sent)
        return sent

    def _push_links(self, context: Context, sent: dict[str, int]) -> None:
        portal = self.hook.settings.portal
        chat = chat_url(portal, chat_id=sent["chat_id"], message_id=sent["message_id"])
        push_links(context, chat_url=chat)
        try:
            push_links(context, poll_url=_result_url(self.hook, sent))
        except Bitrix24Error as error:
            self.log.info("The link to the results is missing: %s", error)


def _result_url(hook: Bitrix24Hook, sent: dict[str, int]) -> str:
    """Return the page with the results, without a retry: the poll is sent, and only a link is missing."""
    from airflow_provider_b24.polls.api import PollsApi
    from airflow_provider_b24.rest.retry import RetryPolicy

    once = RetryPolicy(max_attempts=1, max_rate_limit_attempts=1, max_reset_wait=0)
    client = hook.client_with(transport=hook.transport, limiter=hook.limiter, policy=once)
    return PollsApi(client).get(sent).result_url


class _PollOperator(Bitrix24BaseOperator):
    """An operator on one poll that exists."""

    template_fields: Sequence[str] = ("bitrix24_conn_id", "poll")

    def __init__(self, *, poll: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.poll = poll


class Bitrix24CastVoteOperator(_PollOperator):
    """Vote in a poll as the connection's user.

    The answers are checked against the poll first: what the portal would drop or change silently is
    refused. A retry that finds its own vote already there succeeds.

    Method: ``vote.AttachedVote.vote``
    (https://apidocs.bitrix24.com/api-reference/vote/vote.attachedvote.vote.html).

    :param poll: any way to name a poll (templated).
    :param answers: an answer or a list, by text or id; for a feed poll with several questions a
        mapping of question to answers (templated).
    :param bitrix24_conn_id: the Airflow connection (templated).
    :returns: the poll after the vote, as ``Poll.to_dict()`` gives it.
    :raises Bitrix24AlreadyVotedError: when the user has voted and votes can't be changed.
    :raises Bitrix24PollFinishedError: when the poll is stopped.
    """

    template_fields: Sequence[str] = ("bitrix24_conn_id", "poll", "answers")

    def __init__(self, *, answers: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.answers = answers

    def execute(self, context: Context) -> dict[str, Any]:
        """Vote and return the poll."""
        voted = self.hook.polls.vote(self.poll, answers=self.answers, may_have_voted=is_retry(context))
        return voted.to_dict()


class Bitrix24RecallVoteOperator(_PollOperator):
    """Take back the vote of the connection's user.

    Method: ``vote.AttachedVote.recall``
    (https://apidocs.bitrix24.com/api-reference/vote/vote.attachedvote.recall.html).

    :param poll: any way to name a poll (templated).
    :param bitrix24_conn_id: the Airflow connection (templated).
    :returns: the poll after the recall, as ``Poll.to_dict()`` gives it.
    :raises Bitrix24RecallNotAllowedError: when the poll does not let votes change.
    """

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Recall the vote and return the poll."""
        return self.hook.polls.recall(self.poll).to_dict()


class Bitrix24StopPollOperator(_PollOperator):
    """Stop a poll; only its author may. Stopping a stopped poll changes nothing.

    Method: ``vote.AttachedVote.stop``
    (https://apidocs.bitrix24.com/api-reference/vote/vote.attachedvote.stop.html).

    :param poll: any way to name a poll (templated).
    :param bitrix24_conn_id: the Airflow connection (templated).
    :returns: the poll after it was stopped, as ``Poll.to_dict()`` gives it.
    """

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Stop the poll and return it."""
        return self.hook.polls.stop(self.poll).to_dict()


class Bitrix24ResumePollOperator(_PollOperator):
    """Resume a stopped poll; only its author may.

    Method: ``vote.AttachedVote.resume``
    (https://apidocs.bitrix24.com/api-reference/vote/vote.attachedvote.resume.html).

    :param poll: any way to name a poll (templated).
    :param bitrix24_conn_id: the Airflow connection (templated).
    :returns: the poll after it was resumed, as ``Poll.to_dict()`` gives it.
    """

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Resume the poll and return it."""
        return self.hook.polls.resume(self.poll).to_dict()


class Bitrix24GetPollResultsOperator(_PollOperator):
    """Read a poll's results, and on request who voted for what.

    Methods: ``vote.AttachedVote.get``, ``getWithVoted`` and ``getAnswerVoted``
    (https://apidocs.bitrix24.com/api-reference/vote/vote.attachedvote.get.html).

    :param poll: any way to name a poll (templated).
    :param with_voters: add ``voted_by`` to each answer: ``[{"id", "name", "image",
        "work_position"}]``, always empty in an anonymous poll.
    :param bitrix24_conn_id: the Airflow connection (templated).
    :returns: the poll as ``Poll.to_dict()`` gives it.
    """

    def __init__(self, *, with_voters: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.with_voters = with_voters

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Return the results."""
        results = self.hook.polls.get(self.poll).to_dict()
        if self.with_voters:
            voters = self.hook.polls.voters(self.poll)
            for question in results["questions"]:
                for answer in question["answers"]:
                    answer["voted_by"] = voters.get(answer["id"], [])
        return results


class Bitrix24DownloadPollReportOperator(_PollOperator):
    """Save the portal's own spreadsheet of a poll's results.

    Method: ``vote.AttachedVote.download``
    (https://apidocs.bitrix24.com/api-reference/vote/vote.attachedvote.download.html).

    :param poll: any way to name a poll (templated).
    :param path: where to save it: a local path, or a URL that Airflow's object storage knows
        (``s3://conn@bucket/key.xls``); what is there is replaced (templated).
    :param bitrix24_conn_id: the Airflow connection (templated).
    :returns: the path.
    """

    template_fields: Sequence[str] = ("bitrix24_conn_id", "poll", "path")

    def __init__(self, *, path: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.path = path

    def execute(self, context: Context) -> str:  # noqa: ARG002
        """Save the report and return its path."""
        from airflow_provider_b24.utils.files import write_file

        write_file(self.path, self.hook.polls.report(self.poll))
        return self.path
