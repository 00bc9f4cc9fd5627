"""One table of checks a class: for literals when the DAG is parsed, for all values when the task runs."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_b24.field_values import is_literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_b24.field_values import Check

_DEPTH = "_b24_constructors"


class CheckedFieldsMixin:
    """Checks the fields of an operator, sensor or notifier, whose constructors only assign.

    A derived class extends ``field_checks``, and overrides :meth:`check_together` for what several fields
    must fulfil together.
    """

    #: Field to its check, in the order in which they are checked.
    field_checks: ClassVar[Mapping[str, Check]] = {}
    #: Fields that get their values only when the task runs, whatever the constructor was given.
    late_fields: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Let the constructor of a class check its literals at its end."""
        super().__init_subclass__(**kwargs)
        if "__init__" in cls.__dict__:
            cls.__init__ = _checking(cls.__init__)  # type: ignore[method-assign]

    def checked_field(self, name: str) -> Any:
        """Return the value of a field as its check gives it.

        :param name: the field.
        :raises Bitrix24ValidationError: with the path of what is wrong.
        """
        return self.field_checks[name](getattr(self, name), name)

    def check_fields(self) -> dict[str, Any]:
        """Return the values of all fields as their checks give them.

        :raises Bitrix24ValidationError: with the path of the first that is wrong.
        """
        values = {name: self.checked_field(name) for name in self.field_checks}
        self.check_together(values)
        return values

    def check_literals(self) -> None:
        """Check the fields that are known while the DAG is parsed.

        :raises Bitrix24ValidationError: with the path of the first that is wrong.
        """
        self.check_together(
            {name: self.checked_field(name) for name in self.field_checks if self._is_known(name)}
        )

    def check_together(self, values: Mapping[str, Any]) -> None:
        """Check what several fields must fulfil together.

        :param values: the checked values of the fields that are known by now.
        :raises Bitrix24ValidationError: with the path of what is wrong.
        """

    def _is_known(self, name: str) -> bool:
        if name in self.late_fields:
            return False
        template_fields = getattr(self, "template_fields", ())
        return name not in template_fields or is_literal(getattr(self, name))


def _checking(constructor: Callable[..., None]) -> Callable[..., None]:
    """Return a constructor that checks the literals, unless a derived class's constructor calls it."""

    @wraps(constructor)
    def construct(self: CheckedFieldsMixin, *args: Any, **kwargs: Any) -> None:
        # Airflow's operators watch how their attributes are set; this is none of theirs.
        state = self.__dict__
        state[_DEPTH] = state.get(_DEPTH, 0) + 1
        try:
            constructor(self, *args, **kwargs)
        finally:
            state[_DEPTH] -= 1
        if state[_DEPTH] == 0:
            del state[_DEPTH]
            self.check_literals()

    return construct
