"""Errors lose the frames below a boundary, and nothing else."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.exceptions import Bitrix24Error
from airflow_provider_b24.utils.frames import hide_frames, without_frames
from tests.support.frames import shown_by

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "canary0local"


class Interruption(BaseException):
    """What a signal handler raises."""


def fail(error: BaseException) -> None:
    secret = SECRET  # noqa: F841
    raise error


def fail_while_handling(error: BaseException) -> None:
    secret = SECRET  # noqa: F841
    try:
        raise ValueError(SECRET)
    except ValueError:
        raise error  # noqa: B904


def fail_because(error: BaseException) -> None:
    try:
        raise ValueError(SECRET)
    except ValueError as cause:
        raise error from cause


FAILURES = [fail, fail_while_handling, fail_because]
ERRORS = [Bitrix24Error, RuntimeError, Interruption, KeyboardInterrupt]


@pytest.fixture(autouse=True)
def count_every_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """The functions that hold a secret are in this file."""
    monkeypatch.setattr("tests.support.frames.TESTS", "/nowhere")


def leaks(error: BaseException) -> list[str]:
    return [text for text in shown_by(error) if SECRET in text and "SECRET =" not in text]


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("failure", FAILURES)
def test_an_error_leaves_a_boundary_without_frames_and_chain(failure: Any, kind: type[BaseException]) -> None:
    given = kind("text")
    try:
        hide_frames(failure)(given)
    except BaseException as error:  # noqa: BLE001
        caught = error

    assert caught is given
    assert str(caught).startswith("text")
    assert leaks(caught) == []
    assert [frame.name for frame in traceback.extract_tb(caught.__traceback__)][1:] == ["call"]


def test_the_test_would_see_a_leak() -> None:
    with pytest.raises(RuntimeError) as caught:
        fail(RuntimeError("text"))

    assert leaks(caught.value)


def test_an_error_that_is_not_the_packages_says_where_it_was_raised() -> None:
    with pytest.raises(RuntimeError) as caught:
        hide_frames(fail)(RuntimeError("text"))

    (note,) = caught.value.__notes__
    assert "utils/test_frames.py" in note
    assert "fail" in note


def test_the_frames_of_nested_boundaries_are_in_one_note() -> None:
    def outer(error: BaseException) -> None:
        hide_frames(fail)(error)

    with pytest.raises(RuntimeError) as caught:
        hide_frames(outer)(RuntimeError("text"))

    (note,) = caught.value.__notes__
    assert note.index(" outer") < note.index(" fail")


def test_the_packages_own_error_needs_no_note() -> None:
    with pytest.raises(Bitrix24Error) as caught:
        hide_frames(fail)(Bitrix24Error("text"))

    assert not hasattr(caught.value, "__notes__")


def test_the_packages_own_cause_is_kept_without_frames() -> None:
    def work() -> None:
        secret = SECRET  # noqa: F841
        try:
            fail(Bitrix24Error("first"))
        except Bitrix24Error as cause:
            raise Bitrix24Error("second") from cause

    with pytest.raises(Bitrix24Error, match="second") as caught:
        hide_frames(work)()

    assert str(caught.value.__cause__) == "first."
    assert leaks(caught.value) == []


def test_the_callers_own_error_stays_the_context() -> None:
    with pytest.raises(Bitrix24Error) as caught:
        try:
            raise KeyError("the caller's")
        except KeyError:
            hide_frames(fail_while_handling)(Bitrix24Error("text"))

    assert repr(caught.value.__context__) == 'KeyError("the caller\'s")'
    assert not caught.value.__suppress_context__


def test_results_arguments_and_the_signature_are_those_of_the_function() -> None:
    @hide_frames
    def add(a: int, *, b: int = 2) -> int:
        """Add."""
        return a + b

    assert add(1) == 3
    assert (add.__name__, add.__doc__) == ("add", "Add.")


@hide_frames
class Api:
    """An API with frames to hide."""

    limit = 3

    def public(self) -> None:
        """Fail."""
        self._private()

    def pages(self) -> Iterator[int]:
        """Yield, then fail."""
        yield 1
        self._private()

    @property
    def name(self) -> str:
        """A property."""
        return "api"

    def _private(self) -> None:
        fail(Bitrix24Error("text"))


def test_a_class_hides_the_frames_of_its_public_methods() -> None:
    api = Api()

    with pytest.raises(Bitrix24Error) as caught:
        api.public()

    assert leaks(caught.value) == []
    assert (api.limit, api.name) == (3, "api")


def test_a_generator_hides_the_frames_of_its_steps() -> None:
    pages = Api().pages()
    seen: list[int] = []

    with pytest.raises(Bitrix24Error) as caught:
        for page in pages:
            seen.append(page)

    assert seen == [1]
    assert leaks(caught.value) == []


def test_a_generator_can_be_closed_half_way() -> None:
    pages = Api().pages()

    assert next(pages) == 1
    pages.close()  # type: ignore[attr-defined]
    assert list(pages) == []


def test_an_error_that_is_stored_loses_its_frames_too() -> None:
    try:
        fail_because(Bitrix24Error("text"))
    except Bitrix24Error as error:
        stored = without_frames(error)

    assert leaks(stored) == []
    assert stored.__traceback__ is None
