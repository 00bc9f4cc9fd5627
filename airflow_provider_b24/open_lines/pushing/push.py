"""The push of messages through a connector, from a source of any size.

Messages are sent in their order, one request after the other. More at a time would not be faster for long:
a portal grants a method some 420 to 480 seconds of running time in ten minutes, which is less than one
request at a time uses. A batch would put more messages into a request than a portal may handle in its sixty
seconds.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import Bitrix24Error, Bitrix24ValidationError, Outcome
from airflow_provider_b24.open_lines.pushing.entries import UNENCODABLE, Entries, is_encodable
from airflow_provider_b24.open_lines.pushing.journal import InFlight
from airflow_provider_b24.open_lines.pushing.message_index import Conversation, MessageIndex
from airflow_provider_b24.open_lines.pushing.progress import Progress
from airflow_provider_b24.open_lines.pushing.verification import (
    DeliveryCheck,
    DeliveryVerification,
    Presence,
    UncertainMessage,
)
from airflow_provider_b24.open_lines.report import Delivery, DeliveryStatus, PushSummary, read_deliveries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow_provider_b24.open_lines.pushing.journal import Journal
    from airflow_provider_b24.open_lines.pushing.outgoing import OutgoingMessage
    from airflow_provider_b24.open_lines.pushing.source import Source
    from airflow_provider_b24.rest.client import Bitrix24Client

log = logging.getLogger(__name__)

SEND = "imconnector.send.messages"
#: Messages in one request: the portal may wait six seconds for each one's lock, and a request has sixty.
MAX_REQUEST_MESSAGES = 10
#: Requests in a row without a response, whose messages stay unknown, after which no more are sent.
_MAX_CONSECUTIVE_LOSSES = 2
#: Requests for the same messages while each reply is lost and none of them arrives.
_MAX_ATTEMPTS = 4
#: Seconds before messages that may have arrived are sent again.
_PAUSE = 1.0
#: Rows that wait for a request together, when most of them need none.
_MAX_BUFFER = 500
NO_RESPONSE = "not sent, because earlier requests had no response"


@dataclass(frozen=True)
class PushOptions:
    """How a push behaves.

    :param if_invalid: ``report`` messages that break a rule and send the others, or ``fail`` before anything
        is sent.
    :param redelivery: what is done with a message of which the portal does not show whether it arrived:
        ``at_most_once`` reports it as unknown, ``at_least_once`` sends it again.
    :param run: which run of the task it is: a person's clear sends rejected messages again.
    """

    if_invalid: str = "report"
    redelivery: str = "at_most_once"
    run: int = 0


class _StoppedError(Exception):
    """No more messages are sent."""

    def __init__(self, error: Bitrix24Error, *reasons: str | None) -> None:
        super().__init__(str(error))
        self.error = error
        self.reasons = tuple(filter(None, reasons))


class Push:
    """One push: checks, sends, verifies and reports every message of a source.

    :param client: the connection's client.
    :param target: the parameters that name connector and line.
    :param source: the messages.
    :param journal: the memory over the tries of a task.
    :param take: called with what became of each row, in their order.
    :param clock: returns Unix seconds.
    :param sleep: waits for seconds.
    """

    def __init__(
        self,
        client: Bitrix24Client,
        target: dict[str, Any],
        source: Source,
        *,
        journal: Journal,
        take: Callable[[OutgoingMessage], None],
        options: PushOptions,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self.summary = PushSummary()
        self._client = client
        self._target = target
        self._source = source
        self._journal = journal
        self._take = take
        self._options = options
        self._clock = clock
        self._sleep = sleep
        self._verification = DeliveryVerification(
            client,
            connector=target["CONNECTOR"],
            line=target["LINE"],
            clock=clock,
            sleep=sleep,
        )
        self._index = MessageIndex()
        self._entries = Entries(source, self._index, journal, run=options.run, clock=clock)
        self._progress = Progress(self.summary, size=lambda: source.size, clock=clock)
        self._buffer: list[OutgoingMessage] = []
        self._losses = 0
        self._has_reached_portal = False

    def run(self) -> Bitrix24Error | None:
        """Push all messages.

        :returns: why not all were sent; None when they were.
        :raises Bitrix24ValidationError: when messages are not usable and are to fail the push.
        :raises Bitrix24Error: when nothing was sent at all.
        """
        try:
            self._entries.in_flight = self._journal.recall(self._index, self._source)
            if self._options.if_invalid == "fail":
                self._entries.refuse_invalid(self._count)
            return self._push_all()
        finally:
            self._journal.close()
            self._index.close()

    def _push_all(self) -> Bitrix24Error | None:
        entries = iter(self._entries)
        try:
            self._send_all(entries)
        except _StoppedError as stopped:
            if not self._has_reached_portal and not self._entries.skipped:
                raise stopped.error from None
            log.warning("No more messages are sent: %s", stopped)
            self._report_rest(entries, stopped.reasons)
            return stopped.error
        return None

    def _send_all(self, entries: Iterable[OutgoingMessage]) -> None:
        outgoing = 0
        for entry in entries:
            self._buffer.append(entry)
            outgoing += entry.delivery is None
            if outgoing == MAX_REQUEST_MESSAGES or len(self._buffer) >= _MAX_BUFFER:
                self._flush()
                outgoing = 0
        self._flush()

    def _flush(self) -> None:
        """Send what is to be sent of the buffer, and record what became of its rows."""
        try:
            if outgoing := [entry for entry in self._buffer if entry.delivery is None]:
                self._deliver(outgoing)
        finally:
            self._record_buffer()
        self._progress.tell(skipped=self._entries.skipped)

    def _record_buffer(self) -> None:
        """Record the first rows of the buffer, up to one of which it is not known what became of it."""
        done = next((i for i, entry in enumerate(self._buffer) if entry.delivery is None), len(self._buffer))
        finished = self._buffer[:done]
        self._journal.record(finished)
        recorded = {entry.key for entry in finished if entry.valid}
        self._entries.in_flight = self._entries.in_flight.without(recorded)
        for entry in finished:
            self._count(entry)
        del self._buffer[:done]

    def _count(self, entry: OutgoingMessage) -> None:
        self.summary.add(entry.result)
        self._take(entry)

    def _report_rest(self, entries: Iterable[OutgoingMessage], reasons: tuple[str, ...]) -> None:
        """Report what was not sent, without recording it: another try sends it."""
        rest, self._buffer = self._buffer, []
        for part in (rest, entries):
            for entry in part:
                if entry.delivery is None and entry.sent_at is not None:
                    entry.give_up()
                elif entry.delivery is None:
                    entry.reject(*reasons)
                self._count(entry)

    # One request and what follows it

    def _deliver(self, entries: list[OutgoingMessage]) -> None:
        """Send messages until it is known of each what became of it."""
        self._verify([entry for entry in entries if entry.sent_at is not None])
        attempts = 0
        while waiting := [entry for entry in entries if entry.delivery is None]:
            attempts += 1
            self._send(entries, waiting, is_last=attempts == _MAX_ATTEMPTS)

    def _send(self, entries: list[OutgoingMessage], waiting: list[OutgoingMessage], *, is_last: bool) -> None:
        self._pace()
        at = self._clock()
        # All of them, until they are recorded together: it may be known already what became of some.
        self._journal.sending(self._in_flight(entries, waiting, at))
        # Behind it: a newer try that begins meanwhile reads what this one is about to send.
        self._journal.check_owner()
        try:
            result = self._client.call(SEND, {**self._target, "MESSAGES": [item.payload for item in waiting]})
        except Bitrix24ValidationError:
            _reject_unencodable(waiting)
        except Bitrix24Error as error:
            if error.outcome is Outcome.UNKNOWN:
                self._after_loss(waiting, at, error, is_last=is_last)
            else:
                self._after_refusal(entries, error)
        else:
            self._losses, self._has_reached_portal = 0, True
            self._read_reply(waiting, result, at)

    def _in_flight(
        self, entries: list[OutgoingMessage], waiting: list[OutgoingMessage], at: float
    ) -> InFlight:
        """Return what may be on the portal when those that wait are sent; also what earlier tries sent."""
        moments = {entry.key: entry.sent_at for entry in entries if entry.sent_at is not None}
        moments |= {entry.key: at for entry in waiting}
        keys = {entry.conversation for entry in entries}
        conversations = {key: found for key in keys if (found := self._conversation(key))}
        earlier = self._entries.in_flight.without({entry.key for entry in entries})
        if not earlier.moments:
            return InFlight(moments, conversations)
        return InFlight({**earlier.moments, **moments}, {**earlier.conversations, **conversations})

    def _read_reply(self, waiting: list[OutgoingMessage], result: Any, at: float) -> None:
        messages = [entry.payload or {} for entry in waiting]
        deliveries = read_deliveries(messages, result, needs_session=True)
        for entry, delivery in zip(waiting, deliveries, strict=True):
            entry.delivery, entry.sent_at = delivery, at
            if delivery.chat_id:
                self._index.learn_conversation(entry.conversation, delivery.chat_id, delivery.session_id)
        self._verify([entry for entry in waiting if entry.is_unknown])

    def _after_refusal(self, entries: list[OutgoingMessage], error: Bitrix24Error) -> None:
        """Stop: nothing of the request was executed, so nothing of it is in flight any more."""
        self._journal.sending(self._in_flight(entries, [], 0.0))
        raise _StoppedError(error, _reason(error), error.advice)

    def _after_loss(
        self, waiting: list[OutgoingMessage], at: float, error: Bitrix24Error, *, is_last: bool
    ) -> None:
        log.warning("%d messages may or may not be delivered: %s", len(waiting), error)
        self._has_reached_portal = True
        for entry in waiting:
            entry.sent_at = at
            entry.give_up(_reason(error))
        self._verify(waiting)
        self._losses = self._losses + 1 if any(entry.is_unknown for entry in waiting) else 0
        if self._losses == _MAX_CONSECUTIVE_LOSSES or is_last:
            raise _StoppedError(error, NO_RESPONSE)
        if any(entry.delivery is None for entry in waiting):
            self._sleep(_PAUSE)

    def _verify(self, entries: list[OutgoingMessage]) -> None:
        """Find out what became of messages that may have been sent, and decide about the others."""
        if not entries:
            return
        checks = self._verification.verify([self._uncertain(entry) for entry in entries])
        for entry, check in zip(entries, checks, strict=True):
            self._apply(entry, check)
        found = [check.presence for check in checks]
        log.info(
            "Of %d messages without a reply, %d are in their chats, %d are not, %d may be",
            len(entries),
            *(found.count(presence) for presence in (Presence.PRESENT, Presence.ABSENT, Presence.UNKNOWN)),
        )

    def _apply(self, entry: OutgoingMessage, check: DeliveryCheck) -> None:
        if check.presence is Presence.PRESENT and (found := check.conversation):
            accepted = DeliveryStatus.ACCEPTED
            entry.delivery = Delivery(entry.message_id, accepted, (), found.chat_id, found.session_id)
            self._index.learn_conversation(entry.conversation, found.chat_id, found.session_id)
        elif check.presence is Presence.ABSENT:
            entry.sent_at = entry.delivery = None
        elif self._options.redelivery == "at_least_once":
            entry.delivery = None
        elif entry.delivery is None:
            entry.give_up()

    def _uncertain(self, entry: OutgoingMessage) -> UncertainMessage:
        message = entry.payload or {}
        names = (message["user"].get("name"), message["user"].get("last_name"))
        sought = message["chat"].get("name") or " ".join(name for name in names if name)
        return UncertainMessage(
            entry.chat, entry.message_id, self._conversation(entry.conversation), entry.sent_at or 0.0, sought
        )

    def _conversation(self, key: str) -> Conversation | None:
        return self._index.conversation(key) or self._entries.in_flight.conversations.get(key)

    def _pace(self) -> None:
        """Wait when the portal is about to refuse the method for its running time."""
        seconds = self._client.operating.pause(SEND)
        if seconds > 0:
            log.info("%s has used up its running time; waiting %.0f s", SEND, seconds)
            self._sleep(seconds)


def _reason(error: Bitrix24Error) -> str:
    return ": ".join(part for part in (error.code, error.description or error.message) if part)


def _reject_unencodable(entries: list[OutgoingMessage]) -> None:
    """Reject the messages because of which a request can't be written; nothing was sent."""
    found = [entry for entry in entries if not is_encodable(entry)]
    for entry in found or entries:
        entry.reject(UNENCODABLE)
