"""What a connection's fields mean, and which of them is to blame when they mean nothing."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import Connection
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_b24.exceptions import Bitrix24ConfigurationError
from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_b24.hooks.connection import ConnectionSettings, is_loopback, read_connection
from airflow_provider_b24.rest.rate_limit import PLANS
from airflow_provider_b24.rest.redaction import REGISTRY

PORTAL = "https://acme.bitrix24.com"
CODE = "c0dec0dec0dec0de"
URL = f"{PORTAL}/rest/1/{CODE}/"
CLIENT = "local.5c8bb1b0891cf2.87252039"
TOKENS = {"refresh_token": "refresh-me", "access_token": "access-me"}


def read(**fields: Any) -> ConnectionSettings:
    given = {"host": None, "login": None, "password": None, "extra": {}, "port": None} | fields
    return read_connection(conn_id="bitrix24_test", **given)


def webhook(**fields: Any) -> ConnectionSettings:
    return read(**{"host": "acme.bitrix24.com", "login": "1", "password": CODE} | fields)


def application(**fields: Any) -> ConnectionSettings:
    return read(
        **{"host": "acme.bitrix24.com", "login": CLIENT, "password": "s3cret", "extra": TOKENS} | fields
    )


WEBHOOKS: dict[str, tuple[dict[str, Any], str]] = {
    "three fields": ({"host": "acme.bitrix24.com", "login": "1", "password": CODE}, PORTAL),
    "host with scheme": ({"host": PORTAL, "login": "1", "password": CODE}, PORTAL),
    "host with a slash at the end": ({"host": PORTAL + "/", "login": "1", "password": CODE}, PORTAL),
    "host in upper case": ({"host": "HTTPS://ACME.Bitrix24.COM", "login": "1", "password": CODE}, PORTAL),
    "host with the usual port": ({"host": PORTAL + ":443", "login": "1", "password": CODE}, PORTAL),
    "host with a port": (
        {"host": "crm.acme.com:8443", "login": "1", "password": CODE},
        "https://crm.acme.com:8443",
    ),
    "port in its own field": (
        {"host": "crm.acme.com", "login": "1", "password": CODE, "port": 8443},
        "https://crm.acme.com:8443",
    ),
    "port in both fields": (
        {"host": "crm.acme.com:8443", "login": "1", "password": CODE, "port": 1},
        "https://crm.acme.com:8443",
    ),
    "spaces around": ({"host": " acme.bitrix24.com ", "login": " 1 ", "password": f" {CODE}\n"}, PORTAL),
    "whole URL": ({"password": URL}, PORTAL),
    "whole URL without a slash at the end": ({"password": URL.rstrip("/")}, PORTAL),
    "whole URL with a method": ({"password": URL + "profile.json"}, PORTAL),
    "whole URL with a dotted method": ({"password": URL + "vote.AttachedVote.get"}, PORTAL),
    "whole URL in upper case": ({"password": f"HTTPS://ACME.bitrix24.com/rest/1/{CODE}/"}, PORTAL),
    "whole URL with the usual port": ({"password": f"{PORTAL}:443/rest/1/{CODE}/"}, PORTAL),
    "whole URL and its own host": ({"host": "acme.bitrix24.com", "password": URL}, PORTAL),
    "whole URL and its own user": ({"login": "1", "password": URL}, PORTAL),
    "whole URL and all its parts": ({"host": PORTAL + ":443", "login": "1", "password": URL}, PORTAL),
    "plain http to localhost": (
        {"host": "http://localhost:8080", "login": "1", "password": CODE},
        "http://localhost:8080",
    ),
    "plain http to 127.0.0.1": (
        {"password": f"http://127.0.0.1:8080/rest/1/{CODE}/"},
        "http://127.0.0.1:8080",
    ),
    "IPv6 in brackets": ({"host": "http://[::1]:8080", "login": "1", "password": CODE}, "http://[::1]:8080"),
    "IPv6 as Airflow reads it from a URI": (
        {"host": "http://::1", "login": "1", "password": CODE, "port": 8080},
        "http://[::1]:8080",
    ),
    "IPv6 alone": ({"host": "2001:DB8::1", "login": "1", "password": CODE}, "https://[2001:db8::1]"),
    "the form's empty extras": (
        {"host": PORTAL, "login": "1", "password": CODE, "extra": {"access_token": "", "plan": None}},
        PORTAL,
    ),
}


@pytest.mark.parametrize(("fields", "portal"), WEBHOOKS.values(), ids=WEBHOOKS)
def test_read_connection_accepts_a_webhook(fields: dict[str, Any], portal: str) -> None:
    settings = read(**fields)

    assert (settings.portal, settings.user, settings.secret.reveal()) == (portal, "1", CODE)
    assert not settings.is_application


APPLICATIONS: dict[str, dict[str, Any]] = {
    "both tokens": {},
    "a refresh token alone": {"extra": {"refresh_token": "refresh-me"}},
    "an access token alone": {"extra": {"access_token": "access-me"}},
    "a client_id of another form": {"login": "app-of-ours"},
    "a client_id in upper case": {"login": CLIENT.upper()},
    "no token, which only a login brings": {"extra": {}},
}


@pytest.mark.parametrize("fields", APPLICATIONS.values(), ids=APPLICATIONS)
def test_read_connection_recognises_an_application(fields: dict[str, Any]) -> None:
    settings = application(**fields)

    assert settings.is_application
    assert settings.secret.reveal() == "s3cret"
    given = {"refresh_token": settings.refresh_token.reveal(), "access_token": settings.access_token.reveal()}
    assert {name: value for name, value in given.items() if value} == fields.get("extra", TOKENS)


def test_a_whole_url_is_a_webhook_even_if_tokens_were_left_in_the_extra() -> None:
    assert not read(password=URL, extra=TOKENS).is_application


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "nothing": ({}, "host", "is empty; fill in the portal"),
    "no host": ({"host": ""}, "host", "is empty; fill in the portal"),
    "no login": ({"login": ""}, "login", "is empty; fill in the user id"),
    "no password": ({"password": None}, "password", "is empty; fill in the webhook code"),
    "only spaces": ({"password": "  "}, "password", "is empty"),
    "webhook URL in the host": ({"host": URL, "login": "", "password": ""}, "host", "put the whole URL into"),
    "webhook URL in the host, without scheme": (
        {"host": f"acme.bitrix24.com/rest/1/{CODE}/"},
        "host",
        "put the whole URL into",
    ),
    "path in the host": ({"host": f"{PORTAL}/stream/"}, "host", "without a path"),
    "query in the host": ({"host": f"{PORTAL}?a=b"}, "host", "without a path"),
    "fragment in the host": ({"host": f"{PORTAL}#a"}, "host", "without a path"),
    "name in the host": ({"host": "https://me@acme.bitrix24.com"}, "host", "no usable"),
    "password in the host": ({"host": f"https://:{CODE}@acme.bitrix24.com"}, "host", "no usable"),
    "backslash in the host": ({"host": "acme.bitrix24.com\\evil"}, "host", "no usable"),
    "space in the host": ({"host": "acme bitrix24.com"}, "host", "no usable"),
    "other scheme": ({"host": "ftp://acme.bitrix24.com"}, "host", "no usable"),
    "scheme alone": ({"host": "https://"}, "host", "no usable"),
    "port 0": ({"host": "acme.bitrix24.com:0"}, "host", "no usable"),
    "port too large": ({"host": "acme.bitrix24.com:99999"}, "host", "no usable"),
    "broken IPv6": ({"host": "https://[::1"}, "host", "no usable"),
    "plain http": ({"host": "http://acme.bitrix24.com"}, "host", "must be https"),
    "plain http to a neighbour": ({"host": "http://10.0.0.7"}, "host", "must be https"),
    "plain http to a name that looks local": ({"host": "http://localhost.evil.com"}, "host", "must be https"),
    "plain http in the URL": ({"password": f"http://acme.bitrix24.com/rest/1/{CODE}/"}, "password", "https"),
    "URL of something else": ({"host": "", "password": PORTAL + "/stream/"}, "password", "no webhook's"),
    "URL of REST 3": ({"host": "", "password": f"{PORTAL}/rest/api/1/{CODE}/"}, "password", "without api/"),
    "URL of a method of REST 3": (
        {"host": "", "password": f"{PORTAL}/rest/api/1/{CODE}/user.get"},
        "password",
        "/rest/<user id>/<code>/",
    ),
    "URL whose user is no number": (
        {"host": "", "password": f"{PORTAL}/rest/admin/{CODE}/"},
        "password",
        "no webhook's",
    ),
    "URL without a code": ({"password": PORTAL + "/rest/1/"}, "password", "no webhook's"),
    "URL with more": ({"password": URL + "profile/again"}, "password", "no webhook's"),
    "URL of another scheme": (
        {"password": f"ftp://acme.bitrix24.com/rest/1/{CODE}/"},
        "password",
        "no usable",
    ),
    "URL without scheme": (
        {"host": "", "login": "", "password": f"acme.bitrix24.com/rest/1/{CODE}/"},
        "password",
        "the whole URL with https://",
    ),
    "host is another than the URL's": (
        {"host": "other.bitrix24.com", "password": URL},
        "host",
        "another portal",
    ),
    "port is another than the URL's": (
        {"host": "acme.bitrix24.com", "port": 8443, "password": URL},
        "host",
        "another portal",
    ),
    "user is another than the URL's": ({"login": "2", "password": URL}, "login", "another user"),
    "user and code in the login": ({"login": f"1/{CODE}"}, "login", "user id alone"),
    "user and code in the password": ({"password": f"1/{CODE}"}, "password", "code alone"),
    "space in the code": ({"password": "c0de c0de"}, "password", "code alone"),
    "query in the code": ({"password": CODE + "?a=b"}, "password", "code alone"),
    "application without client_id": ({"login": "", "extra": TOKENS}, "login", "fill in the client_id"),
    "application without client_secret": ({"password": "", "extra": TOKENS}, "password", "client_secret"),
    "application without portal": ({"host": "", "extra": TOKENS}, "host", "is empty"),
    "OAuth server over plain http": (
        {"extra": {**TOKENS, "oauth_server": "http://oauth.bitrix.info"}},
        "extra.oauth_server",
        "must be https",
    ),
    "OAuth server that is none": (
        {"extra": {**TOKENS, "oauth_server": "oauth bitrix"}},
        "extra.oauth_server",
        "no usable",
    ),
    "unknown plan": ({"extra": {"plan": "gold"}}, "extra.plan", "standard, enterprise, self_hosted"),
    "timeout in words": ({"extra": {"timeout": "long"}}, "extra.timeout", "number of seconds"),
    "timeout of 0": ({"extra": {"timeout": 0}}, "extra.timeout", "above 0"),
    "timeout below 0": ({"extra": {"timeout": "-5"}}, "extra.timeout", "above 0"),
    "timeout without end": ({"extra": {"timeout": "inf"}}, "extra.timeout", "number of seconds"),
    "timeout that is no number": ({"extra": {"timeout": "nan"}}, "extra.timeout", "number of seconds"),
    "timeout as a flag": ({"extra": {"timeout": True}}, "extra.timeout", "number of seconds"),
    "verify names no file": ({"extra": {"verify": "/no/such/ca.pem"}}, "extra.verify", "CA bundle"),
    "verify in other words": ({"extra": {"verify": "off"}}, "extra.verify", "CA bundle"),
    "proxies as text": ({"extra": {"proxies": "http://proxy:3128"}}, "extra.proxies", "must be an object"),
    "proxies as a list": ({"extra": {"proxies": ["http://proxy"]}}, "extra.proxies", "must be an object"),
    "extra that is a list": ({"extra": ["plan"]}, "extra", "must be a JSON object"),
}


@pytest.mark.parametrize(("fields", "field", "rule"), REFUSED.values(), ids=REFUSED)
def test_read_connection_refuses_and_names_the_field(fields: dict[str, Any], field: str, rule: str) -> None:
    with pytest.raises(Bitrix24ConfigurationError) as refusal:
        webhook(**fields) if fields else read()

    assert refusal.value.field == field
    assert rule in str(refusal.value)
    assert f"The connection's {field} " in str(refusal.value)
    assert "'bitrix24_test'" in str(refusal.value)
    assert CODE not in str(refusal.value) + repr(refusal.value)


@pytest.mark.parametrize("plan", PLANS)
def test_the_plan_is_taken_from_the_extra(plan: str) -> None:
    assert webhook(extra={"plan": plan}).plan == PLANS[plan]


@pytest.mark.parametrize("extra", [{}, {"plan": ""}, {"plan": None}])
def test_the_plan_is_standard_by_default(extra: dict[str, Any]) -> None:
    assert webhook(extra=extra).plan == PLANS["standard"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, (10.0, 70.0)),
        ("", (10.0, 70.0)),
        (30, (10.0, 30.0)),
        ("2.5", (2.5, 2.5)),
        (" 120 ", (10.0, 120.0)),
    ],
)
def test_the_timeout_may_be_a_number_or_the_forms_text(given: Any, expected: tuple[float, float]) -> None:
    assert webhook(extra={"timeout": given}).transport.timeout == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        *[(value, True) for value in (None, "", True, "true", "True", "1", 1, "yes", " true ")],
        *[(value, False) for value in (False, "false", "FALSE", "0", 0, "no")],
        (__file__, __file__),
    ],
)
def test_verify_may_be_a_flag_the_forms_text_or_a_file(given: Any, expected: bool | str) -> None:
    assert webhook(extra={"verify": given}).transport.verify == expected


@pytest.mark.parametrize("given", [{"https": "http://proxy:3128"}, '{"https": "http://proxy:3128"}'])
def test_proxies_may_be_an_object_or_the_forms_text(given: Any) -> None:
    assert webhook(extra={"proxies": given}).transport.proxies == {"https": "http://proxy:3128"}


@pytest.mark.parametrize("given", [None, "", {}])
def test_proxies_are_none_by_default(given: Any) -> None:
    assert webhook(extra={"proxies": given}).transport.proxies is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", ""),
        ("oauth.bitrix24.tech", "https://oauth.bitrix24.tech"),
        ("https://oauth.bitrix.info/", "https://oauth.bitrix.info"),
        ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
    ],
)
def test_the_oauth_server_may_be_a_host_or_an_address(given: str, expected: str) -> None:
    assert application(extra={**TOKENS, "oauth_server": given}).oauth_server == expected


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "::1"])
def test_is_loopback_accepts_loopback_hosts(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["acme.bitrix24.com", "0.0.0.0", "10.0.0.1", "127.0.0.1.evil.com", "::"])
def test_is_loopback_refuses_other_hosts(host: str) -> None:
    assert not is_loopback(host)


def from_airflow(connection: Connection) -> ConnectionSettings:
    return read_connection(
        conn_id="bitrix24_test",
        host=connection.host,
        login=connection.login,
        password=connection.password,
        extra=connection.extra_dejson,
        port=connection.port,
    )


@pytest.mark.parametrize(
    ("uri", "field"),
    [
        (f"https://acme.bitrix24.com/rest/1/{CODE}/", "schema"),
        (f"https://acme.bitrix24.com/rest/1/{CODE}/user.get.json", "schema"),
        (f"https://acme.bitrix24.com/rest/api/1/{CODE}/", "schema"),
        (f"bitrix24://acme.bitrix24.com/rest/1/{CODE}/", "schema"),
        (f"bitrix24://https%3A%2F%2Facme.bitrix24.com%2Frest%2F1%2F{CODE}%2F", "host"),
        (f"bitrix24://https%3A%2F%2Facme.bitrix24.com%2Frest%2F1%2F{CODE}%2F@", "login"),
    ],
)
def test_a_webhook_url_in_a_field_that_airflow_shows_is_refused_with_the_form_to_paste(
    monkeypatch: pytest.MonkeyPatch, uri: str, field: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_PASTED", uri)
    with pytest.raises(Bitrix24ConfigurationError, match="AIRFLOW_CONN_PASTED=") as refusal:
        Bitrix24Hook("pasted").call("profile")

    assert refusal.value.field == field
    assert CODE not in str(refusal.value) + repr(refusal.value)
    assert REGISTRY.redact(f"code {CODE}") == "code ***"


URIS = {
    f"bitrix24://1:{CODE}@acme.bitrix24.com/?plan=enterprise": PORTAL,
    f"bitrix24://https://1:{CODE}@acme.bitrix24.com/?plan=enterprise": PORTAL,
    f"bitrix24://:https%3A%2F%2Facme.bitrix24.com%2Frest%2F1%2F{CODE}%2F@/?plan=enterprise": PORTAL,
    f"bitrix24://http://1:{CODE}@127.0.0.1:8080/?plan=enterprise": "http://127.0.0.1:8080",
    f"bitrix24://http://1:{CODE}@[::1]:8080/?plan=enterprise": "http://[::1]:8080",
    f"bitrix24://1:{CODE}@crm.acme.com:8443/?plan=enterprise": "https://crm.acme.com:8443",
}


@pytest.mark.parametrize(("uri", "portal"), URIS.items())
def test_a_connection_may_be_a_uri(uri: str, portal: str) -> None:
    settings = from_airflow(Connection(conn_id="bitrix24_test", uri=uri))

    assert (settings.portal, settings.user, settings.secret.reveal()) == (portal, "1", CODE)
    assert settings.plan == PLANS["enterprise"]


def test_a_connection_may_be_json_with_all_its_extras() -> None:
    extra = {
        **TOKENS,
        "oauth_server": "oauth.bitrix24.tech",
        "plan": "self_hosted",
        "timeout": 5,
        "verify": False,
    }
    fields = {"conn_type": "bitrix24", "host": "acme.bitrix24.ru", "login": CLIENT, "password": "s3cret"}
    settings = from_airflow(Connection.from_json(json.dumps({**fields, "extra": extra}), "bitrix24_test"))

    assert settings.portal == "https://acme.bitrix24.ru"
    assert settings.oauth_server == "https://oauth.bitrix24.tech"
    assert settings.plan is None
    assert settings.transport.timeout == (5.0, 5.0)
    assert settings.transport.verify is False


@pytest.mark.parametrize("fields", WEBHOOKS.values(), ids=WEBHOOKS)
def test_airflows_generated_uri_gives_the_same_settings(fields: tuple[dict[str, Any], str]) -> None:
    given = {name: value for name, value in fields[0].items() if name != "extra"}
    stripped = {name: value.strip() if isinstance(value, str) else value for name, value in given.items()}
    uri = Connection(conn_id="bitrix24_test", conn_type="bitrix24", **stripped).get_uri()

    assert from_airflow(Connection(conn_id="bitrix24_test", uri=uri)).portal == fields[1]


secrets = st.text(st.characters(codec="ascii", categories=["Lu", "Ll", "Nd"]), min_size=8, max_size=40).map(
    "zq".__add__
)
#: A field that is right, or wrong in one of many ways; some of them hold the secret.
fields = st.fixed_dictionaries(
    {
        "host": st.sampled_from(
            ["", PORTAL, "acme.bitrix24.com", "{url}", "https://{code}@x.y", "http://x.y/{code}"]
        ),
        "login": st.sampled_from(["", "1", "2", CLIENT, "1/{code}", "{code}/1"]),
        "password": st.sampled_from(
            ["", "{code}", "{url}", "{url}/a/b", "x/{code}", "{code} x", "ftp://{code}"]
        ),
        "extra": st.sampled_from(
            [
                {},
                {"refresh_token": "{code}"},
                {"access_token": "{code}", "plan": "gold"},
                {"refresh_token": "{code}", "oauth_server": "http://{code}"},
                {"proxies": "http://{code}@proxy"},
                {"proxies": {"https": "http://{code}@proxy"}},
                {"timeout": "{code}", "refresh_token": "x"},
            ]
        ),
    }
)


@given(code=secrets, fields=fields)
@settings(max_examples=300, deadline=None)
def test_errors_and_settings_show_no_secret(code: str, fields: dict[str, Any]) -> None:
    given = json.loads(
        json.dumps(fields).replace("{url}", f"{PORTAL}/rest/1/{code}/").replace("{code}", code)
    )
    given["login"] = given["login"].replace(code, "1") if "/" not in given["login"] else given["login"]
    try:
        result = read(**given)
        shown = repr(result) + str(result) + repr(asdict(result)["secret"])
    except Bitrix24ConfigurationError as error:
        shown = str(error) + repr(error) + repr(error.to_dict())

    assert code not in shown
