"""An attribute that is made when it is first read."""

from __future__ import annotations

import threading

import pytest

from airflow_provider_b24.utils.lazy import cached_property


class Counter:
    """Counts how often its attribute is made."""

    def __init__(self) -> None:
        self.made = 0

    @cached_property
    def value(self) -> int:
        """The value."""
        self.made += 1
        return self.made


def test_the_value_is_made_once_for_each_instance() -> None:
    first, second = Counter(), Counter()

    assert [first.value, first.value, second.value] == [1, 1, 1]
    assert (first.made, second.made) == (1, 1)


def test_the_class_shows_the_property_with_its_docstring() -> None:
    assert isinstance(Counter.value, cached_property)
    assert Counter.value.__doc__ == "The value."


def test_an_attempt_that_is_interrupted_blocks_no_other_thread() -> None:
    entered, leave = threading.Event(), threading.Event()

    class Slow:
        is_first = True

        @cached_property
        def value(self) -> int:
            if Slow.is_first:
                Slow.is_first = False
                entered.set()
                leave.wait()
                raise TimeoutError
            return 1

    def interrupted() -> None:
        with pytest.raises(TimeoutError):
            Slow().value  # noqa: B018

    thread = threading.Thread(target=interrupted)
    thread.start()
    entered.wait()
    assert Slow().value == 1
    leave.set()
    thread.join()
