"""The first step of OAuth: the portal's page, its redirect, and what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator

HERE = "http://127.0.0.1:8025/done"


def query(portal: Emulator, **changes: str) -> dict[str, str]:
    return {"client_id": portal.application.client_id, "state": "a state & more", **changes}


def authorize(portal: Emulator, **changes: str) -> requests.Response:
    address = f"{portal.url}/oauth/authorize/"
    return requests.get(address, params=query(portal, **changes), allow_redirects=False, timeout=5)


def allow(portal: Emulator, headers: dict[str, str] | None = None, **changes: Any) -> requests.Response:
    asked = {"user": 1, **query(portal), **changes}
    return requests.post(f"{portal.url}/page/allow", json=asked, headers=headers, timeout=5)


def redirect_of(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def test_allowing_leads_to_the_applications_address_with_a_code(portal: Emulator) -> None:
    portal.set_application(redirect_uri=HERE)

    location = allow(portal, user=2).json()["location"]

    given = redirect_of(location)
    assert location.startswith(f"{HERE}?")
    assert portal.portal.credentials.use_code(given.pop("code")) == 2
    assert given == {
        "state": "a state & more",
        "domain": portal.url.removeprefix("http://"),
        "member_id": "a223c6b3710f85df22e9377d6c4f7553",
        "scope": ",".join(sorted(portal.application.scopes)),
        "server_domain": "oauth.bitrix.info",
    }


def test_an_address_with_a_query_keeps_it(portal: Emulator) -> None:
    portal.set_application(redirect_uri=f"{HERE}?from=b24")
    assert redirect_of(allow(portal).json()["location"])["from"] == "b24"


def test_an_application_without_an_address_gets_the_code_on_the_page(portal: Emulator) -> None:
    assert portal.portal.credentials.use_code(allow(portal).json()["code"]) == 1


def test_at_once_redirects_without_a_click(portal: Emulator) -> None:
    portal.set_application(redirect_uri=HERE)
    assert authorize(portal).status_code == 200
    portal.set_application(authorize_at_once=True)

    reply = authorize(portal)

    assert reply.status_code == 302
    assert portal.portal.credentials.use_code(redirect_of(reply.headers["Location"])["code"]) == 1


@pytest.mark.parametrize("at_once", [True, False])
def test_an_application_that_is_not_installed_is_refused_without_a_redirect(
    portal: Emulator, at_once: bool
) -> None:
    portal.set_application(redirect_uri=HERE, installed=False, authorize_at_once=at_once)
    reply = authorize(portal)
    assert (reply.status_code, "Location" in reply.headers) == (200, False)
    assert allow(portal).json() == {"problem": "The application is not installed on this portal."}
    assert allow(portal, client_id="local.1.2").status_code == 400


def test_a_page_of_another_site_allows_nothing(portal: Emulator) -> None:
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        assert allow(portal, headers=headers).status_code == 403
    assert allow(portal, user="nobody").status_code == 400
    assert allow(portal, user=99).json() == {"problem": "You are not a user of this portal."}
