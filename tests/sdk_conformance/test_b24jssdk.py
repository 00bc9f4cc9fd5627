"""The official JavaScript SDK, as it is, works with the emulated portal and sees what it expects."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator

SOURCES = Path(__file__).parent / "b24jssdk"
DEAL = 288

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or shutil.which("npm") is None, reason="node and npm are not installed"
)


@pytest.fixture(scope="module")
def sdk(request: pytest.FixtureRequest) -> Path:
    """The folder with the SDK, kept between runs as long as the pinned version stays."""
    wanted = (SOURCES / "package.json").read_text()
    folder: Path = request.config.cache.mkdir("b24jssdk")  # type: ignore[union-attr]
    shutil.copy(SOURCES / "run.mjs", folder)
    installed = folder / "installed.json"
    if not installed.exists() or installed.read_text() != wanted:
        (folder / "package.json").write_text(wanted)
        command = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=180)
        assert done.returncode == 0, done.stderr
        installed.write_text(wanted)
    return folder


@pytest.fixture(scope="module")
def ran() -> dict[str, Any]:
    """What the one run of the SDK saw; the tests of this module share it."""
    return {}


@pytest.fixture
def seen(sdk: Path, portal: Emulator, ran: dict[str, Any]) -> dict[str, Any]:
    """What the SDK saw, call by call."""
    if not ran:
        ran.update(_run(sdk, portal))
    return ran


def _run(sdk: Path, portal: Emulator) -> dict[str, Any]:
    lines, application = portal.portal.lines, portal.application
    chat = lines.add_crm_chat("deal", DEAL)
    answer = lines.reply(chat, "We look into it.", user_id=2)
    described = {
        "url": portal.url,
        "webhook": portal.webhook_url,
        "chat": portal.add_chat("Releases", members=[1, 2]),
        "line": next(iter(lines)).id,
        "answer": {"chat": chat, "message": answer.id},
        "client_id": application.client_id,
        "client_secret": application.client_secret,
        "expired": _expired_pair(portal),
        "access_token": application.access_token,
        "refresh_token": application.refresh_token,
    }
    done = subprocess.run(
        ["node", "run.mjs"], cwd=sdk, input=json.dumps(described), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


def _expired_pair(portal: Emulator) -> dict[str, str]:
    """End the application's pair, and give it a new one."""
    application = portal.application
    pair = {"access_token": application.access_token, "refresh_token": application.refresh_token}
    portal.expire_access_token()
    portal.portal.credentials.issue()
    return pair


def result(seen: dict[str, Any], name: str) -> Any:
    assert seen[name]["ok"], seen[name]
    return seen[name]["result"]


def refusal(seen: dict[str, Any], name: str) -> tuple[str, int]:
    assert not seen[name]["ok"], seen[name]
    return seen[name]["code"], seen[name]["status"]


def test_a_poll_is_sent_read_and_voted_in(seen: dict[str, Any]) -> None:
    sent, attach = result(seen, "send"), result(seen, "get")["attach"]
    assert (attach["entityId"], attach["VOTE_ID"]) == (sent["messageId"], sent["voteId"])
    assert (attach["COUNTER"], attach["canVote"], attach["isFinished"]) == (0, True, False)
    voted = result(seen, "vote")["attach"]
    assert (voted["COUNTER"], voted["isVoted"]) == (1, True)


def test_many_polls_are_read_at_once(seen: dict[str, Any]) -> None:
    items = result(seen, "getMany")["items"]
    assert [item["entityId"] for item in items] == [result(seen, "send")["messageId"]]
    assert result(seen, "getManyUnknown") == []


def test_voters_are_listed(seen: dict[str, Any]) -> None:
    [voters] = result(seen, "getWithVoted")["voted"].values()
    assert [user["ID"] for user in voters] == [1]
    assert [user["ID"] for user in result(seen, "getAnswerVoted")["items"]] == [1]
    assert (seen["getAnswerVoted"]["total"], seen["getAnswerVoted"]["more"]) == (1, False)


def test_a_vote_is_lost_to_a_bad_ballot_and_can_be_taken_back(seen: dict[str, Any]) -> None:
    assert result(seen, "badBallot") == []
    assert result(seen, "recall")["attach"]["COUNTER"] == 0


def test_a_poll_is_stopped_and_resumed(seen: dict[str, Any]) -> None:
    assert result(seen, "stop") == result(seen, "resume") == []
    assert result(seen, "stopped")["attach"]["isFinished"] is True


def test_refusals_carry_the_portals_codes(seen: dict[str, Any]) -> None:
    assert refusal(seen, "unknown") == ("ATTACH_NOT_FOUND", 400)
    assert refusal(seen, "noMethod") == ("ERROR_METHOD_NOT_FOUND", 404)
    assert refusal(seen, "webhookRefused") == ("WRONG_AUTH_TYPE", 403)
    assert refusal(seen, "notActive") == ("NOT_ACTIVE_LINE", 400)
    assert refusal(seen, "registerNoIcon") == ("ICON_REQUIRED", 200)
    assert refusal(seen, "crmMissing") == ("ERROR_ARGUMENT", 400)


def test_a_batch_keeps_results_and_errors_apart(seen: dict[str, Any]) -> None:
    assert result(seen["batch"], "good")["attach"]["entityId"] == result(seen, "send")["messageId"]
    assert refusal(seen["batch"], "bad")[0] == "ATTACH_NOT_FOUND"
    assert isinstance(result(seen["batchList"], "1"), int)


