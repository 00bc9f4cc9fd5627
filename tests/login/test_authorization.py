"""What a redirect says, and which redirects are refused."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_b24.exceptions import Bitrix24LoginError
from airflow_provider_b24.login.authorization import (
    authorization_url,
    check_portal,
    check_redirect,
    new_state,
    read_redirect,
)

CODE = "avmocpghblyi01m3h42bljvqtyd19sw1"
PORTAL = "https://acme.bitrix24.com"
codes = st.text("0123456789abcdefXYZ", min_size=16, max_size=80)


@given(code=codes, state=st.text(max_size=40), domain=st.sampled_from(["acme.bitrix24.com", ""]))
def test_what_bitrix24_adds_to_an_address_is_read_back(code: str, state: str, domain: str) -> None:
    query = urlencode({"code": code, "state": state, "domain": domain, "scope": "im,vote"})

    for text in (
        f"https://app.example/path?{query}",
        f"https://app.example/?a=b&{query}#top",
        query,
        f" ?{query}\n",
    ):
        found = read_redirect(text)
        assert (found.code.reveal(), found.state, found.domain) == (code, state, domain)


@given(codes)
def test_a_code_alone_is_a_redirect_without_a_state(code: str) -> None:
    found = read_redirect(f"  {code}\n")
    assert (found.code.reveal(), found.state) == (code, None)


@given(st.text(max_size=200))
def test_any_other_text_is_refused_and_not_repeated(text: str) -> None:
    try:
        read_redirect(text)
    except Bitrix24LoginError as error:
        assert "no code" in str(error)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://acme.bitrix24.com/",
        "https://app.example/?code=",
        "hello there",
        "http://[",
        "?code=a%00b",
    ],
)
def test_a_text_without_a_code_is_refused(text: str) -> None:
    with pytest.raises(Bitrix24LoginError, match="no code"):
        read_redirect(text)


def test_the_address_to_open_carries_client_and_state() -> None:
    parts = urlsplit(authorization_url(portal=PORTAL, client_id="local.1.a&b", state="s&t"))

    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{PORTAL}/oauth/authorize/"
    assert parse_qs(parts.query) == {"client_id": ["local.1.a&b"], "state": ["s&t"]}


def test_each_login_has_a_state_of_its_own() -> None:
    states = {new_state() for _ in range(50)}
    assert len(states) == 50
    assert min(map(len, states)) >= 32


def redirect_with(**given: str) -> str:
    return "https://app.example/?" + urlencode({"code": CODE, "state": "mine", **given})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state": "another"}, "state of the redirect"),
        ({"state": ""}, "state of the redirect"),
        ({"state": "миной"}, "state of the redirect"),
        ({"domain": "other.bitrix24.com"}, "allowed on other.bitrix24.com, and not on acme.bitrix24.com"),
    ],
)
def test_a_redirect_of_another_login_or_portal_is_refused(changes: dict[str, str], words: str) -> None:
    with pytest.raises(Bitrix24LoginError, match=words):
        check_redirect(read_redirect(redirect_with(**changes)), state="mine", portal=PORTAL)


@pytest.mark.parametrize("domain", ["acme.bitrix24.com", "ACME.bitrix24.com", "acme.bitrix24.com:443", ""])
def test_the_awaited_redirect_is_accepted(domain: str) -> None:
    check_redirect(read_redirect(redirect_with(domain=domain)), state="mine", portal=PORTAL)
    check_redirect(read_redirect(CODE), state="mine", portal=PORTAL)


def test_tokens_of_another_portal_are_refused() -> None:
    check_portal("https://acme.bitrix24.com/rest/", portal=PORTAL)
    with pytest.raises(Bitrix24LoginError, match="--portal other"):
        check_portal("https://other.bitrix24.com/rest/", portal=PORTAL)
