"""The hook: from a connection to a portal."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.exceptions import (
    Bitrix24ConfigurationError,
    Bitrix24ExpiredTokenError,
    Bitrix24OutcomeUnknownError,
)
from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_b24.rest.limiter import BucketLimiter, NoLimit
from airflow_provider_b24.rest.rate_limit import PLANS

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator


def connect(monkeypatch: pytest.MonkeyPatch, **fields: Any) -> Bitrix24Hook:
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_TEST", json.dumps({"conn_type": "bitrix24", **fields}))
    return Bitrix24Hook("bitrix24_test")


def test_the_default_connection_is_bitrix24_default(portal: Emulator) -> None:
    assert Bitrix24Hook().settings.portal == portal.url


def test_get_conn_returns_the_client_and_makes_it_once(hook: Bitrix24Hook) -> None:
    assert hook.get_conn() is hook.client is hook.get_conn()


def test_call_returns_the_result(hook: Bitrix24Hook) -> None:
    assert hook.call("user.get", {"ID": 1})[0]["ID"] == "1"


def test_call_batch_returns_a_result_or_an_error_for_each_key(hook: Bitrix24Hook) -> None:
    done = hook.call_batch({"me": "profile", 7: ("no.such.method", {})})

    assert set(done.results) == {"me"}
    assert set(done.errors) == {7}


def test_a_batch_declared_not_idempotent_is_not_retried(hook: Bitrix24Hook, portal: Emulator) -> None:
    portal.faults.add("drop_after", method="batch")
    done = hook.call_batch({"me": "profile"}, repeatable=False)

    assert type(done.errors["me"]) is Bitrix24OutcomeUnknownError


def test_iterate_reads_all_pages(hook: Bitrix24Hook, portal: Emulator) -> None:
    for number in range(60):
        portal.add_user(f"Person {number}")

    people = list(hook.iterate("user.get"))

    assert len({person["ID"] for person in people}) == len(people) > 60
    assert portal.requests.count("user.get") > 1


def test_a_call_declared_idempotent_is_retried_after_a_lost_reply(
    hook: Bitrix24Hook, portal: Emulator, impatient: None
) -> None:
    portal.faults.add("drop_after", method="im.message.add")
    chat_id = portal.add_chat("Team")

    hook.call("im.message.add", {"DIALOG_ID": f"chat{chat_id}", "MESSAGE": "Hi"}, repeatable=True)

    assert portal.requests.count("im.message.add") == 2


def test_polls_open_lines_and_chats_share_the_hooks_client(hook: Bitrix24Hook) -> None:
    apis = (hook.polls, hook.open_lines, hook.chats)

    assert {id(api._client) for api in apis} == {id(hook.client)}  # type: ignore[attr-defined]
    assert (hook.polls, hook.open_lines, hook.chats) == apis


def test_a_missing_connection_is_named_in_the_error() -> None:
    with pytest.raises(Bitrix24ConfigurationError, match="no Airflow connection 'nowhere'") as refusal:
        Bitrix24Hook("nowhere").call("profile")

    assert refusal.value.field == "conn_id"
    assert refusal.value.conn_id == "nowhere"


def test_an_empty_connection_says_what_to_fill_in(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Bitrix24ConfigurationError, match="host is empty; fill in the portal"):
        connect(monkeypatch).call("profile")


def test_an_extra_that_is_no_object_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Bitrix24ConfigurationError, match="extra must be a JSON object"):
        connect(monkeypatch, host="acme.bitrix24.com", login="1", password="c0dec0de", extra="[1]").call(
            "profile"
        )


@pytest.mark.parametrize("plan", ["standard", "enterprise"])
def test_the_plan_sets_the_rate_limit(portal: Emulator, monkeypatch: pytest.MonkeyPatch, plan: str) -> None:
    limiter = connect(
        monkeypatch, **(portal.connection() | {"extra": {"plan": plan}})
    ).client._caller._limiter

    assert isinstance(limiter, BucketLimiter)
    assert limiter._bucket._plan == PLANS[plan]  # type: ignore[attr-defined]


def test_the_plan_self_hosted_has_no_rate_limit(portal: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = portal.connection() | {"extra": {"plan": "self_hosted"}}

    assert isinstance(connect(monkeypatch, **fields).client._caller._limiter, NoLimit)


def test_two_spellings_of_one_portal_share_one_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = {
        connect(
            monkeypatch, host=host, login="1", password="c0dec0de"
        ).client._caller._limiter._bucket._shared._path  # type: ignore[attr-defined]
        for host in ("acme.bitrix24.com", "https://ACME.bitrix24.com/", "acme.bitrix24.com:443")
    }

    assert len(paths) == 1


def test_disabled_certificate_verification_logs_a_warning(
    portal: Emulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hook = connect(monkeypatch, **(portal.connection() | {"extra": {"verify": "false"}}))
    with caplog.at_level(logging.WARNING):
        hook.call("profile")

    assert "does not verify" in caplog.text
    assert "bitrix24_test" in caplog.text


def test_an_application_calls_with_its_access_token(portal: Emulator, application: str) -> None:
    Bitrix24Hook(application).call("profile")

    assert portal.requests[-1].auth == "oauth"
    assert portal.requests.count("oauth.token") == 0


def test_client_without_refresh_never_uses_the_refresh_token(portal: Emulator, application: str) -> None:
    portal.expire_access_token()
    client = Bitrix24Hook(application).client_without_refresh()

    assert client is not None
    with pytest.raises(Bitrix24ExpiredTokenError):
        client.call("profile")
    assert portal.requests.count("oauth.token") == 0


def test_client_without_refresh_of_a_webhook_is_the_client(hook: Bitrix24Hook) -> None:
    assert hook.client_without_refresh() is hook.client


@pytest.mark.parametrize(
    ("host", "server"),
    [
        ("acme.bitrix24.com", "https://oauth.bitrix.info"),
        ("acme.bitrix24.de", "https://oauth.bitrix.info"),
        ("acme.bitrix24.ru", "https://oauth.bitrix24.tech"),
        ("acme.bitrix24.KZ", "https://oauth.bitrix24.tech"),
        ("crm.acme.by:8443", "https://oauth.bitrix24.tech"),
    ],
)
def test_the_oauth_server_follows_from_the_portals_region(
    monkeypatch: pytest.MonkeyPatch, host: str, server: str
) -> None:
    extra = {"refresh_token": "refresh-me"}
    hook = connect(monkeypatch, host=host, login="local.1.a", password="s3cret", extra=extra)

    assert hook._credentials._refresher._server.address == server  # type: ignore[attr-defined]


def test_the_field_behaviour_for_older_airflow_matches_the_metadata() -> None:
    behaviour = Bitrix24Hook.get_ui_field_behaviour()

    assert behaviour["hidden_fields"] == ["schema", "port"]
    assert set(behaviour["relabeling"]) == {"host", "login", "password"}
    assert set(behaviour["placeholders"]) == {"host", "login", "password", "port"}
    assert set(behaviour) == {"hidden_fields", "relabeling", "placeholders"}


def test_the_hook_has_the_class_attributes_that_airflow_reads() -> None:
    assert Bitrix24Hook.conn_name_attr == "bitrix24_conn_id"
    assert Bitrix24Hook.default_conn_name == "bitrix24_default"
    assert Bitrix24Hook.conn_type == "bitrix24"
    assert Bitrix24Hook.hook_name == "Bitrix24"
