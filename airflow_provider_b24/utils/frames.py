"""Errors leave the client without the frames that they passed.

Sentry, rich and others show the variables of every frame of a traceback. Below the client they hold addresses
with the webhook's code, tokens, and replies that may repeat both; most of these frames are not ours.
"""

from __future__ import annotations

import functools
import inspect
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from airflow_provider_b24.exceptions import Bitrix24Error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PLACES = "Raised in (frames without variables): "

E = TypeVar("E", bound=BaseException)
C = TypeVar("C", bound="Callable[..., Any]")


def hide_frames(target: C) -> C:
    """Let no error show the frames below a function, or below the public methods of a class; a decorator.

    The arguments of the call stay visible: they must hold no plain secret.

    :param target: a function, a generator function, or a class.
    """
    if inspect.isclass(target):
        for name, member in list(vars(target).items()):
            if inspect.isfunction(member) and not name.startswith("_"):
                setattr(target, name, hide_frames(member))
        return target
    return cast("C", _hiding_steps(target) if inspect.isgeneratorfunction(target) else _hiding(target))


def without_frames(error: E) -> E:
    """Return an error without its traceback and without the errors it came from.

    The package's own causes are kept, without theirs.

    :param error: the error; one that is not the package's gets a note that says where it was raised.
    """
    if not isinstance(error, Bitrix24Error) and error.__traceback__ is not None:
        _note_places(error)
    cause, suppresses = error.__cause__, error.__suppress_context__
    error.__cause__ = without_frames(cause) if isinstance(cause, Bitrix24Error) else None
    error.__context__ = None
    error.__suppress_context__ = suppresses and error.__cause__ is not None
    return error.with_traceback(None)


def _hiding(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001
            bare = without_frames(error)
        # Raised out here, or Python would put the frames' error back as the context.
        try:
            raise bare
        finally:
            # The frame is in the traceback of its own variable: a cycle.
            del bare

    return call


def _hiding_steps(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Iterator[Any]:
        try:
            yield from function(*args, **kwargs)
            return
        except BaseException as error:  # noqa: BLE001
            bare = without_frames(error)
        try:
            raise bare
        finally:
            del bare

    return call


def _note_places(error: BaseException) -> None:
    """Name the frames of an error in a note, without their variables, before those of an inner boundary."""
    places = [
        f"{'/'.join(Path(frame.f_code.co_filename).parts[-2:])}:{line} {frame.f_code.co_name}"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename != __file__
    ]
    notes = getattr(error, "__notes__", [])
    for note in [note for note in notes if note.startswith(_PLACES)]:
        notes.remove(note)
        places.append(note.removeprefix(_PLACES))
    error.add_note(_PLACES + " > ".join(places))
