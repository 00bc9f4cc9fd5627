"""The redirect, taken on loopback."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest
import requests

from airflow_provider_b24.exceptions import Bitrix24LoginError
from airflow_provider_b24.login.authorization import check_redirect
from airflow_provider_b24.login.listener import Listener

if TYPE_CHECKING:
    from airflow_provider_b24.login.authorization import Redirect

CODE = "avmocpghblyi01m3h42bljvqtyd19sw1"


def check(redirect: Redirect) -> None:
    check_redirect(redirect, state="mine", portal="https://acme.bitrix24.com")


def get(listener: Listener, path: str) -> requests.Response:
    return requests.get(listener.address + path, timeout=5)


def test_the_awaited_redirect_ends_the_wait_and_the_browser_is_told(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with Listener(0, check=check, report=pytest.fail) as listener:
        reply = get(listener, f"done?code={CODE}&state=mine")

        assert listener.wait(5).code.reveal() == CODE
        assert (reply.status_code, "go back to the terminal" in reply.text) == (200, True)
    assert CODE not in "".join(capfd.readouterr())


def test_a_wrong_state_is_reported_and_the_wait_goes_on() -> None:
    reports: list[str] = []
    with Listener(0, check=check, report=reports.append) as listener:
        assert get(listener, f"?code={CODE}&state=other").status_code == 400
        assert get(listener, "?error=x").status_code == 400
        assert get(listener, "favicon.ico").status_code == 404
        with pytest.raises(Bitrix24LoginError, match="has not redirected to"):
            listener.wait(0.05)
        get(listener, f"?code={CODE}&state=mine")
        assert listener.wait(5).code.reveal() == CODE
    assert ["state of the redirect" in text for text in reports] == [True, False]


def test_an_idle_connection_of_the_browser_does_not_block_the_redirect() -> None:
    with Listener(0, check=check, report=pytest.fail) as listener:
        port = int(listener.address.split(":")[2].rstrip("/"))
        with socket.create_connection(("127.0.0.1", port)):
            threading.Timer(0.05, get, (listener, f"?code={CODE}&state=mine")).start()
            assert listener.wait(8).code.reveal() == CODE


def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Bitrix24LoginError, match=f"Port {port} of 127.0.0.1 can't be opened"):
            Listener(port, check=check, report=pytest.fail)


def test_only_loopback_is_listened_on() -> None:
    with Listener(0, check=check, report=pytest.fail) as listener:
        assert listener._server.server_address[0] == "127.0.0.1"
