"""Polls of one portal: send, read, vote, stop."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import (
    Bitrix24AccessDeniedError,
    Bitrix24AlreadyVotedError,
    Bitrix24BallotRejectedError,
    Bitrix24Error,
    Bitrix24PollError,
    Bitrix24PollFinishedError,
    Bitrix24RecallNotAllowedError,
    Bitrix24ServerError,
)
from airflow_provider_b24.ids import parse_chat_id
from airflow_provider_b24.polls.anonymity import AnonymityGuard, anonymous_number
from airflow_provider_b24.polls.attach import find_attach, parse_attach, poll_in_reply
from airflow_provider_b24.polls.ballot import make_ballot, same_choice
from airflow_provider_b24.polls.bulk import read_many
from airflow_provider_b24.polls.draft import PollDraft, check_payload
from airflow_provider_b24.polls.missing_voters import read_missing_voters
from airflow_provider_b24.polls.reference import parse_reference
from airflow_provider_b24.polls.sending import PollSending
from airflow_provider_b24.polls.voters import read_voters
from airflow_provider_b24.utils.frames import hide_frames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from airflow_provider_b24.polls.poll import Poll
    from airflow_provider_b24.polls.reference import PollReference
    from airflow_provider_b24.rest.client import Bitrix24Client

_AUTHOR_ONLY = "Only the user who sent the poll may stop or resume it: use the connection that sent it."
_GET = "vote.AttachedVote.get"
_VOTE = "vote.AttachedVote.vote"
_RECALL = "vote.AttachedVote.recall"
_REPORT = "vote.AttachedVote.download"


@hide_frames
class PollsApi:
    """The ``vote.*`` methods of one portal.

    A *poll* parameter takes a message id, a mapping with ``message_id``, ``attach_id``,
    ``signed_attach_id`` or ``post_id``, a ``Poll``, or what ``send`` and ``Poll.to_dict()`` return.

    :param client: the portal's client.
    :param sleep: waits for seconds: while an in-flight duplicate of a poll is being sent, and before a poll
        is read again that does not show yet that it is stopped or resumed.
    """

    def __init__(self, client: Bitrix24Client, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._sleep = sleep
        self._sending = PollSending(client, read=self.get, guard=AnonymityGuard(client), sleep=sleep)

    def send(
        self,
        *,
        chat_id: int | str,
        question: str,
        answers: Sequence[str],
        multiple_choice: bool = False,
        anonymous: bool = False,
        allow_revote: bool = False,
        template_id: str | None = None,
        may_have_sent: bool | None = None,
    ) -> dict[str, int]:
        """Send a poll to a chat, once.

        Method: ``vote.Integration.Im.send``
        (https://apidocs.bitrix24.com/api-reference/vote/vote.integration.im.send.html).

        :param chat_id: the chat's number, or ``chatN``.
        :param question: the question's text.
        :param answers: two to ten different texts.
        :param multiple_choice: whether a person may choose several answers.
        :param anonymous: whether Bitrix24 keeps secret who voted for what.
        :param allow_revote: whether people may change or recall their vote.
        :param template_id: a lower-case UUIDv4 that stands for this one poll; sending it again
            within 31 days returns the poll that exists. None takes a fresh one.
        :param may_have_sent: whether this template id may have been sent before; then the portal may
            still be busy with the earlier copy, and its vote id is read back. None: if it is given.
        :returns: ``{"message_id", "vote_id", "chat_id"}``.
        :raises Bitrix24ValidationError: when the poll is not usable; nothing is sent.
        :raises Bitrix24PollRejectedError: when the portal refuses it.
        :raises Bitrix24AnonymityError: when it is anonymous, and would not be so on this portal.
        :raises Bitrix24OutcomeUnknownError: when it may be in the chat and no template id was given; the
            error names the one to repeat it with.
        """
        draft = PollDraft(question, answers, multiple_choice, anonymous, allow_revote)
        data = draft.payload(anonymous_value=anonymous_number(self._client))
        return self._sending.send(chat_id, data, template_id, may_have_sent, is_raw=False)

    def send_data(
        self,
        *,
        chat_id: int | str,
        data: Mapping[str, Any],
        template_id: str | None = None,
        may_have_sent: bool | None = None,
    ) -> dict[str, int]:
        """Send a poll that is written as Bitrix24's page shows it (``IM_MESSAGE_VOTE_DATA``).

        Method: ``vote.Integration.Im.send``
        (https://apidocs.bitrix24.com/api-reference/vote/vote.integration.im.send.html).

        :param chat_id: the chat's number, or ``chatN``.
        :param data: ``QUESTIONS``, and ``ANONYMITY`` and ``OPTIONS`` if wanted.
        :param template_id: as for :meth:`send`.
        :param may_have_sent: as for :meth:`send`.
        :returns: ``{"message_id", "vote_id", "chat_id"}``.
        :raises Bitrix24Error: as :meth:`send` does.
        """
        return self._sending.send(chat_id, check_payload(data), template_id, may_have_sent, is_raw=True)

    def get(self, poll: Any) -> Poll:
        """Read one poll (``vote.AttachedVote.get``).

        :param poll: any way to name the poll.
        :raises Bitrix24PollNotFoundError: when there is none.
        """
        reference = parse_reference(poll)
        result = self._client.call(_GET, reference.params())
        return poll_in_reply(self._client, _GET, result, reference)

    def get_many(self, polls: Iterable[Any]) -> list[Poll | Bitrix24Error]:
        """Read many polls (``vote.AttachedVote.getMany``), 2,500 a request.

        :param polls: any ways to name them.
        :returns: for each poll, in order, the poll or its own error.
        """
        return read_many(self._client, [parse_reference(poll) for poll in polls])

    def vote(self, poll: Any, *, answers: Any, may_have_voted: bool = False) -> Poll:
        """Vote as the connection's user (``vote.AttachedVote.vote``).

        :param poll: any way to name the poll.
        :param answers: an answer or a list of them, by text or id; for several questions a mapping.
        :param may_have_voted: whether an earlier try may have cast this ballot; then an equal
            ballot that is already there counts as cast.
        :returns: the poll after the vote.
        :raises Bitrix24ValidationError: when the portal would drop or change the ballot.
        :raises Bitrix24AlreadyVotedError: when the user has voted and votes can't be changed.
        :raises Bitrix24PollFinishedError: when the poll is stopped.
        """
        reference = parse_reference(poll)
        current = self.get(reference)
        ballot = make_ballot(current, answers)
        if may_have_voted and same_choice(current, ballot):
            return current
        self._refuse_vote(current)
        return self._vote(reference, ballot)

    def recall(self, poll: Any) -> Poll:
        """Take back the vote of the connection's user (``vote.AttachedVote.recall``).

        :param poll: any way to name the poll.
        :returns: the poll after the recall.
        :raises Bitrix24RecallNotAllowedError: when the poll does not let votes change.
        :raises Bitrix24PollFinishedError: when the poll is stopped.
        """
        reference = parse_reference(poll)
        try:
            response = self._client.request(_RECALL, reference.params())
        except (Bitrix24AccessDeniedError, Bitrix24PollError) as error:
            return self._after_refused_recall(reference, error)
        if attach := find_attach(self._client, _RECALL, response.result):
            return parse_attach(self._client, _RECALL, attach, reference)
        refusal = self._client.refusal(Bitrix24PollError, _RECALL, "the portal kept the vote")
        refusal.attempts, refusal.may_have_executed = response.attempts, response.may_have_executed
        return self._after_refused_recall(reference, refusal)

    def stop(self, poll: Any) -> Poll:
        """Stop a poll (``vote.AttachedVote.stop``); stopping a stopped one changes nothing.

        :param poll: any way to name the poll.
        :returns: the poll after the stop.
        :raises Bitrix24AccessDeniedError: when the connection's user is not its author.
        """
        return self._switch("vote.AttachedVote.stop", poll, is_finished=True)

    def resume(self, poll: Any) -> Poll:
        """Resume a stopped poll (``vote.AttachedVote.resume``).

        :param poll: any way to name the poll.
        :returns: the poll, open again.
        :raises Bitrix24AccessDeniedError: when the connection's user is not its author.
        """
        return self._switch("vote.AttachedVote.resume", poll, is_finished=False)

    def voters(self, poll: Any) -> dict[int, list[dict[str, Any]]]:
        """Return who voted for what, all pages (``getWithVoted`` and ``getAnswerVoted``).

        :param poll: any way to name the poll.
        :returns: answer id to ``[{"id", "name", "image", "work_position"}]``; every answer has a
            list, and all are empty when the poll is anonymous.
        :raises Bitrix24PollNotFoundError: when there is no such poll.
        """
        return read_voters(self._client, parse_reference(poll))

    def missing_voters(self, poll: Any, *, chat_id: int | str) -> list[dict[str, Any]]:
        """Return which members of the poll's chat have not voted, without the connection's user.

        Bots and people who have left the portal can't vote, so they are left out.

        Methods: ``vote.AttachedVote.getWithVoted``, ``im.chat.user.list`` and ``im.user.list.get``
        (https://apidocs.bitrix24.com/api-reference/vote/vote.attachedvote.getwithvoted.html).

        :param poll: any way to name the poll.
        :param chat_id: the chat's number, or ``chatN``.
        :returns: ``[{"id", "name"}]``.
        :raises Bitrix24PollError: when the poll is anonymous.
        """
        return read_missing_voters(self._client, parse_reference(poll), parse_chat_id(chat_id))

    def report(self, poll: Any) -> bytes:
        """Return the portal's own spreadsheet of the results (``vote.AttachedVote.download``).

        :param poll: any way to name the poll.
        :raises Bitrix24PollNotFoundError: when there is no such poll.
        """
        response = self._client.request(_REPORT, parse_reference(poll).params())
        if response.raw is None:
            raise self._client.refusal(Bitrix24PollError, _REPORT, "the portal sent no file")
        return response.raw

    def _vote(self, reference: PollReference, ballot: dict[str, list[int]]) -> Poll:
        try:
            # The ballot was checked against a fresh read, so casting it twice ends as casting it once.
            response = self._client.request(_VOTE, {**reference.params(), "ballot": ballot}, repeatable=True)
        except (Bitrix24AccessDeniedError, Bitrix24PollError) as error:
            return self._after_refused_vote(reference, ballot, error)
        if attach := find_attach(self._client, _VOTE, response.result):
            return parse_attach(self._client, _VOTE, attach, reference)
        refusal = self._client.refusal(
            Bitrix24BallotRejectedError, _VOTE, "the portal took none of the answers"
        )
        refusal.attempts, refusal.may_have_executed = response.attempts, response.may_have_executed
        return self._after_refused_vote(reference, ballot, refusal)

    def _after_refused_vote(
        self, reference: PollReference, ballot: dict[str, list[int]], error: Bitrix24Error
    ) -> Poll:
        """Return the poll if an attempt whose reply was lost has cast the ballot, else say why not."""
        current = self.get(reference)
        if error.may_have_executed and same_choice(current, ballot):
            return current
        self._refuse_vote(current)
        raise error

    def _after_refused_recall(self, reference: PollReference, error: Bitrix24Error) -> Poll:
        """Return the poll if an attempt whose reply was lost has recalled the vote, else say why not."""
        current = self.get(reference)
        if error.may_have_executed and not current.is_voted:
            return current
        if current.is_finished:
            raise self._client.refusal(Bitrix24PollFinishedError, _RECALL, "the poll is stopped")
        if current.is_voted and not current.can_revote:
            text = "the poll does not let votes change"
            raise self._client.refusal(Bitrix24RecallNotAllowedError, _RECALL, text)
        raise error

    def _refuse_vote(self, poll: Poll) -> None:
        if poll.is_finished:
            raise self._client.refusal(Bitrix24PollFinishedError, _VOTE, "the poll is stopped")
        if poll.is_voted and not poll.can_revote:
            raise self._client.refusal(
                Bitrix24AlreadyVotedError, _VOTE, "the connection's user has voted already"
            )

    def _switch(self, method: str, poll: Any, *, is_finished: bool) -> Poll:
        reference = parse_reference(poll)
        try:
            self._client.call(method, reference.params())
        except Bitrix24AccessDeniedError as error:
            if type(error) is Bitrix24AccessDeniedError:
                error.advice = _AUTHOR_ONLY
            raise
        switched = self.get(reference)
        if switched.is_finished is not is_finished:
            # Servers of one portal may differ by a second.
            self._sleep(1.0)
            switched = self.get(reference)
        if switched.is_finished is not is_finished:
            state = "open" if is_finished else "stopped"
            raise self._client.refusal(Bitrix24ServerError, method, f"the poll is still {state}")
        return switched
