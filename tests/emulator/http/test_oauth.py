"""The authorisation server, which refreshes tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import requests

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator

    from ..conftest import Clock


def refresh(portal: Emulator, *, verb: str = "GET", **changes: object) -> requests.Response:
    application = portal.application
    params = {
        "grant_type": "refresh_token",
        "client_id": application.client_id,
        "client_secret": application.client_secret,
        "refresh_token": application.refresh_token,
    }
    params = {name: value for name, value in (params | changes).items() if value is not None}
    url = f"{application.oauth_server}/oauth/token/"
    return requests.get(url, params=params) if verb == "GET" else requests.post(url, data=params)


def profile(portal: Emulator, token: str) -> requests.Response:
    return requests.get(f"{portal.url}/rest/profile", params={"auth": token})


def test_a_refresh_gives_a_new_pair(portal: Emulator, clock: Clock) -> None:
    old = portal.application.refresh_token
    for verb in ("GET", "POST"):
        body = refresh(portal, verb=verb).json()
        assert body["refresh_token"] != old
        assert (body["expires_in"], body["expires"]) == (3600, clock.now + 3600)
        assert body["client_endpoint"] == f"{portal.url}/rest/"
        assert body["domain"] == "oauth.bitrix.info"
        assert profile(portal, body["access_token"]).ok


def test_a_refresh_token_works_once(portal: Emulator) -> None:
    old = portal.application.refresh_token
    assert refresh(portal).ok
    reply = refresh(portal, refresh_token=old)
    assert (reply.status_code, reply.json()) == (400, {"error": "invalid_grant"})


def test_a_used_refresh_token_works_again_within_the_refresh_grace(portal: Emulator, clock: Clock) -> None:
    portal.quirks.refresh_grace = 30
    old = portal.application.refresh_token
    assert refresh(portal).ok
    clock.pass_by(29)
    assert refresh(portal, refresh_token=old).ok
    clock.pass_by(2)
    assert refresh(portal, refresh_token=old).json()["error"] == "invalid_grant"


def test_each_refusal_has_the_status_and_code_of_the_real_server(portal: Emulator) -> None:
    assert refresh(portal, refresh_token="unknown").json() == {"error": "invalid_grant"}
    assert refresh(portal, client_secret="wrong").status_code == 400
    assert refresh(portal, client_secret="wrong").json() == {"error": "invalid_client"}
    missing = refresh(portal, refresh_token=None)
    assert missing.json()["error_description"] == 'No "refresh_token" parameter found'
    wrong = refresh(portal, client_id="nonsense")
    assert (wrong.status_code, wrong.json()) == (200, {"error": "wrong_client"})


def test_a_refused_refresh_does_not_use_up_the_refresh_token(portal: Emulator) -> None:
    refresh(portal, client_secret="wrong")
    assert refresh(portal).ok


def test_an_access_token_expires_after_its_lifetime(portal: Emulator, clock: Clock) -> None:
    token = portal.application.access_token
    clock.pass_by(3599)
    assert profile(portal, token).ok
    clock.pass_by(1)
    reply = profile(portal, token)
    assert (reply.status_code, reply.json()["error"]) == (401, "expired_token")


def test_expire_access_token_and_the_lifetime_setting_expire_a_token(portal: Emulator, clock: Clock) -> None:
    portal.expire_access_token()
    assert profile(portal, portal.application.access_token).json()["error"] == "expired_token"
    portal.application.lifetime = 10
    token = refresh(portal).json()["access_token"]
    clock.pass_by(11)
    assert profile(portal, token).json()["error"] == "expired_token"


def test_a_refresh_token_expires_after_its_lifetime(portal: Emulator, clock: Clock) -> None:
    clock.pass_by(180 * 86400 - 1)
    assert refresh(portal).ok
    clock.pass_by(180 * 86400)
    assert refresh(portal).json() == {"error": "invalid_grant"}


def redeem(portal: Emulator, code: str | None, **changes: object) -> requests.Response:
    return refresh(portal, grant_type="authorization_code", refresh_token=None, code=code, **changes)


def test_a_code_gives_a_pair_of_the_user_who_has_allowed_the_application(portal: Emulator) -> None:
    other = portal.add_user("Zoe Ray")

    body = redeem(portal, portal.portal.credentials.issue_code(other)).json()

    assert profile(portal, body["access_token"]).json()["result"]["ID"] == str(other)
    assert body["user_id"] == other
    renewed = refresh(portal, refresh_token=body["refresh_token"]).json()
    assert renewed["user_id"] == other


def test_a_code_works_once_and_for_thirty_seconds(portal: Emulator, clock: Clock) -> None:
    credentials = portal.portal.credentials
    code, late = credentials.issue_code(1), credentials.issue_code(1)
    clock.pass_by(29)
    assert redeem(portal, code).ok
    assert redeem(portal, code).json() == {"error": "invalid_grant"}
    clock.pass_by(1)
    assert (redeem(portal, late).status_code, redeem(portal, late).json()) == (
        400,
        {"error": "invalid_grant"},
    )


def test_a_wrong_client_does_not_use_up_a_code(portal: Emulator) -> None:
    code = portal.portal.credentials.issue_code(1)
    assert redeem(portal, code, client_secret="wrong").json() == {"error": "invalid_client"}
    assert redeem(portal, code, client_id="nonsense").json() == {"error": "wrong_client"}
    assert redeem(portal, None).json()["error"] == "invalid_request"
    assert redeem(portal, code).ok


def test_the_log_counts_refreshes_and_keeps_no_secret(portal: Emulator) -> None:
    refresh(portal)
    (request,) = portal.requests
    assert (request.method, request.status) == ("oauth.token", 200)
    assert request.params == {"grant_type": "refresh_token", "client_id": portal.application.client_id}
