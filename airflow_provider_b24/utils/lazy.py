"""Attributes that are made when they are first read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")


class cached_property(Generic[_T]):  # noqa: N801 - it stands for the one of functools
    """A property that is computed once for each instance, without a lock.

    The one of functools has, on Python 3.11, a lock that all instances share: a task's timeout that
    interrupts it could leave that lock held, and each later read in the process would wait for ever. Two
    threads that read at the same time may compute twice here; the last value stays.

    :param make: returns the value.
    """

    def __init__(self, make: Callable[[Any], _T]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> cached_property[_T]: ...

    @overload
    def __get__(self, instance: object, owner: type) -> _T: ...

    def __get__(self, instance: object | None, owner: type) -> Any:
        """Return the value; from then on the instance has it as an attribute of its own."""
        if instance is None:
            return self
        value = self._make(instance)
        instance.__dict__[self._name] = value
        return value
