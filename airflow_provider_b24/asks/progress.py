"""What is done for an ask while it waits: counts, reminders, escalation."""

from __future__ import annotations

import logging
import math
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.asks.texts import escalation_text, reminder_text
from airflow_provider_b24.exceptions import Bitrix24Error
from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_b24.polls.rules import Everybody
from airflow_provider_b24.utils.controls import without_controls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_b24.asks.ask import Ask
    from airflow_provider_b24.polls.counting import Count
    from airflow_provider_b24.polls.poll import Poll

log = logging.getLogger(__name__)

#: Seconds after which an escalation that could not be posted is tried again.
_AGAIN = 60.0


@dataclass(frozen=True)
class Due:
    """What is to be done now."""

    reminder: bool = False
    escalation: bool = False


class Timetable:
    """When reminders and the escalation of an ask are due. Pure.

    All moments follow from when it was asked, so that they survive a restart of the triggerer.

    :param ask: what was asked.
    :param now: Unix seconds.
    """

    __slots__ = ("_asked_at", "_escalate_at", "_every", "_remind_at")

    def __init__(self, ask: Ask, *, now: float) -> None:
        self._asked_at = ask.asked_at
        self._every = ask.remind_every
        self._remind_at = self._first_reminder(now)
        # Also when it was due while no triggerer was running: it is posted once, however often it is due.
        self._escalate_at = ask.escalate_at if ask.escalate_to else None

    def next_at(self) -> float | None:
        """Return when something is due next, in Unix seconds; None is never."""
        return min((at for at in (self._remind_at, self._escalate_at) if at is not None), default=None)

    def due(self, now: float) -> Due:
        """Return what is due, once.

        :param now: Unix seconds.
        """
        reminder = self._remind_at is not None and self._remind_at <= now
        escalation = self._escalate_at is not None and self._escalate_at <= now
        if reminder:
            self._remind_at = self._first_reminder(now)
        if escalation:
            self._escalate_at = None
        return Due(reminder, escalation)

    def postpone_escalation(self, now: float) -> None:
        """Make the escalation due again: it could not be posted.

        :param now: Unix seconds.
        """
        self._escalate_at = now + _AGAIN

    def _first_reminder(self, now: float) -> float | None:
        if self._every is None:
            return None
        rounds = max(math.floor((now - self._asked_at) / self._every), 0) + 1
        at = self._asked_at + rounds * self._every
        # Rounding must not make the same reminder due again.
        return at if at > now else at + self._every


class AskProgress:
    """Counts an ask's poll and posts its reminders; a message that fails does not end the wait.

    :param conn_id: the Airflow connection.
    :param ask: what was asked.
    """

    __slots__ = ("_ask", "_conn_id")

    def __init__(self, conn_id: str, ask: Ask) -> None:
        self._conn_id = conn_id
        self._ask = ask

    @property
    def _hook(self) -> Bitrix24Hook:
        # Not kept: thousands of asks wait, each for hours, and a hook holds a session.
        return Bitrix24Hook(self._conn_id)

    def count(self, poll: Poll) -> Count:
        """Return the count of the poll.

        :param poll: the poll as it was just read.
        :raises Bitrix24Error: when the voters or the chat's members can't be read.
        """
        return self._ask.counter(self._hook).count(self._ask.reference, poll)

    def act(self, due: Due) -> bool:
        """Do what is due; say whether an escalation that was due must be tried again.

        :param due: what is.
        """
        hook = self._hook
        if due.reminder:
            with _warning("The reminder was not sent"):
                self._remind(hook)
        return due.escalation and not self._escalate(hook)

    def _remind(self, hook: Bitrix24Hook) -> None:
        missing = self._missing(hook)
        if missing is not None and not missing:
            return
        text = reminder_text(self._ask, missing or [])
        hook.chats.send(message=text, chat_id=self._ask.chat_id)
        names = ", ".join(person["name"] for person in missing or []) or "the chat"
        log.info("Reminded %s", without_controls(names))

    def _missing(self, hook: Bitrix24Hook) -> list[dict[str, Any]] | None:
        """Return who has not voted; None when the poll is anonymous."""
        polls = hook.polls
        if polls.get(self._ask.message_id).anonymous:
            return None
        missing = polls.missing_voters(self._ask.message_id, chat_id=self._ask.chat_id)
        rule, electorate = self._ask.parsed_rule, self._ask.electorate
        if isinstance(rule, Everybody) and rule.user_ids is not None:
            electorate = electorate.narrowed(rule)
        return [person for person in missing if electorate.counts(person["id"])]

    def _escalate(self, hook: Bitrix24Hook) -> bool:
        """Tell each chat and person once; return whether all that can be told are told."""
        text, transient = escalation_text(self._ask), False
        for dialog in self._ask.escalate_to:
            target = {"chat_id": dialog} if dialog.startswith("chat") else {"user_id": dialog}
            with _warning(f"The escalation to {dialog} was not sent") as failure:
                hook.chats.post_once(message=text, since_message_id=self._ask.message_id, **target)
                log.info("Escalated to %s", dialog)
            transient |= failure.transient
        return not transient


@dataclass
class _Failure:
    """Whether a message failed for a reason that passes."""

    transient: bool = False


@contextmanager
def _warning(text: str) -> Iterator[_Failure]:
    """Turn an error into a warning, so that one message does not keep the others back."""
    failure = _Failure()
    try:
        yield failure
    except Bitrix24Error as error:
        failure.transient = bool(error.transient)
        log.warning("%s: %s", text, error)
