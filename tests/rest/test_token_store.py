"""Where a rotating pair lives: an Airflow Variable that remembers from which connection it grew."""

from __future__ import annotations

import json

import pytest

from airflow_provider_b24.rest import token_store as tokens
from airflow_provider_b24.rest.redaction import Secret
from airflow_provider_b24.rest.token_store import TokenPair, VariableTokenStore, fingerprint

PAIR = TokenPair(Secret("access-token-1"), Secret("refresh-token-1"), "seed")


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    kept: dict[str, str] = {}
    monkeypatch.setattr(tokens, "_get_variable", kept.get)
    monkeypatch.setattr(tokens, "_set_variable", kept.__setitem__)
    return kept


def test_a_saved_pair_is_loaded_from_its_variable(variables: dict[str, str]) -> None:
    VariableTokenStore("my_portal").save(PAIR)

    assert list(variables) == ["bitrix24_oauth_token__my_portal"]
    assert VariableTokenStore("my_portal").load() == PAIR
    assert VariableTokenStore("other_portal").load() is None


def test_the_name_of_the_variable_makes_airflow_mask_it() -> None:
    masker = pytest.importorskip("airflow.sdk._shared.secrets_masker")

    assert masker.should_hide_value_for_key("bitrix24_oauth_token__my_portal")


@pytest.mark.parametrize("content", ["", "null", "no json", "[]", '"text"', "5"])
def test_load_returns_none_for_a_foreign_variable(variables: dict[str, str], content: str) -> None:
    variables["bitrix24_oauth_token__my_portal"] = content

    assert VariableTokenStore("my_portal").load() is None


def test_load_accepts_a_pair_with_missing_fields(variables: dict[str, str]) -> None:
    content = {"refresh_token": "r-token", "access_token": None}
    variables["bitrix24_oauth_token__my_portal"] = json.dumps(content)

    assert VariableTokenStore("my_portal").load() == TokenPair(None, Secret("r-token"), "")


@pytest.mark.usefixtures("airflow_database")
def test_a_script_outside_a_task_keeps_its_pair_in_the_database() -> None:
    store = VariableTokenStore("from_a_script")
    assert store.load() is None
    store.save(PAIR)
    store.save(TokenPair(Secret("access-token-2"), Secret("refresh-token-2"), "seed"))

    assert store.load() == TokenPair(Secret("access-token-2"), Secret("refresh-token-2"), "seed")


def test_the_seed_depends_on_the_refresh_token_if_there_is_one() -> None:
    def seed(access: str, refresh: str) -> str:
        return TokenPair.from_connection(access_token=access, refresh_token=refresh).seed

    assert seed("a", "r") == seed("b", "r") != seed("a", "s")
    assert seed("a", "") != seed("b", "")


def test_a_fingerprint_does_not_contain_the_token() -> None:
    assert "refresh-token-1" not in fingerprint("refresh-token-1")
    assert len(fingerprint("refresh-token-1")) == 16


def test_the_repr_of_a_pair_shows_no_token() -> None:
    assert "token-1" not in f"{PAIR!r} {PAIR}"
