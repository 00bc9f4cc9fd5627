"""What all Bitrix24 operators share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_b24.utils.lazy import cached_property
from airflow_provider_b24.utils.templated_fields import TemplatedFieldsMixin

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from airflow.sdk.definitions.xcom_arg import PlainXComArg

    from airflow_provider_b24.field_values import Templated


class Bitrix24BaseOperator(TemplatedFieldsMixin, BaseOperator):
    """An operator with a connection to a portal.

    Its constructor only assigns: ``field_checks`` says what each field takes. Literals are checked at the
    constructor's end, when the DAG is parsed; all values are checked before anything is sent. Texts from
    XCom are never rendered as templates, also when ``expand_kwargs`` maps the task over them.

    :param bitrix24_conn_id: the Airflow connection (templated).
    """

    if TYPE_CHECKING:

        @property
        def output(self) -> PlainXComArg:
            """What the task returns; Airflow's own annotation does not know ``output["key"]``."""

    def __init__(
        self, *, bitrix24_conn_id: Templated[str] = Bitrix24Hook.default_conn_name, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        # Fields are of type Any: they are rendered before the task runs.
        self.bitrix24_conn_id: Any = bitrix24_conn_id

    @cached_property
    def hook(self) -> Bitrix24Hook:
        """The hook for the connection."""
        return Bitrix24Hook(self.bitrix24_conn_id)


def keep_result(context: Context, result: Any) -> None:
    """Push what the task found although it is about to fail."""
    context["ti"].xcom_push(key="return_value", value=result)
