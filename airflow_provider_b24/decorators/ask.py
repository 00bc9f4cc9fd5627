"""``@task.bitrix24_ask``: a function returns the question and its answers, and people decide."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import (
    DecoratedOperator,
    context_merge,
    task_decorator_factory,
)

from airflow_provider_b24.compat import determine_kwargs
from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.operators.ask import Bitrix24AskOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, TaskDecorator


class _AskDecoratedOperator(DecoratedOperator, Bitrix24AskOperator):
    """Ask what a function returns.

    :param python_callable: returns ``{"question": …, "answers": […]}``, or the pair of both.
    :param op_args: the function's arguments (templated).
    :param op_kwargs: the function's keyword arguments (templated).
    """

    template_fields: Sequence[str] = (
        *DecoratedOperator.template_fields,
        *(name for name in Bitrix24AskOperator.template_fields if name not in {"question", "answers"}),
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **DecoratedOperator.template_fields_renderers,
        **Bitrix24AskOperator.template_fields_renderers,
    }
    custom_operator_name = "@task.bitrix24_ask"
    late_fields = frozenset({"question", "answers"})

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        for name in ("question", "answers"):
            if name in kwargs:
                raise Bitrix24ValidationError(name, "is what the function returns")
        super().__init__(
            python_callable=python_callable,
            op_args=op_args,
            op_kwargs=op_kwargs,
            question=None,
            answers=None,
            **kwargs,
        )

    def execute(self, context: Context) -> Any:
        """Call the function, ask, and wait in the triggerer."""
        # The decorator's own execute would call the function alone.
        return Bitrix24AskOperator.execute(self, context)

    def _ask_and_wait(self, context: Context) -> Any:
        context_merge(context, self.op_kwargs)
        arguments = determine_kwargs(self.python_callable, self.op_args, context)
        self.question, self.answers = _question_of(self.python_callable(*self.op_args, **arguments))
        return super()._ask_and_wait(context)


def ask_task(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> TaskDecorator:
    """Turn a function into a :class:`~airflow_provider_b24.operators.ask.Bitrix24AskOperator`.

    :param python_callable: returns ``{"question": …, "answers": […]}``, or the pair of both.
    :param kwargs: the operator's other parameters.
    """
    return task_decorator_factory(
        python_callable=python_callable, decorated_operator_class=_AskDecoratedOperator, **kwargs
    )


def _question_of(returned: Any) -> tuple[Any, Any]:
    if isinstance(returned, Mapping) and set(returned) == {"question", "answers"}:
        return returned["question"], returned["answers"]
    if isinstance(returned, tuple) and len(returned) == 2:
        return returned[0], returned[1]
    raise Bitrix24ValidationError(
        "the function's return value", "must be {'question': …, 'answers': […]} or the pair of both"
    )
