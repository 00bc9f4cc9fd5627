"""Wait until a poll is decided."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_provider_b24.exceptions import Bitrix24Error, error_from_dict
from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_b24.utils.mapped_texts import MappedTextsMixin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_b24.triggers.poll_watcher.payloads import PollEvent


class Bitrix24PollSensor(MappedTextsMixin, BaseSensorOperator):
    """Wait until a rule decides a poll, and return the poll.

    Deferrable, poke and reschedule mode all read it once at the start. A portal that is down, slow or
    limited is waited for until the timeout; a poll that is deleted or hidden fails the task at once.
    With ``soft_fail`` or ``never_fail`` the task is skipped wherever it would fail.

    Method: ``vote.AttachedVote.get``
    (https://apidocs.bitrix24.com/api-reference/vote/vote.attachedvote.get.html).

    :param poll: any way to name a poll: a message id, a mapping with ``message_id``, ``attach_id``,
        ``signed_attach_id`` or ``post_id``, or the send operator's output (templated).
    :param rule: when the poll is decided: ``"stopped"``, ``"first_vote"`` or ``{"quorum": k}``
        (templated). A poll that is stopped before the rule is met fails the task.
    :param poll_interval: seconds between two reads of the poll.
    :param poke_interval: Airflow's name for the same; it wins when it is given.
    :param deferrable: wait in the triggerer instead of on a worker; default: Airflow's
        ``[operators] default_deferrable``.
    :param bitrix24_conn_id: the Airflow connection (templated).
    :returns: the poll as ``Poll.to_dict()`` gives it.
    :raises AirflowSensorTimeout: when ``timeout`` passes; it is not retried.
    :raises Bitrix24PollNotFoundError: when the poll is deleted.
    :raises Bitrix24PollUndecidedError: when the poll is stopped before the rule is met.
    """

    template_fields: Sequence[str] = ("bitrix24_conn_id", "poll", "rule")

    def __init__(
        self,
        *,
        poll: Any,
        rule: Any = "stopped",
        poll_interval: float = 10,
        poke_interval: timedelta | float | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        bitrix24_conn_id: str = Bitrix24Hook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poll_interval if poke_interval is None else poke_interval, **kwargs)
        self.poll = poll
        self.rule = rule
        self.deferrable = deferrable
        self.bitrix24_conn_id = bitrix24_conn_id

    def poke(self, context: Context) -> PokeReturnValue:  # noqa: ARG002
        """Read the poll once.

        :param context: Airflow's context, not used.
        """
        from airflow_provider_b24.polls.decision import get_if_decided

        try:
            poll = get_if_decided(Bitrix24Hook(self.bitrix24_conn_id).polls, self.poll, self.rule)
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
            return self._read_and_defer(context) if self.deferrable else super().execute(context)
        except (Bitrix24Error, AirflowSensorTimeout) as error:
            # After a deferral Airflow does the same for every error, in its own loop for some only.
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(f"Skipped instead of failed: {error}") from error
            raise

    def execute_complete(self, context: Context, event: PollEvent) -> dict[str, Any]:  # noqa: ARG002
        """Return the poll of the trigger's event, or raise its error.

        :param context: Airflow's context, not used.
        :param event: how the wait ended.
        """
        if event["status"] == "success":
            return event["poll"]
        if event["status"] == "error":
            raise error_from_dict(event["error"])
        raise AirflowSensorTimeout(
            f"The poll was not decided within {self.timeout:.0f} s (rule: {self.rule})"
        )

    def _read_and_defer(self, context: Context) -> Any:
        deadline = time.time() + float(self.timeout)
        first = self.poke(context)
        if not first.is_done:
            self._defer(deadline)
        return first.xcom_value

    def _defer(self, deadline: float) -> None:
        from airflow_provider_b24.polls.reference import parse_reference
        from airflow_provider_b24.polls.rules import parse_rule
        from airflow_provider_b24.triggers.polls import Bitrix24PollTrigger

        self.defer(
            trigger=Bitrix24PollTrigger(
                bitrix24_conn_id=self.bitrix24_conn_id,
                poll=parse_reference(self.poll).to_dict(),
                rule=parse_rule(self.rule).to_json(),
                poll_interval=float(self.poke_interval),
                deadline=deadline,
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=max(deadline - time.time(), 0.0)),
        )
