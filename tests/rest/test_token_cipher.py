"""Texts that only the holder of the client secret reads."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_b24.rest.redaction import Secret
from airflow_provider_b24.rest.token_cipher import TokenCipher


def cipher(secret: str = "client-secret-1", context: str = "my_portal") -> TokenCipher:
    return TokenCipher(client_secret=Secret(secret), context=context)


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(), st.text(st.characters(codec="utf-8")))
def test_a_text_is_read_with_the_same_secret_and_context(text: str, secret: str, context: str) -> None:
    assert cipher(secret, context).decrypt(cipher(secret, context).encrypt(text)) == text


def test_a_text_is_not_shown_and_never_encrypted_to_the_same_text() -> None:
    texts = {cipher().encrypt("access-token-1") for _ in range(5)}

    assert len(texts) == 5
    assert not [text for text in texts if "access" in text or "client-secret" in text]


@pytest.mark.parametrize(
    "other", [cipher("client-secret-2"), cipher("\ud800"), cipher(context="other_portal"), cipher("")]
)
def test_another_secret_or_context_reads_nothing(other: TokenCipher) -> None:
    assert other.decrypt(cipher().encrypt("access-token-1")) is None


@settings(deadline=None)
@given(st.text())
def test_a_text_that_was_not_encrypted_here_reads_as_nothing(text: str) -> None:
    assert cipher().decrypt(text) is None


def test_a_changed_text_reads_as_nothing() -> None:
    text = cipher().encrypt("access-token-1")
    changed = f"{text[:40]}{'A' if text[40] != 'A' else 'B'}{text[41:]}"

    assert cipher().decrypt(changed) is None
