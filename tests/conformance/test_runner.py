"""A row for each probe, whatever happens while it looks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_b24.conformance.areas import PROBES
from airflow_provider_b24.conformance.probe import Auth, Probe
from airflow_provider_b24.conformance.runner import Verdict, run, shown
from airflow_provider_b24.conformance.unanswered import CouldNotTellError, NotTriedError
from airflow_provider_b24.exceptions import Bitrix24RateLimitError, Bitrix24UnreachableError

SECRET = "acme.bitrix24.com"


def probe(look: Any = lambda _: "red", **changes: Any) -> Probe:
    fields = {"id": "a.b", "title": "A colour", "holds": ("red", "blue"), "depends": "", "otherwise": ""}
    return Probe(**fields | {"look": look, "writes": False, "auth": Auth.ANY, "on_line": False} | changes)


def row_of(given: Probe, *, read_only: bool = False, **trial: Any) -> Any:
    fields = {"is_application": False, "line_id": None}
    (row,) = run([given], SimpleNamespace(**fields | trial), read_only=read_only)  # type: ignore[arg-type]
    return row


def failing(error: Exception) -> Any:
    def look(trial: Any) -> str:
        raise error

    return look


@pytest.mark.parametrize(
    ("found", "verdict"),
    [("red", Verdict.HOLDS), ("blue", Verdict.HOLDS), ("green", Verdict.DIFFERS), ("", Verdict.DIFFERS)],
)
def test_what_is_found_is_compared_with_all_that_we_hold_true(found: str, verdict: Verdict) -> None:
    assert row_of(probe(lambda _: found)).verdict is verdict


@pytest.mark.parametrize(
    ("error", "verdict", "found"),
    [
        (NotTriedError("the chat is empty"), Verdict.NOT_TRIED, "the chat is empty"),
        (CouldNotTellError("a poll could not be sent"), Verdict.UNCLEAR, "a poll could not be sent"),
        (
            Bitrix24RateLimitError(method="profile", status=503, description=SECRET, code=SECRET),
            Verdict.UNCLEAR,
            "Bitrix24RateLimitError (HTTP 503, profile)",
        ),
        (Bitrix24UnreachableError(description=SECRET), Verdict.UNCLEAR, "Bitrix24UnreachableError"),
        (KeyError(SECRET), Verdict.UNCLEAR, "the reply is of no known form (KeyError)"),
    ],
)
def test_a_probe_that_fails_is_a_row_without_a_text_of_the_portal(
    error: Exception, verdict: Verdict, found: str
) -> None:
    row = row_of(probe(failing(error)))

    assert (row.verdict, row.found) == (verdict, found)


@pytest.mark.parametrize(
    ("changes", "trial", "reason"),
    [
        ({"writes": True}, {}, "needs a run without --read-only"),
        ({"auth": Auth.APPLICATION}, {}, "needs an application"),
        ({"auth": Auth.WEBHOOK}, {"is_application": True}, "needs a webhook"),
        ({"on_line": True}, {}, "needs --line"),
    ],
)
def test_a_probe_that_lacks_something_is_not_tried_and_says_what(
    changes: dict[str, Any], trial: dict[str, Any], reason: str
) -> None:
    row = row_of(probe(failing(AssertionError()), **changes), read_only=True, **trial)

    assert (row.verdict, row.found) == (Verdict.NOT_TRIED, reason)


def test_an_error_is_shown_without_its_description() -> None:
    error = Bitrix24UnreachableError("it is at acme", method="profile", description=SECRET)

    assert shown(error) == "Bitrix24UnreachableError (profile)"


def test_every_probe_is_named_once_and_says_what_depends_on_it() -> None:
    names = [each.id for each in PROBES]

    assert len(set(names)) == len(names) > 90
    assert [each.id for each in PROBES if not (each.title and each.depends and each.otherwise)] == []
    assert [each.id for each in PROBES if not each.holds or not each.look.__doc__] == []
