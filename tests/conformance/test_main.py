"""The command, run against the emulator."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.conformance import __main__ as command
from airflow_provider_b24.conformance import announcement
from airflow_provider_b24.conformance.areas import PROBES
from airflow_provider_b24.conformance.trial import Trial

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conformance.conftest import Site

pytestmark = pytest.mark.slow

SEND = "vote.Integration.Im.send"


@pytest.fixture(autouse=True)
def without_waiting(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare = command.prepare

    def quickly(options: Any) -> Trial:
        trial = prepare(options)
        trial.sleep = site.clock.sleep
        return trial

    monkeypatch.setattr(command, "prepare", quickly)


@pytest.fixture
def call(site: Site) -> Callable[..., int]:
    def run(*options: str, auth: str = "webhook") -> int:
        return command.main(["--conn-id", site.connect(auth), "--chat", f"chat{site.chat_id}", *options])

    return run


def posted(site: Site) -> list[str]:
    """What stands in the chat after a run."""
    return [message.text for message in site.portal.messages(site.chat_id)[55:]]


def test_a_run_is_as_held_and_leaves_only_the_notice_of_a_stopped_poll(
    site: Site, call: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("--yes") == 0

    shown = capsys.readouterr()
    assert "DIFFERS" not in shown.out
    assert len(posted(site)) == announcement.NOTICES
    assert "Airflow conformance check" in shown.err
    assert "deleted in the end" in " ".join(shown.err.split())


def test_people_are_told_how_much_they_will_see(
    site: Site, call: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    seen: dict[int, bool] = {}
    chats = site.portal.portal.chats
    post = chats.post

    def watch(chat: Any, **fields: Any) -> Any:
        message = post(chat, **fields)
        if chat.id == site.chat_id and fields["author_id"]:
            seen[message.id] = "COMPONENT_ID" in message.params
        return message

    chats.post = watch  # type: ignore[method-assign]
    call("--yes")

    polls = sum(seen.values())
    assert (polls, len(seen) - polls) == (announcement.POLLS, announcement.MESSAGES)
    assert f"{announcement.POLLS} polls and {announcement.MESSAGES} messages" in capsys.readouterr().err


def test_a_read_only_run_posts_and_changes_nothing(site: Site, call: Callable[..., int]) -> None:
    before = len(list(site.portal.portal.chats))

    assert call("--read-only") == 0

    assert posted(site) == []
    assert len(list(site.portal.portal.chats)) == before
    methods = {request.method for request in site.portal.requests}
    assert not methods & {SEND, "im.message.add", "im.chat.add", "im.message.delete"}


@pytest.mark.parametrize(("answer", "goes_on"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_a_person_at_a_terminal_is_asked(
    site: Site, call: Callable[..., int], monkeypatch: pytest.MonkeyPatch, answer: str, goes_on: bool
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdin.readline", lambda: answer, raising=False)
    monkeypatch.setattr(command, "PROBES", [each for each in PROBES if each.id == "send.result"])

    assert call() == (0 if goes_on else 2)
    assert site.portal.requests.count(SEND) == int(goes_on)


def test_nothing_is_posted_without_a_yes_where_nobody_can_be_asked(
    site: Site, call: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert call() == 2

    assert site.portal.requests.count(SEND) == 0
    assert "Use --yes, or --read-only" in capsys.readouterr().err


@pytest.mark.parametrize("auth", ["webhook", "oauth"])
@pytest.mark.usefixtures("airflow_database")
def test_the_report_holds_no_secret_name_or_text_of_the_portal(
    site: Site, call: Callable[..., int], capsys: pytest.CaptureFixture[str], auth: str
) -> None:
    call("--json", "--yes", *(["--line", str(site.line_id)] if auth == "oauth" else []), auth=auth)

    shown = capsys.readouterr()
    body = json.loads(shown.out)
    assert len(body["rows"]) == len(PROBES)
    application = site.portal.application
    names = {part for user in site.portal.portal.people for part in (user.name, user.last_name) if part}
    canaries = {
        site.portal.webhook_code,
        site.portal.url,
        site.portal.url.partition("//")[2],
        application.access_token,
        application.refresh_token,
        application.client_id,
        application.client_secret,
        "Zebra",
        "quarterly",
        "Message 1",
        "b24_site",
        "Support",
        *names - {"Airflow", "Service"},
    }
    everything = shown.out + shown.err
    assert [canary for canary in canaries if canary in everything] == []


def test_texts_of_a_hostile_portal_are_not_reported(
    site: Site, call: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    secret = f"{site.portal.url}/rest/1/{site.portal.webhook_code}/"
    body = {"error": secret, "error_description": secret, "result": None}
    for method in ("vote.*", "im.dialog.*", "batch", "imconnector.*", "department.get"):
        site.portal.faults.add(
            "reply", method=method, times=None, body=json.dumps(body), status=400, executed=False
        )

    assert call("--yes") == 1
    shown = capsys.readouterr()
    assert site.portal.webhook_code not in shown.out + shown.err
    assert "(not a name)" in shown.out


def test_differences_are_explained_and_end_with_1(
    site: Site, call: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    site.portal.quirks.anonymous_number = 1

    assert call("--yes") == 1
    assert "anonymity.two: The check before the first anonymous poll finds" in capsys.readouterr().out


def test_with_the_extra_of_a_portal_as_documented_its_own_row_is_as_held(
    site: Site, call: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    site.portal.quirks.anonymous_number = 1
    site.extra = {"anonymous_value": "1"}

    call("--yes", "--json")

    rows = {row["id"]: row["verdict"] for row in json.loads(capsys.readouterr().out)["rows"]}
    assert (rows["anonymity.connection"], rows["anonymity.two"]) == ("as held", "differs")


def test_a_portal_that_requires_https_ends_with_2(
    site: Site, call: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    site.portal.quirks.https_required = True

    assert call("--yes") == 2
    assert "Bitrix24HttpsRequiredError" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--conn-id", "no_such_connection", "--chat", "1"], "no Airflow connection"),
        (["--conn-id", "b24_site", "--chat", "999999"], "Bitrix24ChatAccessError"),
        (["--conn-id", "b24_site", "--chat", "the team"], "chat_id"),
    ],
)
def test_what_cannot_be_run_ends_with_2_and_says_why(
    site: Site, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    site.connect()

    assert command.main([*options, "--yes"]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_shows_what_it_has_and_cleans_up(
    site: Site,
    call: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    number: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attach = Trial.attach

    def interrupted(trial: Trial, message_id: int) -> Any:
        if site.portal.requests.count(SEND) > 2:
            monkeypatch.setattr(Trial, "attach", attach)
            signal.raise_signal(number)
        return attach(trial, message_id)

    monkeypatch.setattr(Trial, "attach", interrupted)

    assert call("--yes") == 2

    shown = capsys.readouterr()
    assert "ok" in shown.out
    assert "Interrupted" in shown.err
    assert site.portal.polls() == []
    assert posted(site) == []
