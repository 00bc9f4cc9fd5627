"""A pair of tokens in an Airflow Variable, encrypted, with the fingerprint of the connection's token."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_b24.exceptions import Bitrix24ConfigurationError, Bitrix24StateError
from airflow_provider_b24.rest import token_store as tokens
from airflow_provider_b24.rest.redaction import Secret
from airflow_provider_b24.rest.token_store import TokenPair, VariableTokenStore, fingerprint, is_token

pytestmark = pytest.mark.slow

PAIR = TokenPair(Secret("access-token-1"), Secret("refresh-token-1"), "seed")
KEY = "bitrix24_oauth_token__my_portal"
TOKENS = st.from_regex(r"[!-~]{12,100}", fullmatch=True)


def store(conn_id: str = "my_portal", secret: str = "client-secret-1") -> VariableTokenStore:
    return VariableTokenStore(conn_id, client_secret=Secret(secret))


def plain(access: Any, refresh: Any, seed: str = "seed") -> str:
    """What earlier versions stored."""
    return json.dumps({"access_token": access, "refresh_token": refresh, "seed": seed})


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    kept: dict[str, str] = {}
    monkeypatch.setattr(tokens, "read_variable", kept.get)
    monkeypatch.setattr(tokens, "write_variable", kept.__setitem__)
    return kept


def test_a_saved_pair_is_loaded_from_its_variable(variables: dict[str, str]) -> None:
    store().save(PAIR)

    assert list(variables) == [KEY]
    assert store().load() == PAIR
    assert store("other_portal").load() is None


@settings(deadline=None)
@given(TOKENS, TOKENS, st.text(), st.text())
def test_any_pair_is_loaded_as_it_was_saved_and_its_variable_shows_nothing(
    access: str, refresh: str, conn_id: str, secret: str
) -> None:
    pair = TokenPair(Secret(access), Secret(refresh), fingerprint(refresh))
    kept: dict[str, str] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokens, "read_variable", kept.get)
        patch.setattr(tokens, "write_variable", kept.__setitem__)
        store(conn_id, secret).save(pair)
        loaded = store(conn_id, secret).load()
    (value,) = kept.values()

    assert loaded == pair
    assert not [shown for shown in (access, refresh, pair.seed) if shown in value]


@pytest.mark.parametrize("conn_id", ["my_portal", "other_portal"])
def test_the_variable_holds_no_token_and_no_client_secret(variables: dict[str, str], conn_id: str) -> None:
    store(conn_id).save(PAIR)
    (value,) = variables.values()

    for shown in ("access-token-1", "refresh-token-1", "access_token", "client-secret-1", "seed"):
        assert shown not in value


def test_the_pair_of_another_connection_is_not_read(variables: dict[str, str]) -> None:
    store("other_portal").save(PAIR)
    variables[KEY] = variables["bitrix24_oauth_token__other_portal"]

    assert store().load() is None


def test_a_pair_of_another_client_secret_counts_as_none_with_one_warning(
    variables: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    store(secret="client-secret-0").save(PAIR)
    changed = store()

    assert [changed.load(), changed.load()] == [None, None]
    assert caplog.text.count("holds no pair of tokens that the connection's client secret decrypts") == 1
    assert KEY in caplog.text
    changed.save(PAIR)
    assert store().load() == PAIR


def test_a_pair_that_an_earlier_version_stored_is_read_and_encrypted_with_the_next_save(
    variables: dict[str, str],
) -> None:
    variables[KEY] = plain("access-token-1", "refresh-token-1")
    assert store().load() == PAIR
    store().save(PAIR)

    assert "access-token-1" not in variables[KEY]
    assert store().load() == PAIR


@pytest.mark.parametrize("content", ["null", "no json", "[]", '"text"', "5", "{}", "gAAAAA", "[" * 5000])
def test_load_returns_none_for_a_foreign_variable(variables: dict[str, str], content: str) -> None:
    variables[KEY] = content

    assert store().load() is None


@pytest.mark.parametrize("given", [(12345, 67890), (["access-1"], ["refresh-1"]), ("", ""), ("a\nb", " ")])
def test_a_stored_pair_that_is_not_text_counts_as_none(
    variables: dict[str, str], given: tuple[Any, Any]
) -> None:
    variables[KEY] = plain(*given)

    assert store().load() is None


def test_an_empty_variable_counts_as_none_without_a_warning(
    variables: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    assert store().load() is None
    variables[KEY] = ""
    assert store().load() is None
    assert caplog.text == ""


def test_load_accepts_a_pair_with_missing_fields(variables: dict[str, str]) -> None:
    variables[KEY] = json.dumps({"refresh_token": "r-token", "access_token": None})

    assert store().load() == TokenPair(None, Secret("r-token"), "")


def test_a_save_that_reads_another_value_back_says_what_to_do(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "read_variable", lambda _: "another value")
    with pytest.raises(Bitrix24ConfigurationError) as caught:
        store().save(PAIR)

    assert "AIRFLOW_VAR_BITRIX24_OAUTH_TOKEN__MY_PORTAL" in str(caught.value)
    assert "secrets backend" in str(caught.value)
    assert "Delete it there" in str(caught.value)
    assert list(variables) == [KEY]


def test_a_save_that_reads_nothing_back_blames_no_secrets_backend(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "read_variable", lambda _: None)
    with pytest.raises(Bitrix24StateError, match="could not read the Variable") as caught:
        store().save(PAIR)

    assert "secrets backend" not in str(caught.value)
    assert list(variables) == [KEY]


class Supervisor:
    """What a task asks for Variables: an API server that may fail, or be too old to list keys."""

    def __init__(self) -> None:
        self.variables: dict[str, str] = {}
        self.fails = False
        self.lists_keys = True

    def send(self, message: Any) -> Any:
        comms = pytest.importorskip("airflow.sdk.execution_time.comms")
        if isinstance(message, comms.GetVariable) and not self.fails:
            value = self.variables.get(message.key)
            if value is None:
                return comms.ErrorResponse(error="VARIABLE_NOT_FOUND")
            return comms.VariableResult(key=message.key, value=value)
        if isinstance(message, comms.PutVariable) and not self.fails:
            self.variables[message.key] = message.value
            return None
        if isinstance(message, comms.GetVariableKeys) and not self.fails and self.lists_keys:
            keys = [key for key in self.variables if key.startswith(message.prefix)]
            return comms.VariableKeysResult(keys=keys, total_entries=len(keys))
        return None if isinstance(message, comms.MaskSecret) else self._failed(comms)

    def _failed(self, comms: Any) -> None:
        from airflow.sdk.exceptions import AirflowRuntimeError

        detail = {"status_code": 503 if self.fails else 404}
        raise AirflowRuntimeError(comms.ErrorResponse(error="API_SERVER_ERROR", detail=detail))


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    task_runner = pytest.importorskip("airflow.sdk.execution_time.task_runner")
    if not hasattr(pytest.importorskip("airflow.sdk").Variable, "keys"):
        pytest.skip("before Airflow 3.3 a read that fails can't be told from one that finds nothing")
    made = Supervisor()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", made, raising=False)
    return made


def test_in_a_task_a_variable_that_does_not_exist_is_no_pair(supervisor: Supervisor) -> None:
    assert store().load() is None
    store().save(PAIR)

    assert list(supervisor.variables) == [KEY]
    assert store().load() == PAIR


def test_in_a_task_a_read_that_fails_is_not_taken_for_no_pair(supervisor: Supervisor) -> None:
    store().save(PAIR)
    supervisor.fails = True
    with pytest.raises(Bitrix24StateError, match="could not read the Variable") as caught:
        store().load()

    assert caught.value.transient is True
    supervisor.fails = False
    assert store().load() == PAIR


def test_an_api_server_that_lists_no_keys_is_believed(supervisor: Supervisor) -> None:
    supervisor.lists_keys = False

    assert store().load() is None


@pytest.mark.parametrize("value", ["token", "a b", "~!."])
def test_printable_text_is_a_token(value: str) -> None:
    assert is_token(value)


@pytest.mark.parametrize(
    "value", [None, 5, True, [], {}, "", " ", " token", "a\nb", "tökn", "\ud800", b"token"]
)
def test_anything_else_is_no_token(value: Any) -> None:
    assert not is_token(value)


def test_the_name_of_the_variable_makes_airflow_mask_it() -> None:
    masker = pytest.importorskip("airflow.sdk._shared.secrets_masker")

    assert masker.should_hide_value_for_key(KEY)


@pytest.mark.usefixtures("airflow_database")
def test_a_script_outside_a_task_keeps_its_pair_in_the_database() -> None:
    from_script = store("from_a_script")
    assert from_script.load() is None
    from_script.save(PAIR)
    from_script.save(TokenPair(Secret("access-token-2"), Secret("refresh-token-2"), "seed"))

    assert from_script.load() == TokenPair(Secret("access-token-2"), Secret("refresh-token-2"), "seed")


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
