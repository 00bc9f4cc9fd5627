"""Wait until a connector works on an open line."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import (
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
)

from airflow_provider_b24.exceptions import (
    Bitrix24ConnectorError,
    Bitrix24Error,
    Bitrix24ValidationError,
    Outcome,
)
from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_b24.ids import parse_connector_id, parse_line
from airflow_provider_b24.utils.templated_fields import TemplatedFieldsMixin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context
    from airflow.sdk.definitions.xcom_arg import PlainXComArg

    from airflow_provider_b24.field_values import Check, Templated
    from airflow_provider_b24.open_lines.connector_status import ConnectorStatus


def _error_timeout(value: Any, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise Bitrix24ValidationError(path, "must be a number of seconds, 0 or more")
    return value


class Bitrix24ConnectorStatusSensor(TemplatedFieldsMixin, BaseSensorOperator):
    """Wait until a connector is active and configured on an open line, and return its status.

    A portal that is down, slow or limited is waited for until the timeout. With ``soft_fail`` or
    ``never_fail`` the task is skipped wherever it would fail. For a long wait use ``mode="reschedule"``,
    which holds no worker between two reads.

    Method: ``imconnector.status``
    (https://apidocs.bitrix24.com/api-reference/imopenlines/imconnector/imconnector-status.html).

    :param connector: the id under which the connector is registered (templated).
    :param line: the open line's number or exact name (templated).
    :param error_timeout: seconds after the start of the wait from which on a connector that Bitrix24 flags as
        broken fails the task; before that it may recover, when it is set up again.
    :param poke_interval: seconds between two reads.
    :param bitrix24_conn_id: the Airflow connection (templated).
    :returns: ``{"connector", "line", "active", "configured", "error"}``.
    :raises Bitrix24ConnectorError: when the connector is flagged as broken and does not recover.
    :raises Bitrix24LineNotFoundError: when no line has the name, or several have it.
    :raises AirflowSensorTimeout: when ``timeout`` passes; it is not retried.
    """

    template_fields: Sequence[str] = ("bitrix24_conn_id", "connector", "line")
    field_checks: ClassVar[Mapping[str, Check]] = {
        **TemplatedFieldsMixin.field_checks,
        "connector": parse_connector_id,
        "line": parse_line,
        "error_timeout": _error_timeout,
    }
    text_fields = TemplatedFieldsMixin.text_fields | {"connector"}

    if TYPE_CHECKING:

        @property
        def output(self) -> PlainXComArg:
            """What the task returns; Airflow's own annotation does not know ``output["key"]``."""

    def __init__(
        self,
        *,
        connector: Templated[str],
        line: Templated[int],
        error_timeout: float = 60,
        bitrix24_conn_id: Templated[str] = Bitrix24Hook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.connector: Any = connector
        self.line: Any = line
        self.error_timeout = error_timeout
        self.bitrix24_conn_id: Any = bitrix24_conn_id
        self._started: float | None = None

    def poke(self, context: Context) -> PokeReturnValue:
        """Read the status once.

        :param context: Airflow's context, for the start of the wait.
        """
        fields = self.check_fields()
        connectors = Bitrix24Hook(fields["bitrix24_conn_id"]).open_lines.connectors
        try:
            status = connectors.status(connector=fields["connector"], line=fields["line"])
        except Bitrix24Error as error:
            if not error.transient:
                raise
            self.log.warning("Still waiting: %s", error)
            return PokeReturnValue(is_done=False)
        if status.error and self._waited(context) >= self.error_timeout:
            raise self._broken()
        self.log.info("Connector %r on line %s: %s", self.connector, self.line, status)
        return PokeReturnValue(is_done=status.works, xcom_value=self._result(status))

    def execute(self, context: Context) -> Any:
        """Wait for the connector.

        :param context: Airflow's context.
        """
        self._started = time.monotonic()
        try:
            return super().execute(context)
        except (Bitrix24Error, AirflowSensorTimeout) as error:
            # Airflow skips for some errors only, and which ones differs between its versions.
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(f"Skipped instead of failed: {error}") from error
            raise

    def _result(self, status: ConnectorStatus) -> dict[str, Any]:
        return {"connector": self.connector, "line": self.line, **status.to_dict()}

    def _waited(self, context: Context) -> float:
        """Return how many seconds the wait has lasted."""
        # Each poke of a rescheduled sensor is a process of its own.
        if self.reschedule:
            first = _first_start(context)
            return (datetime.now(UTC) - first).total_seconds() if first is not None else 0.0
        return time.monotonic() - self._started if self._started is not None else 0.0

    def _broken(self) -> Bitrix24ConnectorError:
        return Bitrix24ConnectorError(
            f"Connector {self.connector!r} is flagged as broken on line {self.line}",
            method="imconnector.status",
            outcome=Outcome.REFUSED,
            conn_id=self.bitrix24_conn_id,
            advice="Set the connector up again (Bitrix24SetUpConnectorOperator), which clears the error.",
        )


def _first_start(context: Context) -> datetime | None:
    """Return when a rescheduled wait began; None in its first process on Airflow 3."""
    instance: Any = context["ti"]
    if hasattr(instance, "get_first_reschedule_date"):
        return instance.get_first_reschedule_date(context)  # type: ignore[no-any-return]
    # Airflow 2 keeps the start of the first process.
    return instance.start_date  # type: ignore[no-any-return]
