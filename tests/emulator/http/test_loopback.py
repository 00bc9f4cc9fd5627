"""Who may speak to the emulator: programs of this machine, and its own page in a browser."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING, Any

import pytest
import requests

from airflow_provider_b24.emulator.http.loopback import is_loopback, is_loopback_authority

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator

PATHS = ["/", "/page/state", "/page/page.js", "/emulator/state", "/emulator/requests"]
FOREIGN_HOSTS = [
    "evil.example",
    "evil.example:{port}",
    "127.0.0.1.evil.example:{port}",
    "localhost.evil.example",
    "192.168.1.5:{port}",
    "0.0.0.0:{port}",
    "[::]:{port}",
    "[::ffff:192.168.1.5]:{port}",
    "user@127.0.0.1:{port}",
    "127.0.0.1:{port}:80",
    "::1",
    "",
]
OWN_HOSTS = [
    "localhost",
    "LOCALHOST:{port}",
    "localhost:{port}",
    "127.0.0.1:{port}",
    "127.9.9.9:{port}",
    "[::1]:{port}",
]
FOREIGN_ORIGINS = [
    "null",
    "http://evil.example",
    "https://127.0.0.1:{port}",
    "http://127.0.0.1:1",
    "http://localhost:{port}",
    "http://127.0.0.1:{port}.evil.example",
]


def port_of(portal: Emulator) -> int:
    return int(portal.url.rsplit(":", 1)[1])


def get(portal: Emulator, path: str, method: str = "GET", **headers: str) -> int:
    shown = {name: value.format(port=port_of(portal)) for name, value in headers.items()}
    return requests.request(method, portal.url + path, headers=shown, timeout=5).status_code


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_a_host_that_is_not_loopback_is_refused_everywhere(portal: Emulator, host: str) -> None:
    for path in [*PATHS, "/rest/profile", "/oauth/token/"]:
        assert get(portal, path, Host=host) == 421
    assert get(portal, "/emulator/chats", "POST", Host=host) == 421
    webhook = portal.webhook_url.removeprefix(portal.url)
    assert get(portal, f"{webhook}profile", "POST", Host=host) == 421
    assert portal.requests.count("profile") == 0


@pytest.mark.parametrize("host", OWN_HOSTS)
def test_a_loopback_host_is_served(portal: Emulator, host: str) -> None:
    for path in [*PATHS, f"{portal.webhook_url.removeprefix(portal.url)}profile"]:
        assert get(portal, path, Host=host) == 200


def test_a_request_without_a_host_is_refused(portal: Emulator) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port_of(portal), timeout=5)
    connection.putrequest("GET", "/emulator/state", skip_host=True)
    connection.endheaders()
    assert connection.getresponse().status in {400, 421}
    connection.close()


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
def test_a_foreign_origin_is_refused_on_page_and_control_routes(portal: Emulator, origin: str) -> None:
    for path in PATHS:
        assert get(portal, path, Origin=origin) == 403
    for method, path in [
        ("POST", "/emulator/chats"),
        ("DELETE", "/emulator/requests"),
        ("POST", "/page/vote"),
    ]:
        assert get(portal, path, method, Origin=origin) == 403


def test_its_own_origin_is_served(portal: Emulator) -> None:
    for path in PATHS:
        assert get(portal, path, Origin=portal.url) == 200
        assert get(portal, path, Host="localhost:{port}", Origin="http://localhost:{port}") == 200


@pytest.mark.parametrize("origin", [None, "https://shop.example"])
def test_the_rest_api_is_served_to_any_origin(portal: Emulator, origin: str | None) -> None:
    headers: dict[str, Any] = {} if origin is None else {"Origin": origin}
    assert requests.post(f"{portal.webhook_url}profile", headers=headers, timeout=5).status_code == 200


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("a.localhost", False),
        ("", False),
    ],
)
def test_loopback_addresses_are_recognised(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    "authority", ["127.0.0.1:", "127.0.0.1:x", "[::1", "127.0.0.1/", "127.0.0.1:123456", "[localhost]"]
)
def test_a_malformed_authority_is_not_loopback(authority: str) -> None:
    assert not is_loopback_authority(authority)
