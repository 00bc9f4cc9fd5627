"""Wait until a poll is decided."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import (
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_provider_b24.exceptions import Bitrix24Error, Bitrix24PollUndecidedError, error_from_dict
from airflow_provider_b24.field_values import as_switch, literal, optional
from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_b24.ids import parse_chat_id, positive_number
from airflow_provider_b24.links.polls import POLL_LINKS, chat_url, push_links
from airflow_provider_b24.polls.reference import parse_reference
from airflow_provider_b24.polls.rules import parse_rule
from airflow_provider_b24.utils.templated_fields import TemplatedFieldsMixin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context
    from airflow.sdk.definitions.xcom_arg import PlainXComArg

    from airflow_provider_b24.field_values import Check, Templated
    from airflow_provider_b24.polls.poll import Poll
    from airflow_provider_b24.triggers.poll_watcher.payloads import PollEvent


class Bitrix24PollSensor(TemplatedFieldsMixin, BaseSensorOperator):
    """Wait until a rule decides a poll, and return the poll.

    Deferrable, poke and reschedule mode all read it once at the start. A portal that is down, slow or
    limited is waited for until the timeout; a poll that is deleted or hidden fails the task at once.
    With ``soft_fail`` or ``never_fail`` the task is skipped wherever it would fail.

    Method: ``vote.AttachedVote.get``
    (https://apidocs.bitrix24.com/api-reference/vote/vote.attachedvote.get.html).

    :param poll: any way to name a poll: a message id, a mapping with ``message_id``, ``attach_id``,
        ``signed_attach_id`` or ``post_id``, or the send operator's output (templated).
    :param rule: when the poll is decided: ``"stopped"``, ``"first_vote"``, ``{"quorum": k}``,
        ``"everybody"`` (the chat's members), ``{"everybody": [user ids]}``, ``{"first_to": k}`` votes for an
        answer, or ``{"majority": n}`` (templated). A poll that is stopped before the rule is met fails the
        task.
    :param poll_interval: seconds between two reads of the poll.
    :param poke_interval: Airflow's name for the same; it wins when it is given.
    :param chat_id: the poll's chat, which the rule ``"everybody"`` needs; None takes it from the send
        operator's output (templated).
    :param stop_at_end: stop the poll when it is decided or can't be, at the timeout, and when a person ends
        the task in Airflow (3.3 and later while it is deferred). Only the poll's author may (templated).
    :param deferrable: wait in the triggerer instead of on a worker; default: Airflow's
        ``[operators] default_deferrable``.
    :param bitrix24_conn_id: the Airflow connection (templated).
    :returns: the poll as ``Poll.to_dict()`` gives it.
    :raises AirflowSensorTimeout: when ``timeout`` passes; it is not retried.
    :raises Bitrix24PollNotFoundError: when the poll is deleted.
    :raises Bitrix24PollUndecidedError: when the poll is stopped before the rule is met.
    """

    template_fields: Sequence[str] = ("bitrix24_conn_id", "poll", "rule", "chat_id", "stop_at_end")
    template_fields_renderers: ClassVar[dict[str, str]] = {"poll": "json", "rule": "json"}
    field_checks: ClassVar[Mapping[str, Check]] = {
        **TemplatedFieldsMixin.field_checks,
        "poll": parse_reference,
        "rule": parse_rule,
        "chat_id": optional(parse_chat_id),
        "stop_at_end": as_switch,
    }
    operator_extra_links = POLL_LINKS

    if TYPE_CHECKING:

        @property
        def output(self) -> PlainXComArg:
            """What the task returns; Airflow's own annotation does not know ``output["key"]``."""

    def __init__(
        self,
        *,
        poll: Any,
        rule: Any = "stopped",
        poll_interval: float = 10,
        poke_interval: timedelta | float | None = None,
        chat_id: Any = None,
        stop_at_end: Templated[bool] = False,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        bitrix24_conn_id: Templated[str] = Bitrix24Hook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poll_interval if poke_interval is None else poke_interval, **kwargs)
        self.poll = poll
        self.rule = rule
        self.chat_id = chat_id
        self.stop_at_end: Any = stop_at_end
        self.deferrable = deferrable
        self.bitrix24_conn_id: Any = bitrix24_conn_id
        self._has_links = False

    def poke(self, context: Context) -> PokeReturnValue:
        """Read the poll once.

        :param context: Airflow's context, for the links to the poll.
        """
        from airflow_provider_b24.asks.watched import read_if_decided

        hook = Bitrix24Hook(self.bitrix24_conn_id)
        try:
            links = partial(self._push_links, context, hook)
            poll = read_if_decided(hook, self.poll, self.rule, chat_id=self.chat_id, on_read=links)
            if poll is not None and self._stops:
                poll = hook.polls.stop(self.poll)
        except Bitrix24Error as error:
            if not error.transient:
                raise
            self.log.warning("Still waiting: %s", error)
            poll = None
        return PokeReturnValue(is_done=poll is not None, xcom_value=poll.to_dict() if poll else None)

    def execute(self, context: Context) -> Any:
        """Wait for the poll.

        :param context: Airflow's context.
        """
        try:
            self.check_fields()
            return self._read_and_defer(context) if self.deferrable else super().execute(context)
        except (Bitrix24Error, AirflowSensorTimeout) as error:
            if isinstance(error, AirflowSensorTimeout | Bitrix24PollUndecidedError):
                self._stop()
            # After a deferral Airflow does the same for every error, in its own loop for some only.
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(f"Skipped instead of failed: {error}") from error
            raise

    def execute_complete(self, context: Context, event: PollEvent) -> dict[str, Any]:
        """Return the poll of the trigger's event, or raise its error.

        :param context: Airflow's context, for the link to the results.
        :param event: how the wait ended.
        """
        if event["status"] == "success":
            # The first read may have failed.
            push_links(context, poll_url=event["poll"].get("result_url", ""))
            stopped = Bitrix24Hook(self.bitrix24_conn_id).polls.stop(self.poll) if self._stops else None
            return event["poll"] if stopped is None else stopped.to_dict()
        if event["status"] == "error":
            error = error_from_dict(event["error"])
            if isinstance(error, Bitrix24PollUndecidedError):
                self._stop()
            raise error
        self._stop()
        raise AirflowSensorTimeout(
            f"The poll was not decided within {self.timeout:.0f} s (rule: {self.rule})"
        )

    def on_kill(self) -> None:
        """Stop the poll when the worker's process is told to end, on request."""
        self._stop()

    @property
    def _stops(self) -> bool:
        return bool(self.checked_field("stop_at_end"))

    def _stop(self) -> None:
        if self._stops:
            from airflow_provider_b24.asks.closing import stop_quietly

            stop_quietly(self.bitrix24_conn_id, self.poll)

    def _push_links(self, context: Context, hook: Bitrix24Hook, poll: Poll) -> None:
        """Store the links once: in poke mode one process reads the poll many times."""
        if self._has_links:
            return
        chat_id, message_id, chat = _linked_chat(self.poll, self.chat_id), poll.message_id, ""
        if chat_id and message_id:
            chat = chat_url(hook.client.portal, chat_id=chat_id, message_id=message_id)
        push_links(context, poll_url=poll.result_url, chat_url=chat)
        self._has_links = True

    def _read_and_defer(self, context: Context) -> Any:
        deadline = time.time() + float(self.timeout)
        first = self.poke(context)
        if not first.is_done:
            self._defer(deadline)
        return first.xcom_value

    def _defer(self, deadline: float) -> None:
        from airflow_provider_b24.triggers.polls import Bitrix24PollTrigger

        self.defer(
            trigger=Bitrix24PollTrigger(
                bitrix24_conn_id=self.bitrix24_conn_id,
                poll=self.checked_field("poll").to_dict(),
                rule=self.checked_field("rule").to_json(),
                poll_interval=float(self.poke_interval),
                deadline=deadline,
                chat_id=self._chat(),
                stop_at_end=self._stops,
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=max(deadline - time.time(), 0.0)),
        )

    def _chat(self) -> int | None:
        """Return the chat that the trigger needs: the poll's reference alone does not have it."""
        from airflow_provider_b24.asks.watched import watched_ask

        ask = watched_ask(self.poll, self.rule, chat_id=self.chat_id)
        return ask.chat_id or None if ask is not None else None


def _linked_chat(poll: Any, chat_id: Any) -> int | None:
    """Return the chat that the sensor is told, or that the send operator's output names."""
    named = literal(poll) if isinstance(poll, str) else poll
    given = named.get("chat_id") if chat_id is None and isinstance(named, Mapping) else chat_id
    return positive_number(given.strip().removeprefix("chat") if isinstance(given, str) else given)
