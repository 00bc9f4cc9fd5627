"""batch: many commands in one request, with all the traps of the original."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

import pytest

from ...conftest import IM_ENTITY

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator

    from ...conftest import Caller


def batch(caller: Caller, cmd: object, **more: object) -> dict:
    return caller.result("batch", {"cmd": cmd, **more})


def test_each_command_has_a_result_or_an_error_of_its_own(caller: Caller) -> None:
    body = batch(caller, {"me": "user.current", "bad": "no.such", "chat": "im.chat.user.list?CHAT_ID=1489"})
    assert body["result"]["me"]["ID"] == "1"
    assert body["result"]["chat"] == [1, 2, 3, 4, 5, 6]
    assert body["result_error"] == {
        "bad": {"error": "ERROR_METHOD_NOT_FOUND", "error_description": "Method not found!"}
    }
    assert sorted(body["result_time"]) == ["chat", "me"]


def test_empty_containers_are_lists(caller: Caller) -> None:
    assert batch(caller, {}) == {
        "result": [],
        "result_error": [],
        "result_total": [],
        "result_next": [],
        "result_time": [],
    }
    assert batch(caller, {"a": "profile"})["result_error"] == []


def test_keys_that_count_from_zero_give_lists_and_keys_with_gaps_give_maps(caller: Caller) -> None:
    assert isinstance(batch(caller, ["server.time", "server.time"])["result"], list)
    gap = batch(caller, ["server.time", "no.such", "server.time"])
    assert sorted(gap["result"]) == ["0", "2"]
    assert sorted(gap["result_error"]) == ["1"]
    assert isinstance(batch(caller, {"0": "server.time", "1": "server.time"})["result"], list)


def test_a_command_that_is_not_text_is_skipped(caller: Caller) -> None:
    body = batch(caller, {"a": ["user.current", {}], "b": {"method": "user.current"}, "c": "profile", "d": 5})
    assert sorted(body["result"]) == ["c"]
    assert body["result_error"] == []


def test_fifty_run_and_each_one_more_has_an_error(caller: Caller, portal: Emulator) -> None:
    body = batch(caller, {f"k{number}": "server.time" for number in range(52)})
    assert len(body["result"]) == 50
    assert {key: error["error"] for key, error in body["result_error"].items()} == {
        "k50": "ERROR_BATCH_LENGTH_EXCEEDED",
        "k51": "ERROR_BATCH_LENGTH_EXCEEDED",
    }
    assert portal.requests.count_commands("server.time") == 50


@pytest.mark.parametrize(
    ("halt", "runs"),
    [(0, 2), ("0", 2), (False, 2), ("", 2), (None, 2), (1, 0), ("1", 0), (True, 0), ("false", 0), ("N", 0)],
)
def test_halt_is_read_as_a_php_boolean(caller: Caller, halt: Any, runs: int) -> None:
    body = batch(caller, {"bad": "no.such", "a": "server.time", "b": "server.time"}, halt=halt)
    assert len(body["result"]) == runs


def test_batch_download_and_upload_are_refused_inside_a_batch(caller: Caller) -> None:
    body = batch(caller, {"a": "batch?cmd[x]=user.current", "b": "download", "c": "upload"})
    assert {error["error"] for error in body["result_error"].values()} == {"ERROR_BATCH_METHOD_NOT_ALLOWED"}
    assert len(body["result_error"]) == 3


def test_a_command_can_refer_to_results_of_earlier_commands(caller: Caller, portal: Emulator) -> None:
    body = batch(
        caller,
        {
            "chat": "im.chat.add?TITLE=New",
            "text": "im.message.add?DIALOG_ID=chat$result[chat]&MESSAGE=made $result[chat]",
            "who": "user.current",
            "name": "im.message.add?DIALOG_ID=chat$result[chat]&MESSAGE=$result[who][NAME]",
        },
    )
    texts = [message.text for message in portal.messages(body["result"]["chat"])]
    assert texts == [f"made {body['result']['chat']}", "Airflow"]


def test_a_reference_keeps_its_type_and_stops_where_the_path_ends(caller: Caller) -> None:
    body = batch(
        caller,
        {
            "chat": "im.chat.add?TITLE=New",
            "users": "im.chat.user.list?CHAT_ID=$result[chat][no][such]",
            "all": "user.get",
            "second": "im.message.add?DIALOG_ID=$result[all][1][ID]&MESSAGE=hi",
            "count": "im.message.add?DIALOG_ID=chat1489&MESSAGE=$total[all]",
        },
    )
    assert body["result_error"] == []
    assert body["result"]["users"] == [1]


@pytest.mark.parametrize(
    ("given", "arrives"),
    [
        ("$result[me][NAME]", "Airflow"),
        ("$results[me][NAME]", "Airflow"),
        ("$RESULT[me][NAME]", "Airflow"),
        ("$Result-[me]and[NAME]!", "Airflow"),
        ("a$result[me][NAME]b c", "aAirflow c"),
        ("$result[me][NAME]\u00a0b\u2003c", "Airflow"),
        ("$result[me][NAME]\tb", "Airflow\tb"),
        ("$result[me][NAME][no][such]", "Airflow"),
        ("$result[me][NAME] $result[me][ID]", "Airflow 1"),
        ("$error_description[bad][error]: x", "ERROR_METHOD_NOT_FOUND x"),
        ("see $result[me]", "see $result[me]"),
        ("$result", "$result"),
        ("$result []", "$result []"),
        ("$result[]", "$result[]"),
        ("$result [me]", "$result [me]"),
        ("$nothing[me]", "$nothing[me]"),
    ],
)
def test_a_run_after_a_name_is_replaced_when_it_holds_a_key_anywhere(
    caller: Caller, portal: Emulator, given: str, arrives: str
) -> None:
    post = f"im.message.add?DIALOG_ID=chat1489&MESSAGE={quote_plus(given)}"
    batch(caller, {"me": "profile", "bad": "no.such", "post": post})
    assert portal.messages(1489)[-1].text == arrives


def test_a_field_of_an_earlier_error_is_a_name_too(caller: Caller, portal: Emulator) -> None:
    post = "im.message.add?DIALOG_ID=chat1489&MESSAGE=$argument[bad]"
    batch(caller, {"bad": "imopenlines.crm.message.add", "post": post})
    assert portal.messages(1489)[-1].text == "CRM_ENTITY_TYPE"


def test_references_work_inside_nested_values(caller: Caller) -> None:
    poll = caller.send()["messageId"]
    many = f"vote.AttachedVote.getMany?moduleId=im&entityType={IM_ENTITY}&entityIds[]="
    single = f"vote.AttachedVote.get?moduleId=im&entityType={IM_ENTITY}&entityId={poll}"
    body = batch(caller, {"one": single, "many": many + "$result[one][attach][entityId]"})
    assert body["result"]["many"]["items"][0]["entityId"] == poll


def test_a_command_that_fails_with_an_empty_array_is_among_the_results(caller: Caller) -> None:
    many = f"vote.AttachedVote.getMany?moduleId=im&entityType={IM_ENTITY}&entityIds[]=7"
    body = batch(caller, {"a": many})
    assert (body["result"], body["result_error"]) == ({"a": []}, [])


def test_total_and_next_of_a_command_are_in_containers_of_their_own(caller: Caller, portal: Emulator) -> None:
    for number in range(60):
        portal.add_user(f"Person {number}")
    body = batch(caller, {"users": "user.get", "rest": "user.get?start=50"})
    assert body["result_total"] == {"users": 66, "rest": 66}
    assert body["result_next"] == {"users": 50}


def test_a_missing_scope_has_no_description_inside_a_batch(caller: Caller, portal: Emulator) -> None:
    portal.portal.credentials.webhook.scopes.discard("im")
    body = batch(caller, {"a": "im.chat.add"})
    assert body["result_error"]["a"] == {"error": "insufficient_scope", "error_description": ""}


def test_an_application_only_method_is_refused_inside_a_batch_too(caller: Caller) -> None:
    body = batch(caller, {"a": "imconnector.list"})
    assert body["result_error"]["a"]["error"] == "WRONG_AUTH_TYPE"


def test_a_batch_may_come_as_a_form(caller: Caller, portal: Emulator) -> None:
    form = {"halt": "0", "cmd[a]": "im.message.add?DIALOG_ID=chat1489&MESSAGE=a%26b", "cmd[b]": "profile"}
    body = caller.http.post(portal.webhook_url + "batch", data=form).json()
    assert sorted(body["result"]["result"]) == ["a", "b"]
    assert portal.messages(1489)[-1].text == "a&b"


def test_a_batch_counts_once_for_the_limit_and_each_command_is_in_the_log(
    caller: Caller, portal: Emulator
) -> None:
    portal.limits.bucket.set_plan("standard")
    for _ in range(10):
        batch(caller, {f"k{number}": "server.time" for number in range(50)})
    assert portal.requests.count() == portal.requests.count("batch") == 10
    assert portal.requests.count_commands("server.time") == 500
