"""Call any REST method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_b24.field_values import as_mapping, as_switch, check_text, one_of, optional
from airflow_provider_b24.operators.base import Bitrix24BaseOperator, keep_result

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_b24.field_values import Check, Templated


def _as_repeatable(value: Any, path: str) -> bool | None:
    return None if value is None or value == "None" else as_switch(value, path)


class Bitrix24CallOperator(Bitrix24BaseOperator):
    """Call one REST method, within the portal's limits.

    :param method: the method's name as Bitrix24 documents it, for example ``crm.deal.get``
        (templated).
    :param parameters: its parameters; ``params`` is Airflow's own word for the DAG's (templated).
    :param all_pages: read a list method to its end and return all its items (templated).
    :param repeatable: whether the call is idempotent, so that it may be sent again after an attempt whose
        outcome is unknown; None looks the method up. Without that a lost reply fails the task, and Airflow
        does not retry it (templated).
    :param bitrix24_conn_id: the Airflow connection (templated).
    :returns: the reply's ``result``, or the list of all items.
    """

    template_fields: Sequence[str] = (
        "bitrix24_conn_id",
        "method",
        "parameters",
        "all_pages",
        "repeatable",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"parameters": "json"}
    field_checks: ClassVar[Mapping[str, Check]] = {
        **Bitrix24BaseOperator.field_checks,
        "method": check_text,
        "parameters": optional(as_mapping),
        "all_pages": as_switch,
        "repeatable": _as_repeatable,
    }
    text_fields = Bitrix24BaseOperator.text_fields | {"method"}

    def __init__(
        self,
        *,
        method: Templated[str],
        parameters: Templated[Mapping[str, Any]] | None = None,
        all_pages: Templated[bool] = False,
        repeatable: Templated[bool] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.method: Any = method
        self.parameters: Any = parameters
        self.all_pages: Any = all_pages
        self.repeatable: Any = repeatable

    def execute(self, context: Context) -> Any:  # noqa: ARG002
        """Call the method and return its result."""
        fields = self.check_fields()
        call = self.hook.iterate if fields["all_pages"] else self.hook.call
        result = call(fields["method"], fields["parameters"], repeatable=fields["repeatable"])
        return list(result) if fields["all_pages"] else result


class Bitrix24BatchOperator(Bitrix24BaseOperator):
    """Call many REST methods, fifty a request; one that fails hides no other.

    :param commands: a key of your own to ``[method, params]``, or to a method without parameters
        (templated).
    :param if_errors: ``fail`` the task when a command fails, without a retry, which would run the
        others again; or ``report`` it only (templated).
    :param bitrix24_conn_id: the Airflow connection (templated).
    :returns: ``{"results": {key: result}, "errors": {key: {"type", "code", "description", …}}}``;
        it is in XCom also when the task fails.
    :raises Bitrix24BatchIncompleteError: when a command fails.
    """

    template_fields: Sequence[str] = ("bitrix24_conn_id", "commands", "if_errors")
    template_fields_renderers: ClassVar[dict[str, str]] = {"commands": "json"}
    field_checks: ClassVar[Mapping[str, Check]] = {
        **Bitrix24BaseOperator.field_checks,
        "commands": as_mapping,
        "if_errors": one_of("fail", "report"),
    }

    def __init__(
        self,
        *,
        commands: Templated[Mapping[str, Sequence[Any] | str | XComArg]],
        if_errors: Templated[str] = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.commands: Any = commands
        self.if_errors: Any = if_errors

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the commands and return their results and errors."""
        from airflow_provider_b24.exceptions import Bitrix24BatchIncompleteError

        fields = self.check_fields()
        done = self.hook.call_batch(fields["commands"])
        errors = {str(key): error.to_dict() for key, error in done.errors.items()}
        outcome = {"results": {str(key): result for key, result in done.results.items()}, "errors": errors}
        if errors and fields["if_errors"] == "fail":
            keep_result(context, outcome)
            first = next(iter(done.errors.values()))
            raise Bitrix24BatchIncompleteError(
                f"{len(errors)} of {len(done)} commands failed; all answers are in XCom. The first: {first}"
            )
        return outcome
