"""The fate of each message, read from whatever the portal replies."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_b24.open_lines.report import Delivery, DeliveryReport, DeliveryStatus, read_deliveries

MESSAGES = [{"message": {"id": "a"}}, {"message": {"id": 7}}]
TAKEN = {"SUCCESS": True, "session": {"ID": "323", "CHAT_ID": "1767"}}
ACCEPTED = {"status": "accepted", "errors": [], "chat_id": 1767, "session_id": 323}


def fates(rows: Any, *, needs_session: bool = True) -> list[dict[str, Any]]:
    result = {"SUCCESS": True, "DATA": {"RESULT": rows}}
    return [item.to_dict() for item in read_deliveries(MESSAGES, result, needs_session=needs_session)]


@pytest.mark.parametrize("rows", [[TAKEN, TAKEN], {"0": TAKEN, "1": TAKEN}])
def test_an_accepted_message_has_its_chat_and_session(rows: Any) -> None:
    assert fates(rows) == [{"message_id": "a", **ACCEPTED}, {"message_id": "7", **ACCEPTED}]


def test_a_gap_in_the_result_list_does_not_shift_the_statuses() -> None:
    first, second = fates({"1": TAKEN})
    assert (first["status"], second["status"]) == ("unknown", "accepted")


@pytest.mark.parametrize(
    ("errors", "words"),
    [
        (["No user"], ["No user"]),
        ({"3": "No user", "4": "No chat"}, ["No user", "No chat"]),
        ("No user", ["No user"]),
        ([], ["the portal gave no reason"]),
        (None, ["the portal gave no reason"]),
    ],
)
def test_a_rejected_message_has_the_portals_errors(errors: Any, words: list[str]) -> None:
    rejected = {"SUCCESS": False, "ERRORS": errors}
    fate = fates([rejected, TAKEN])[0]
    assert fate == {
        "message_id": "a",
        "status": "rejected",
        "errors": words,
        "chat_id": None,
        "session_id": None,
    }


@pytest.mark.parametrize("session", [None, [], {}, {"ID": "0", "CHAT_ID": "0"}, {"ID": "323"}])
def test_success_without_a_session_is_rejected(session: Any) -> None:
    row = {"SUCCESS": True, "session": session}
    fate = fates([row, TAKEN])[0]
    assert (fate["status"], fate["errors"]) == ("rejected", ["the open line did not take the message"])
    assert fates([row, TAKEN], needs_session=False)[0]["status"] == "accepted"


@pytest.mark.parametrize("success", [None, "maybe", 5, [], {}, "removed"])
def test_a_row_that_says_neither_yes_nor_no_is_unknown(success: Any) -> None:
    row = {**TAKEN, "SUCCESS": success}
    if success == "removed":
        del row["SUCCESS"]
    assert fates([row, TAKEN])[0]["status"] == "unknown"


@pytest.mark.parametrize(("success", "status"), [("N", "rejected"), (0, "rejected"), ("Y", "accepted")])
def test_success_is_a_flag_as_php_writes_it(success: Any, status: str) -> None:
    assert fates([{**TAKEN, "SUCCESS": success}, TAKEN])[0]["status"] == status


@pytest.mark.parametrize("session", ["x", 5, ["x"], {"CHAT_ID": "x"}, {"CHAT_ID": [1]}])
def test_success_with_a_malformed_session_is_unknown(session: Any) -> None:
    assert fates([{**TAKEN, "session": session}, TAKEN])[0]["status"] == "unknown"


@pytest.mark.parametrize("result", [None, [], True, "ok", {}, {"DATA": []}, {"DATA": {"RESULT": True}}])
def test_a_malformed_reply_leaves_all_messages_unknown(result: Any) -> None:
    found = read_deliveries(MESSAGES, result, needs_session=True)
    assert [(item.message_id, item.status) for item in found] == [("a", "unknown"), ("7", "unknown")]


def test_to_dict_has_counts_and_is_json() -> None:
    report = DeliveryReport(
        [
            Delivery("a", DeliveryStatus.ACCEPTED, (), 1767, 323),
            Delivery("b", DeliveryStatus.REJECTED, ("No user",)),
            Delivery("c", DeliveryStatus.UNKNOWN, ("lost",)),
            Delivery("d", DeliveryStatus.UNKNOWN, ("lost",)),
        ]
    )
    found = report.to_dict()
    assert json.loads(json.dumps(found)) == found
    assert {name: found[name] for name in ("accepted", "rejected", "unknown")} == {
        "accepted": 1,
        "rejected": 1,
        "unknown": 2,
    }
    assert [item["message_id"] for item in found["items"]] == ["a", "b", "c", "d"]
    assert str(report) == "1 accepted, 1 rejected, 2 unknown"


@pytest.mark.parametrize(("size", "warned"), [(20_000, False), (20_001, True)])
def test_a_text_that_the_portal_cuts_is_accepted_with_a_warning(size: int, warned: bool) -> None:
    message = {"message": {"id": "m1", "text": "ж" * size}}
    row = {"SUCCESS": True, "session": {"ID": 5, "CHAT_ID": 7}}
    (found,) = read_deliveries([message], {"DATA": {"RESULT": [row]}}, needs_session=True)
    assert found.status is DeliveryStatus.ACCEPTED
    expected = ("message.text: has 20,001 characters; Bitrix24 cuts it after 20,000",)
    assert found.errors == (expected if warned else ())
