"""How the REST API reads requests and writes replies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator

    from ..conftest import Caller, Clock


def test_a_method_answers_to_several_spellings_of_its_address(caller: Caller, portal: Emulator) -> None:
    for spelling in ("user.current", "user.current/", "user.current.json", "USER.Current"):
        reply = caller.http.get(portal.webhook_url + spelling)
        assert reply.json()["result"]["ID"] == "1", spelling
    assert reply.headers["content-type"] == "application/json; charset=utf-8"
    assert reply.headers["access-control-allow-origin"] == "*"


def test_names_of_parameters_keep_their_case_for_vote_methods_only(caller: Caller, portal: Emulator) -> None:
    assert caller.result("im.chat.user.list", {"chat_id": 1489}) == [1, 2, 3, 4, 5, 6]
    assert caller.error("vote.attachedvote.GET", {"AttachId": 1}) == (400, "100")


def test_an_unknown_method_is_404_even_without_authorisation(caller: Caller, portal: Emulator) -> None:
    assert caller.error("no.such") == (404, "ERROR_METHOD_NOT_FOUND")
    reply = requests.get(f"{portal.url}/rest/no.such")
    assert (reply.status_code, reply.json()["error"]) == (404, "ERROR_METHOD_NOT_FOUND")


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/rest/user.current", "NO_AUTH_FOUND"),
        ("/rest/user.current?auth=abc", "invalid_token"),
        ("/rest/1/wrong/user.current", "INVALID_CREDENTIALS"),
        ("/rest/2/{code}/user.current", "INVALID_CREDENTIALS"),
    ],
)
def test_bad_authorisation_is_401(portal: Emulator, path: str, error: str) -> None:
    reply = requests.get(portal.url + path.format(code=portal.webhook_code))
    assert (reply.status_code, reply.json()["error"]) == (401, error)
    assert "time" not in reply.json()


def test_a_missing_scope_is_401_and_names_the_kind_of_token(caller: Caller, portal: Emulator) -> None:
    portal.portal.credentials.webhook.scopes.discard("im")
    reply = caller.post("im.chat.add")
    assert (reply.status_code, reply.json()["error"]) == (401, "insufficient_scope")
    assert "webhook token" in reply.json()["error_description"]


def test_a_token_is_taken_from_the_header_then_auth_then_access_token(portal: Emulator) -> None:
    url, token = f"{portal.url}/rest/profile", portal.application.access_token
    bearer = {"Authorization": f"Bearer {token}"}
    assert requests.get(url, headers=bearer).ok
    assert requests.get(url, params={"auth": token, "access_token": "wrong"}).ok
    assert requests.get(url, params={"access_token": token}).ok
    assert requests.post(url, json={"auth": token}).ok
    assert requests.post(url, data={"auth": token}).ok
    assert requests.post(url, json={"auth": "wrong"}, headers=bearer).ok
    wrong = {"Authorization": "Bearer wrong"}
    assert requests.post(url, json={"auth": token}, headers=wrong).status_code == 401


def test_json_is_read_from_posts_of_that_type_only_and_beats_the_query(
    caller: Caller, portal: Emulator
) -> None:
    url = portal.webhook_url + "im.chat.user.list"
    read = caller.http.post(
        url + "?CHAT_ID=1", data='{"CHAT_ID":1489}', headers=_type("application/json; charset=utf-8")
    )
    assert read.json()["result"] == [1, 2, 3, 4, 5, 6]
    plain = caller.http.post(url, data='{"CHAT_ID":1489}', headers=_type("text/plain"))
    assert plain.json()["error"] == "CHAT_ID_EMPTY"
    on_get = caller.http.request("GET", url, data='{"CHAT_ID":1489}', headers=_type("application/json"))
    assert on_get.json()["error"] == "CHAT_ID_EMPTY"


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "5",
        '"x"',
        "null",
        '{"CHAT_ID": NaN}',
        b'{"CHAT_ID": 1489, "x": "\xed\xa0\x80"}',
        '\ufeff{"CHAT_ID": 1489}'.encode(),
        '{"CHAT_ID":"\\ud800"}',
        "[" * 5000,
    ],
)
def test_a_json_body_that_is_no_object_gives_no_parameters(
    caller: Caller, portal: Emulator, body: str
) -> None:
    url = portal.webhook_url + "im.chat.user.list"
    reply = caller.http.post(url, data=body, headers=_type("application/json"))
    assert reply.json()["error"] == "CHAT_ID_EMPTY"


def test_forms_are_read_as_php_reads_them(caller: Caller, portal: Emulator) -> None:
    url = portal.webhook_url + "im.chat.add"
    chat = caller.http.post(url, data={"TITLE": "Ops & co", "USERS[]": [2, 3]}).json()["result"]
    assert portal.chat(chat).members == [1, 2, 3]
    chat = caller.http.post(url, files={"TITLE": (None, "Привет"), "USERS[0]": (None, "4")}).json()["result"]
    assert (portal.chat(chat).title, portal.chat(chat).members) == ("Привет", [1, 4])


def test_reserved_parameters_reach_no_method(caller: Caller, portal: Emulator) -> None:
    criteria = {"auth": "x", "state": "y", "start": 0, "ID": 2}
    assert [user["ID"] for user in caller.result("user.get", criteria)] == ["2"]


def test_a_parameter_named_token_makes_the_call_a_signed_link(caller: Caller) -> None:
    assert caller.error("im.chat.add", {"token": "mine", "TITLE": "x"}) == (404, "ERROR_METHOD_NOT_FOUND")
    assert caller.error("im.chat.add", {"token": "im|query|sign"}) == (403, "ACCESS_DENIED")
    assert caller.error("im.chat.add", {"token": ""}) == (403, "ACCESS_DENIED")


def test_a_success_has_its_time_and_its_operating_seconds(caller: Caller, clock: Clock) -> None:
    time = caller.post("server.time").json()["time"]
    assert (time["start"], time["operating"]) == (clock.now, 0)
    assert time["date_start"] == "2027-01-15T08:00:00+00:00"
    assert time["operating_reset_at"] > clock.now


def test_text_is_escaped_as_php_does(caller: Caller, portal: Emulator) -> None:
    text = '"quoted" <b>&\'\\ Привет 😀 a/b \u2028'
    sent = caller.result("im.message.add", {"DIALOG_ID": "chat1489", "MESSAGE": text})
    reply = caller.post("im.dialog.messages.get", {"DIALOG_ID": "chat1489", "FIRST_ID": sent - 1})
    assert reply.json()["result"]["messages"][0]["text"] == text
    assert "\\u0022quoted\\u0022 \\u003Cb\\u003E\\u0026\\u0027\\\\ Привет 😀 a\\/b \\u2028" in reply.text


def test_the_https_required_quirk_refuses_plain_http(caller: Caller, portal: Emulator) -> None:
    portal.quirks.https_required = True
    assert caller.error("profile") == (401, "INVALID_REQUEST")


def test_every_request_is_in_the_log_without_its_secrets(caller: Caller, portal: Emulator) -> None:
    token = portal.application.access_token
    caller.http.get(f"{portal.url}/rest/user.current", params={"auth": token, "x": "1"})
    caller.post("no.such", {"y": 2})
    first, second = portal.requests
    assert (first.verb, first.method, first.auth, first.status) == ("GET", "user.current", "oauth", 200)
    assert (second.method, second.status, second.error) == ("no.such", 404, "ERROR_METHOD_NOT_FOUND")
    assert first.connection == second.connection
    assert first.params == {"x": "1"}
    shown = repr(list(portal.requests))
    assert token not in shown
    assert portal.webhook_code not in shown


def test_connections_are_kept_alive(caller: Caller, portal: Emulator) -> None:
    for _ in range(5):
        caller.result("profile")
    assert len({request.connection for request in portal.requests}) == 1


def test_the_internal_error_suffix_quirk_marks_errors_of_newer_controllers_only(
    caller: Caller, portal: Emulator
) -> None:
    portal.quirks.internal_error_suffix = True
    body = caller.post("vote.AttachedVote.get", {"attachId": 1}).json()
    assert body["error_description"] == "Attach not found (internal error)"
    assert "internal" not in caller.post("im.chat.user.list").json()["error_description"]


def _type(name: str) -> dict[str, str]:
    return {"Content-Type": name}
