"""The raw answer to each call, and which failures are no answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_b24.conformance.recorder import RecordedPortal, read_answer
from airflow_provider_b24.exceptions import (
    Bitrix24Error,
    Bitrix24NoAnswerError,
    Bitrix24RateLimitError,
    Bitrix24ScopeError,
)
from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_b24.rest.transport import HttpReply

if TYPE_CHECKING:
    from tests.conformance.conftest import Site

pytestmark = pytest.mark.usefixtures("impatient")


@pytest.fixture
def recorded(site: Site) -> RecordedPortal:
    return RecordedPortal(Bitrix24Hook(site.connect()))


def test_a_refusal_is_an_answer(recorded: RecordedPortal) -> None:
    assert str(recorded.ask("no.such.method")) == "404 ERROR_METHOD_NOT_FOUND"


def test_a_result_is_an_answer_with_its_time(recorded: RecordedPortal) -> None:
    answer = recorded.ask("profile")

    assert answer.result["ID"] == "1"
    assert answer.started > 0


@pytest.mark.parametrize("kind", ["html", "empty", "truncated", "drop_after"])
def test_what_is_no_answer_of_bitrix24_is_an_error(site: Site, recorded: RecordedPortal, kind: str) -> None:
    site.portal.faults.add(kind, method="profile", times=None)

    with pytest.raises(Bitrix24NoAnswerError):
        recorded.ask("profile")


def test_an_answer_of_an_earlier_call_is_not_taken_for_this_one(site: Site, recorded: RecordedPortal) -> None:
    recorded.ask("profile")
    site.portal.faults.add("drop_before", times=None)

    with pytest.raises(Bitrix24Error):
        recorded.ask("scope")


def test_a_limit_is_an_error_and_no_answer(site: Site, recorded: RecordedPortal) -> None:
    site.portal.faults.add("status_503_limit", times=None)

    with pytest.raises(Bitrix24RateLimitError):
        recorded.ask("profile")


def test_a_missing_scope_is_an_answer_only_where_it_is_asked_for(
    site: Site, recorded: RecordedPortal
) -> None:
    site.portal.portal.credentials.webhook.scopes.discard("vote")

    with pytest.raises(Bitrix24ScopeError):
        recorded.ask("vote.AttachedVote.get")
    assert recorded.ask("vote.AttachedVote.get", without_scope=True).code == "insufficient_scope"


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"7", b"<html>", b'{"time": {}}'])
def test_a_body_without_result_or_error_is_no_answer(body: bytes) -> None:
    assert read_answer(HttpReply(200, body)) is None
