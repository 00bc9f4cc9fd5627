"""A question that was asked: everything that its trigger and its task need, as JSON values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.polls.counting import VoteCounter, count_unread
from airflow_provider_b24.polls.electorate import Electorate
from airflow_provider_b24.polls.reference import PollReference, ReferenceKind
from airflow_provider_b24.polls.rules import Rule, parse_rule

if TYPE_CHECKING:
    from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
    from airflow_provider_b24.polls.counting import Count
    from airflow_provider_b24.polls.poll import Poll


@dataclass(frozen=True, slots=True)
class Ask:
    """A poll in a chat, and by which rule it is decided.

    :param message_id: the poll's message.
    :param chat_id: the chat.
    :param question: the question's text.
    :param rule: the rule, as a user writes it.
    :param voters: user ids that count; None is everybody.
    :param excluded: user ids that do not count.
    :param asked_at: when it was asked, in Unix seconds.
    :param deadline: when the wait ends, in Unix seconds; None is never.
    :param remind_every: seconds between two reminders; None is none.
    :param escalate_at: when it is escalated, in Unix seconds; None is never.
    :param escalate_to: chats (``chat12``) and people (``7``) that hear of it.
    :param poll_url: the portal's page with the results.
    :param required_action_id: the task instance whose Required Action asks the same; None is none.
    :param early: decide as soon as further votes can't change the outcome.
    """

    message_id: int
    chat_id: int
    question: str
    rule: Any
    voters: list[int] | None
    excluded: list[int]
    asked_at: float
    deadline: float | None = None
    remind_every: float | None = None
    escalate_at: float | None = None
    escalate_to: tuple[str, ...] = ()
    poll_url: str = ""
    required_action_id: str | None = None
    early: bool = True

    @property
    def reference(self) -> PollReference:
        """The poll."""
        return PollReference(ReferenceKind.MESSAGE, self.message_id)

    @property
    def parsed_rule(self) -> Rule:
        """The rule."""
        return parse_rule(self.rule)

    @property
    def electorate(self) -> Electorate:
        """Who counts."""
        allowed = None if self.voters is None else frozenset(self.voters)
        return Electorate(allowed, frozenset(self.excluded))

    def count_unread(self, poll: Poll) -> Count | None:
        """Return the count of a poll when it needs nothing but the poll; None when more must be read.

        :param poll: the poll as it was just read.
        """
        return count_unread(poll, self.parsed_rule, self.electorate, early=self.early)

    def counter(self, hook: Bitrix24Hook) -> VoteCounter:
        """Return what counts the votes.

        :param hook: reaches the portal.
        """
        return VoteCounter(
            polls=hook.polls,
            chats=hook.chats,
            rule=self.parsed_rule,
            electorate=self.electorate,
            chat_id=self.chat_id,
            account_id=lambda: hook.account_id,
            early=self.early,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the ask as JSON values."""
        return {**asdict(self), "escalate_to": list(self.escalate_to)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Ask:
        """Return the ask that :meth:`to_dict` described.

        :param data: JSON values.
        """
        return cls(**{**data, "escalate_to": tuple(data.get("escalate_to") or ())})