def test_a_chat_is_opened_written_to_and_found(seen: dict[str, Any]) -> None:
    chat = result(seen, "chatAdd")
    read = result(seen, "messages")
    assert (read["chat_id"], read["messages"][0]["text"]) == (chat, "Loaded")
    assert [found["id"] for found in result(seen, "search")] == [chat]
    assert f"chat{chat}" in [item["id"] for item in result(seen, "recent")["items"]]
    assert result(seen, "messageDelete") is True


def test_a_connector_is_set_up_and_removed(seen: dict[str, Any]) -> None:
    assert result(seen, "register") == {"result": True}
    assert result(seen, "activate") is result(seen, "dataSet") is True
    assert result(seen, "status")["STATUS"] is True
    assert result(seen, "list")["js_conn"] == "JS"
    assert result(seen, "unregister") == {"result": True}


def test_a_connector_that_is_broken_is_switched_on_by_n_and_off_twice(seen: dict[str, Any]) -> None:
    assert result(seen, "setError") == {"SUCCESS": True, "DATA": []}
    assert (result(seen, "broken")["ERROR"], result(seen, "broken")["STATUS"]) == (True, False)
    assert result(seen, "activateN") is True
    assert (result(seen, "activeByN")["ERROR"], result(seen, "activeByN")["STATUS"]) == (False, True)
    assert result(seen, "deactivate") is result(seen, "deactivateAgain") is True


def test_receipts_are_taken(seen: dict[str, Any]) -> None:
    quiet = {"SUCCESS": True, "DATA": []}
    assert result(seen, "delivered") == result(seen, "read") == quiet


def test_an_application_keeps_settings(seen: dict[str, Any]) -> None:
    assert result(seen, "optionSet") is True
    assert (result(seen, "optionGet"), result(seen, "optionNone")) == ("digest", None)
    assert refusal(seen, "optionWebhook") == ("AccessException", 400)


def test_lines_are_listed_in_pages(seen: dict[str, Any]) -> None:
    assert result(seen, "configPage") == [{"ID": "12"}]
    assert refusal(seen, "configWrong") == ("INVALID_FORMAT", 400)
    assert (result(seen, "config")["LINE_NAME"], "QUEUE" in result(seen, "config")) == ("Support", False)


def test_a_session_has_a_history(seen: dict[str, Any]) -> None:
    texts = [row["text"] for row in result(seen, "history")["message"].values()]
    assert "We look into it." in texts
    assert isinstance(result(seen, "lastChat"), int)
    assert refusal(seen, "noHistory") == ("MISSING_REQUIRED_PARAM", 400)


def test_each_message_of_a_call_has_its_own_status(seen: dict[str, Any]) -> None:
    good, bad = result(seen, "sendMessages")["DATA"]["RESULT"]
    assert (good["SUCCESS"], good["message"]["date"]) == (True, {})
    assert set(good["session"]) == {"ID", "CHAT_ID"}
    assert bad == {"SUCCESS": False, "ERRORS": ["Not all required data was provided"]}
    assert "session" not in result(seen, "updateMessages")["DATA"]["RESULT"][0]
    assert result(seen, "deleteMessages")["SUCCESS"] is True
    assert result(seen, "chatName")["SUCCESS"] is True


def test_connector_messages_go_in_batches_too(seen: dict[str, Any]) -> None:
    assert result(seen["lineBatch"], "send")["DATA"]["RESULT"][0]["SUCCESS"] is True
    assert refusal(seen["lineBatch"], "bad")[0] == "APPLICATION_REGISTRATION_ERROR_POINT"


def test_a_message_reaches_the_chat_of_a_deal(seen: dict[str, Any]) -> None:
    assert isinstance(result(seen, "crmMessage"), int)
    [chat] = result(seen, "crmChats")
    assert result(seen, "dialog")["id"] == int(chat["CHAT_ID"])
    assert result(seen, "configs")[0]["LINE_NAME"] == "Support"


def test_an_expired_token_is_refreshed_once(seen: dict[str, Any]) -> None:
    assert result(seen, "refreshed")["ID"] == "1"
    assert seen["renewed"]["client"].endswith("/rest/")
    assert seen["renewed"]["status"] == "L"
    # The SDK wraps what its own refresh raises, so the portal's code is lost on the way.
    assert refusal(seen, "usedTwice")[0] == "JSSDK_UNKNOWN_ERROR"
    assert "400" in seen["usedTwice"]["message"]


def test_an_offline_event_is_reserved_and_cleared(seen: dict[str, Any]) -> None:
    assert refusal(seen, "eventsRefused") == ("WRONG_AUTH_TYPE", 403)
    assert "ONIMCONNECTORMESSAGEADD" in result(seen, "events")
    assert result(seen, "bind") is result(seen, "clear") is result(seen, "eventError") is True
    assert result(seen, "bound") == [{"event": "ONCRMDEALUPDATE", "connector_id": "", "offline": 1}]
    (event,) = result(seen, "reserve")["events"]
    (listed,) = result(seen, "queue")
    assert listed == {**event, "PROCESS_ID": result(seen, "reserve")["process_id"], "ERROR": "0"}
    assert (seen["queue"]["total"], result(seen, "emptied")) == (1, [])
    assert result(seen, "unbind") == {"count": 1}
