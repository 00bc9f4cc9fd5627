"""Replies that are not what was promised: every method, every field, and nothing but typed errors."""

from __future__ import annotations

import json
import pickle
import random
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.exceptions import Bitrix24Error, Bitrix24ValidationError, error_from_dict
from tests.support.canned_portal import CannedPortal
from tests.support.mutations import DEEP, VALUES, mutated, paths_in
from tests.support.readers import USES

if TYPE_CHECKING:
    from tests.support.mutations import Path
    from tests.support.readers import Use

#: Mutations of each reply that are tried in every run, out of some forty thousand.
SAMPLE = 80


def replies_to(use: Use, replies: dict[str, Any]) -> dict[str, Any]:
    """Return the replies that a use gets, by method."""
    portal = CannedPortal(replies=replies)
    try:
        use(portal.client())
    except Bitrix24Error:
        # A report is a file, which a canned reply is not.
        assert "vote.AttachedVote.download" in portal.seen
    return portal.seen


def mutations_of(name: str) -> list[tuple[str, Path, Any]]:
    use, replies = USES[name]
    found = []
    for method, reply in replies_to(use, replies).items():
        every = [(method, path, value) for path in paths_in(reply) for value in [*VALUES, DEEP]]
        # The same ones in each run, so that a failure is no accident.
        found += random.Random(f"{name} {method}").sample(every, min(SAMPLE, len(every)))
    return found


def outcome_of(name: str, method: str, path: Path, value: Any) -> Any:
    """Return what a use makes of a mutated reply: its result, or its error."""
    use, replies = USES[name]

    def change(called: str, reply: dict[str, Any]) -> bytes:
        body = mutated(reply, path, value) if called == method else reply
        return json.dumps(body).encode()

    try:
        return use(CannedPortal(change, replies=replies).client())
    except Bitrix24Error as error:
        check_error(error)
        return error


def check_error(error: Bitrix24Error) -> None:
    """Check that an error can be logged, pickled, and handed from a trigger to its task."""
    assert str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert str(error_from_dict(error.to_dict())) == str(error)
    # An answer that the poll does not offer is refused before the vote is sent.
    assert error.outcome is not None or isinstance(error, Bitrix24ValidationError)


def described(method: str, path: Path, value: Any) -> str:
    return f"{method} {'.'.join(map(str, path)) or 'reply'} = {str(value)[:40]!r}"


def test_at_least_2000_mutations_are_tried() -> None:
    assert sum(len(mutations_of(name)) for name in USES) >= 2_000


@pytest.mark.parametrize("name", USES)
def test_a_mutated_reply_lets_only_typed_errors_out(name: str) -> None:
    broken = []
    for method, path, value in mutations_of(name):
        try:
            outcome_of(name, method, path, value)
        except Exception as error:  # noqa: BLE001
            broken.append(f"{described(method, path, value)}: {type(error).__name__}: {error}")
    assert broken == []
