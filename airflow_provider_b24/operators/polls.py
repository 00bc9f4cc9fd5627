"""Send polls, vote, stop, read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_b24.exceptions import Bitrix24Error
from airflow_provider_b24.field_values import as_path, as_switch, check_text, optional
from airflow_provider_b24.ids import parse_chat_id
from airflow_provider_b24.links.polls import POLL_LINKS, chat_url, push_links
from airflow_provider_b24.operators.base import Bitrix24BaseOperator
from airflow_provider_b24.operators.idempotency import send_poll_once
from airflow_provider_b24.operators.task_memory import is_retry
from airflow_provider_b24.polls.reference import parse_reference
from airflow_provider_b24.polls.wording import answers_field, choice_field, question_field

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_b24.field_values import Check, Templated
    from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook

#: What the poll itself does not have.
_NOT_OF_THE_POLL = ("bitrix24_conn_id", "template_id")


def _template_id(value: Any, path: str) -> str:
    # The form of the id is not needed to parse the other DAGs.
    from airflow_provider_b24.polls.template_id import check_template_id

    return check_template_id(check_text(value, path))


class Bitrix24SendPollOperator(Bitrix24BaseOperator):
    """Send a poll to a chat, once however often the task is retried.

    All tries of a task instance share one template id, by which the portal recognises the poll.
    Clearing the task sends another poll, unless no try has returned the poll that may be in the chat: then
    it returns that one. For this Airflow 3.3 keeps the id in the task state store; on older versions
    clearing always sends another poll.

    Method: ``vote.Integration.Im.send``
    (https://apidocs.bitrix24.com/api-reference/vote/vote.integration.im.send.html).

    :param chat_id: the chat's number, or ``chatN`` (templated).
    :param question: the question's text (templated).
    :param answers: two to ten different texts (templated).
    :param multiple_choice: whether a person may choose several answers (templated).
    :param anonymous: whether Bitrix24 keeps secret who voted for what (templated).
    :param allow_revote: whether people may change or recall their vote (templated).
    :param template_id: a lower-case UUIDv4 of your own instead of the task's (templated).
    :param bitrix24_conn_id: the Airflow connection (templated).
    :returns: ``{"message_id": int, "vote_id": int, "chat_id": int}``; any poll parameter takes it.
    :raises Bitrix24ValidationError: when the poll is not usable; nothing is sent.
    """

    template_fields: Sequence[str] = (
        "bitrix24_conn_id",
        "chat_id",
        "question",
        "answers",
        "multiple_choice",
        "anonymous",
        "allow_revote",
        "template_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"answers": "json"}
    field_checks: ClassVar[Mapping[str, Check]] = {
        **Bitrix24BaseOperator.field_checks,
        "chat_id": parse_chat_id,
        "question": question_field,
        "answers": answers_field,
        "multiple_choice": as_switch,
        "anonymous": as_switch,
        "allow_revote": as_switch,
        "template_id": optional(_template_id),
    }
    text_fields = Bitrix24BaseOperator.text_fields | {"question", "answers", "template_id"}
    operator_extra_links = POLL_LINKS

    def __init__(
        self,
        *,
        chat_id: Templated[int],
        question: Templated[str],
        answers: Templated[Sequence[Templated[str]]],
        multiple_choice: Templated[bool] = False,
        anonymous: Templated[bool] = False,
        allow_revote: Templated[bool] = False,
        template_id: Templated[str] | None = None,
        **kwargs: Any,
    ) -> None:
        # Each key is an XCom of its own, so that output["message_id"] names the poll.
        super().__init__(**{"multiple_outputs": True, **kwargs})
        self.chat_id: Any = chat_id
        self.question: Any = question
        self.answers: Any = answers
        self.multiple_choice: Any = multiple_choice
        self.anonymous: Any = anonymous
        self.allow_revote: Any = allow_revote
        self.template_id: Any = template_id

    def execute(self, context: Context) -> dict[str, int]:
        """Send the poll and return where it is."""
        fields = self.check_fields()
        poll = {name: value for name, value in fields.items() if name not in _NOT_OF_THE_POLL}
        sent = send_poll_once(
            context,
            lambda template_id, may_have_sent: self.hook.polls.send(
                **poll, template_id=template_id, may_have_sent=may_have_sent
            ),
            portal=self.hook.settings.portal,
            chat_id=fields["chat_id"],
            template_id=fields["template_id"],
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
    template_fields_renderers: ClassVar[dict[str, str]] = {"poll": "json"}
    field_checks: ClassVar[Mapping[str, Check]] = {
        **Bitrix24BaseOperator.field_checks,
        "poll": parse_reference,
    }

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
    template_fields_renderers: ClassVar[dict[str, str]] = {"poll": "json", "answers": "json"}
    field_checks: ClassVar[Mapping[str, Check]] = {**_PollOperator.field_checks, "answers": choice_field}
    text_fields = _PollOperator.text_fields | {"answers"}

    def __init__(self, *, answers: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.answers = answers

    def execute(self, context: Context) -> dict[str, Any]:
        """Vote and return the poll."""
        fields = self.check_fields()
        voted = self.hook.polls.vote(
            fields["poll"], answers=fields["answers"], may_have_voted=is_retry(context)
        )
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
        return self.hook.polls.recall(self.check_fields()["poll"]).to_dict()


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
        return self.hook.polls.stop(self.check_fields()["poll"]).to_dict()


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
        return self.hook.polls.resume(self.check_fields()["poll"]).to_dict()


class Bitrix24GetPollResultsOperator(_PollOperator):
    """Read a poll's results, and on request who voted for what.

    Methods: ``vote.AttachedVote.get``, ``getWithVoted`` and ``getAnswerVoted``
    (https://apidocs.bitrix24.com/api-reference/vote/vote.attachedvote.get.html).

    :param poll: any way to name a poll (templated).
    :param with_voters: add ``voted_by`` to each answer: ``[{"id", "name", "image",
        "work_position"}]``, always empty in an anonymous poll (templated).
    :param bitrix24_conn_id: the Airflow connection (templated).
    :returns: the poll as ``Poll.to_dict()`` gives it.
    """

    template_fields: Sequence[str] = ("bitrix24_conn_id", "poll", "with_voters")
    field_checks: ClassVar[Mapping[str, Check]] = {**_PollOperator.field_checks, "with_voters": as_switch}

    def __init__(self, *, with_voters: Templated[bool] = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.with_voters: Any = with_voters

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Return the results."""
        fields = self.check_fields()
        results = self.hook.polls.get(fields["poll"]).to_dict()
        if fields["with_voters"]:
            voters = self.hook.polls.voters(fields["poll"])
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
    field_checks: ClassVar[Mapping[str, Check]] = {**_PollOperator.field_checks, "path": as_path}
    text_fields = _PollOperator.text_fields | {"path"}

    def __init__(self, *, path: Templated[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.path: Any = path

    def execute(self, context: Context) -> str:  # noqa: ARG002
        """Save the report and return its path."""
        from airflow_provider_b24.utils.files import write_file

        fields = self.check_fields()
        path: str = fields["path"]
        write_file(path, self.hook.polls.report(fields["poll"]))
        return path
