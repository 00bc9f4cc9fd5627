"""Call any REST method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.operators.base import Bitrix24BaseOperator, keep_result

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context


class Bitrix24CallOperator(Bitrix24BaseOperator):
    """Call one REST method, within the portal's limits.

    :param method: the method's name as Bitrix24 documents it, for example ``crm.deal.get``
        (templated).
    :param parameters: its parameters; ``params`` is Airflow's own word for the DAG's (templated).
    :param all_pages: read a list method to its end and return all its items.
    :param repeatable: whether the call is idempotent, so that it may be sent again after an attempt whose
        outcome is unknown; None looks the method up. Without that a lost reply fails the task, and Airflow
        does not retry it.
    :param bitrix24_conn_id: the Airflow connection (templated).
    :returns: the reply's ``result``, or the list of all items.
    """

    template_fields: Sequence[str] = ("bitrix24_conn_id", "method", "parameters")

    def __init__(
        self,
        *,
        method: str,
        parameters: Mapping[str, Any] | None = None,
        all_pages: bool = False,
        repeatable: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.method = method
        self.parameters = parameters
        self.all_pages = all_pages
        self.repeatable = repeatable

    def execute(self, context: Context) -> Any:  # noqa: ARG002
        """Call the method and return its result."""
        if self.all_pages:
            return list(self.hook.iterate(self.method, self.parameters))
        return self.hook.call(self.method, self.parameters, repeatable=self.repeatable)


class Bitrix24BatchOperator(Bitrix24BaseOperator):
    """Call many REST methods, fifty a request; one that fails hides no other.

    :param commands: a key of your own to ``[method, params]``, or to a method without parameters
        (templated).
    :param if_errors: ``fail`` the task when a command fails, without a retry, which would run the
        others again; or ``report`` it only.
    :param bitrix24_conn_id: the Airflow connection (templated).
    :returns: ``{"results": {key: result}, "errors": {key: {"type", "code", "description", …}}}``;
        it is in XCom also when the task fails.
    :raises Bitrix24BatchIncompleteError: when a command fails.
    """

    template_fields: Sequence[str] = ("bitrix24_conn_id", "commands")

    def __init__(
        self,
        *,
        commands: Mapping[str, Sequence[Any] | str],
        if_errors: str = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if if_errors not in {"fail", "report"}:
            raise ValueError(f"if_errors must be 'fail' or 'report', not {if_errors!r}")
        self.commands = commands
        self.if_errors = if_errors

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the commands and return their results and errors."""
        from airflow_provider_b24.exceptions import Bitrix24BatchIncompleteError

        done = self.hook.call_batch(self.commands)
        errors = {str(key): error.to_dict() for key, error in done.errors.items()}
        outcome = {"results": {str(key): result for key, result in done.results.items()}, "errors": errors}
        if errors and self.if_errors == "fail":
            keep_result(context, outcome)
            first = next(iter(done.errors.values()))
            raise Bitrix24BatchIncompleteError(
                f"{len(errors)} of {len(done)} commands failed; all answers are in XCom. The first: {first}"
            )
        return outcome
