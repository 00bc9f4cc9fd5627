"""Faults fire on their schedule, each with its effect on a request."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from airflow_provider_b24.emulator import Emulator

if TYPE_CHECKING:
    from ..conftest import Caller

ADD = "im.message.add"
HELLO = {"DIALOG_ID": "chat1489", "MESSAGE": "hello"}


def posted(portal: Emulator) -> int:
    return len(portal.messages(1489))


def raw(portal: Emulator, method: str) -> bytes:
    """Return every byte that the portal sends before it closes or falls silent."""
    with socket.create_connection(("127.0.0.1", int(portal.url.rsplit(":", 1)[1])), timeout=2) as line:
        path = f"/rest/1/{portal.webhook_code}/{method}?DIALOG_ID=chat1489&MESSAGE=x"
        line.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return line.recv(65536)


@pytest.mark.parametrize(("kind", "executed"), [("drop_before", 0), ("drop_after", 1)])
def test_a_dropped_connection_closes_without_a_byte(portal: Emulator, kind: str, executed: Any) -> None:
    portal.faults.add(kind, method=ADD)
    assert raw(portal, ADD) == b""
    assert posted(portal) == executed
    assert raw(portal, ADD).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_client_sees_a_drop_as_a_connection_error(caller: Caller, portal: Emulator) -> None:
    portal.faults.add("drop_after", method=ADD)
    with pytest.raises(requests.ConnectionError):
        caller.post(ADD, HELLO)
    assert posted(portal) == 1
    assert caller.post(ADD, HELLO).ok


@pytest.mark.parametrize("executed", [False, True])
@pytest.mark.parametrize(("kind", "status"), [("status_502", 502), ("status_504", 504), ("html", 200)])
def test_the_front_server_answers_with_a_page_before_or_after_the_portal_acted(
    caller: Caller, portal: Emulator, kind: str, status: int, *, executed: bool
) -> None:
    portal.faults.add(kind, method=ADD, executed=executed)
    reply = caller.post(ADD, HELLO)
    assert (reply.status_code, reply.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert posted(portal) == int(executed)


def test_limit_and_token_faults_answer_with_the_errors_of_the_real_portal(
    caller: Caller, portal: Emulator
) -> None:
    for kind in ("status_503_limit", "operating_limit", "expired_token"):
        portal.faults.add(kind, method=ADD)
    assert [caller.error(ADD, HELLO) for _ in range(3)] == [
        (503, "QUERY_LIMIT_EXCEEDED"),
        (429, "OPERATION_TIME_LIMIT"),
        (401, "expired_token"),
    ]
    assert posted(portal) == 0


def test_body_faults_give_an_empty_a_truncated_and_an_oversize_body(caller: Caller, portal: Emulator) -> None:
    portal.faults.add("empty", method=ADD)
    portal.faults.add("truncated", method=ADD)
    portal.faults.add("oversize", method=ADD, bytes=200_000)
    assert caller.post(ADD, HELLO).content == b""
    with pytest.raises(requests.JSONDecodeError):
        caller.post(ADD, HELLO).json()
    huge = caller.post(ADD, HELLO)
    assert len(huge.content) > 200_000 - 2
    assert huge.json()["result"] == portal.messages(1489)[-1].id
    assert posted(portal) == 3


def test_a_given_reply_stands_in_place_of_the_portals(caller: Caller, portal: Emulator) -> None:
    portal.faults.add("reply", method=ADD, body='{"result": []}')
    portal.faults.add("reply", method=ADD, body="{", status=400, executed=False)
    assert caller.post(ADD, HELLO).json() == {"result": []}
    assert posted(portal) == 1
    refused = caller.post(ADD, HELLO)
    assert (refused.status_code, refused.text, posted(portal)) == (400, "{", 1)


def test_a_redirect_points_to_another_host_and_runs_nothing(caller: Caller, portal: Emulator) -> None:
    portal.faults.add("redirect", method=ADD, location="http://127.0.0.9:1")
    reply = caller.http.post(portal.webhook_url + ADD, json=HELLO, allow_redirects=False)
    assert reply.status_code == 302
    assert reply.headers["location"].startswith("http://127.0.0.9:1/rest/1/")
    assert posted(portal) == 0


@pytest.mark.parametrize("executed", [False, True])
def test_a_slow_call_takes_at_least_the_given_seconds(
    caller: Caller, portal: Emulator, executed: Any
) -> None:
    portal.faults.add("slow", method=ADD, seconds=0.05, executed=executed)
    began = time.monotonic()
    assert caller.post(ADD, HELLO).ok
    assert time.monotonic() - began >= 0.05


def test_other_calls_are_served_while_one_call_is_slow(caller: Caller, portal: Emulator) -> None:
    portal.faults.add("slow", method=ADD, seconds=30)
    with pytest.raises(requests.ReadTimeout):
        caller.http.post(portal.webhook_url + ADD, json=HELLO, timeout=0.05)
    assert caller.post("profile").ok


def test_a_fault_skips_the_first_requests_and_then_fires_the_given_times(
    caller: Caller, portal: Emulator
) -> None:
    portal.faults.add("status_502", method="im.*", after=2, times=2)
    statuses = [caller.post(ADD, HELLO).status_code for _ in range(6)]
    assert statuses == [200, 200, 502, 502, 200, 200]
    assert [hit.kind for hit in portal.faults.log] == ["status_502"] * 2
    assert [request.fault for request in portal.requests if request.fault] == ["status_502"] * 2


def test_a_fault_fires_only_for_methods_that_match_its_pattern(caller: Caller, portal: Emulator) -> None:
    portal.faults.add("status_502", method="IM.MESSAGE.*")
    assert caller.post("profile").ok
    assert caller.post(ADD, HELLO).status_code == 502


def test_a_fault_with_a_probability_fires_the_same_for_the_same_seed(caller: Caller, portal: Emulator) -> Any:
    def statuses() -> list[int]:
        portal.faults.clear()
        portal.faults.add("status_502", times=None, probability=0.5, seed=7)
        return [caller.post("profile").status_code for _ in range(20)]

    first = statuses()
    assert set(first) == {200, 502}
    assert statuses() == first


def test_a_cleared_fault_fires_no_more(caller: Caller, portal: Emulator) -> None:
    portal.faults.add("status_502", times=None)
    portal.faults.clear()
    assert caller.post("profile").ok


def test_a_fault_of_an_unknown_kind_or_with_wrong_details_is_refused(portal: Emulator) -> None:
    with pytest.raises(ValueError, match="no such fault: 'explode'"):
        portal.faults.add("explode")
    with pytest.raises(ValueError, match="slow takes no minutes"):
        portal.faults.add("slow", minutes=1)
    with pytest.raises(ValueError, match="redirect needs location"):
        portal.faults.add("redirect")


def test_a_fault_fires_for_a_token_request_too(portal: Emulator) -> None:
    portal.faults.add("status_502", method="oauth.token")
    assert requests.get(f"{portal.url}/oauth/token/").status_code == 502


def test_stopping_the_emulator_does_not_wait_for_a_slow_call() -> None:
    began = time.monotonic()
    with Emulator() as emulator:
        emulator.faults.add("slow", seconds=30)
        with pytest.raises(requests.ReadTimeout):
            requests.get(emulator.webhook_url + "profile", timeout=0.05)
    assert time.monotonic() - began < 5
