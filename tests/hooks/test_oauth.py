"""An application's tokens, renewed where Airflow calls from: tasks, triggers and plain scripts."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.models import crypto
from airflow.sdk import DAG, BaseOperator, BaseSensorOperator

from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_b24.rest import token_chain, token_store
from airflow_provider_b24.rest.redaction import Secret
from airflow_provider_b24.rest.token_cipher import TokenCipher
from airflow_provider_b24.rest.token_store import fingerprint
from airflow_provider_b24.triggers.polls import Bitrix24PollTrigger

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import Context

    from airflow_provider_b24.emulator import Emulator

pytestmark = pytest.mark.slow

KEY = "bitrix24_oauth_token__bitrix24_app"


class WhoAmI(BaseOperator):
    """Ask the portal for the connection's user."""

    def execute(self, context: Context) -> str:
        return str(Bitrix24Hook("bitrix24_app").call("profile")["ID"])


class WatchOnce(BaseSensorOperator):
    """Defer to the poll trigger at once, so that the triggerer is the first who needs a token."""

    def __init__(self, *, poll: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.poll_id = poll

    def execute(self, context: Context) -> Any:
        trigger = Bitrix24PollTrigger(bitrix24_conn_id="bitrix24_app", poll=self.poll_id)
        self.defer(trigger=trigger, method_name="done", timeout=timedelta(seconds=30))

    def done(self, context: Context, event: dict[str, Any]) -> str:
        return str(event["status"])


@pytest.fixture(autouse=True)
def no_pair(airflow_database: None) -> None:
    """Start without a stored pair."""
    from airflow.models import Variable

    Variable.delete(KEY)


def row() -> Any:
    """Return the Variable as the database has it: what Airflow encrypted, and what it was given."""
    from airflow.models import Variable
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        found = session.scalar(select(Variable).where(Variable.key == KEY))
        return found and {"encrypted": found.is_encrypted, "raw": found._val, "value": found.val}


def stored(portal: Emulator) -> Any:
    """Return the pair in the Variable."""
    secret = Secret(portal.application.client_secret)
    text = TokenCipher(client_secret=secret, context=KEY).decrypt(row()["value"])
    assert text is not None
    return {name: token for name, token in json.loads(text).items() if name.endswith("_token")}


def pair_of(portal: Emulator) -> dict[str, str]:
    tokens = portal.application
    return {"access_token": tokens.access_token, "refresh_token": tokens.refresh_token}


def who_dag(name: str, *, tasks: int = 1) -> DAG:
    with DAG(name, schedule=None) as dag:
        previous: Any = None
        for number in range(tasks):
            task = WhoAmI(task_id=f"who{number}")
            if previous is not None:
                previous >> task
            previous = task
    return dag


def test_a_task_refreshes_an_expired_token_and_the_next_task_uses_the_new_one(
    portal: Emulator, application: str, run_dag: Callable[..., Any]
) -> None:
    portal.expire_access_token()

    run = run_dag(who_dag("oauth_two_tasks", tasks=2))

    assert run.state == "success"
    assert portal.requests.count("oauth.token") == 1
    assert portal.requests.count("profile") == 3
    assert stored(portal) == pair_of(portal)


@pytest.mark.usefixtures("application")
@pytest.mark.parametrize("fernet_key", [True, False])
def test_no_token_can_be_read_from_the_variable_or_its_export(
    portal: Emulator,
    run_dag: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    fernet_key: bool,
) -> None:
    if not fernet_key:
        monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "")
        crypto.get_fernet.cache_clear()
    portal.expire_access_token()

    run_dag(who_dag(f"oauth_encrypted_{fernet_key}"))

    command = [str(Path(sys.executable).with_name("airflow")), "variables", "export", str(tmp_path / "all")]
    subprocess.run(command, check=True, capture_output=True, timeout=100)
    export, found = (tmp_path / "all").read_text(), row()
    monkeypatch.undo()
    crypto.get_fernet.cache_clear()
    assert found["encrypted"] is fernet_key
    assert found["value"] in export
    for token in (*pair_of(portal).values(), portal.application.client_secret):
        assert not [text for text in (found["raw"], found["value"], export) if token in text]


def test_a_pair_that_an_earlier_version_stored_is_used_and_encrypted_by_the_next_refresh(
    portal: Emulator, application: str, run_dag: Callable[..., Any]
) -> None:
    from airflow.models import Variable

    seed = fingerprint(portal.application.refresh_token)
    portal.portal.credentials.issue()
    Variable.set(KEY, json.dumps({**pair_of(portal), "seed": seed}))
    assert run_dag(who_dag("oauth_plain_pair")).state == "success"
    assert portal.requests.count("oauth.token") == 0

    portal.expire_access_token()
    assert run_dag(who_dag("oauth_plain_refresh")).state == "success"
    assert portal.requests.count("oauth.token") == 1
    assert stored(portal) == pair_of(portal)


def test_after_a_new_client_secret_the_connections_token_starts_the_chain(
    portal: Emulator, application: str, run_dag: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    portal.expire_access_token()
    run_dag(who_dag("oauth_old_secret"))
    portal.application.client_secret = "a-new-client-secret-1"
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_APP", json.dumps(portal.connection(auth="oauth")))
    portal.expire_access_token()
    portal.requests.clear()

    assert run_dag(who_dag("oauth_new_secret")).state == "success"
    assert portal.requests.count("oauth.token") == 1
    assert stored(portal) == pair_of(portal)


def test_a_variable_that_something_else_shadows_is_told_once_and_the_task_goes_on(
    portal: Emulator,
    application: str,
    run_dag: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv(f"AIRFLOW_VAR_{KEY.upper()}", "another value")
    portal.expire_access_token()

    assert run_dag(who_dag("oauth_shadowed")).state == "success"
    assert portal.requests.count("oauth.token") == 1
    assert caplog.text.count("another value is read back") == 1
    assert f"AIRFLOW_VAR_{KEY.upper()}" in caplog.text


def test_a_task_goes_on_with_a_pair_that_could_not_be_saved(
    portal: Emulator, application: str, run_dag: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(key: str, value: str) -> None:
        raise RuntimeError("no database")

    monkeypatch.setattr(token_store, "write_variable", fail)
    monkeypatch.setattr(token_chain, "_SAVE_DELAYS", (0.0,) * 4)
    portal.expire_access_token()

    assert run_dag(who_dag("oauth_not_saved")).state == "success"
    assert row() is None


def test_airflow_masks_the_stored_pair_by_the_variables_name() -> None:
    from airflow.sdk._shared.secrets_masker import should_hide_value_for_key

    assert should_hide_value_for_key(KEY)


def test_the_first_task_refreshes_when_there_is_no_access_token(
    portal: Emulator, run_dag: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = portal.connection(auth="oauth")
    del fields["extra"]["access_token"]
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_APP", json.dumps(fields))

    assert run_dag(who_dag("oauth_first_token")).state == "success"
    assert portal.requests.count("oauth.token") == 1


def test_a_valid_token_is_not_refreshed(
    portal: Emulator, application: str, run_dag: Callable[..., Any]
) -> None:
    assert run_dag(who_dag("oauth_valid")).state == "success"
    assert portal.requests.count("oauth.token") == 0
    assert row() is None


def test_a_token_that_expires_again_is_refreshed_from_the_stored_pair(
    portal: Emulator, application: str, run_dag: Callable[..., Any]
) -> None:
    for number in range(2):
        portal.expire_access_token()
        assert run_dag(who_dag(f"oauth_again_{number}")).state == "success"

    assert portal.requests.count("oauth.token") == 2
    assert stored(portal) == pair_of(portal)


def test_a_new_refresh_token_in_the_connection_replaces_the_stored_pair(
    portal: Emulator, application: str, run_dag: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    portal.expire_access_token()
    run_dag(who_dag("oauth_old_chain"))
    portal.portal.credentials.issue()
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_APP", json.dumps(portal.connection(auth="oauth")))
    portal.expire_access_token()
    portal.requests.clear()

    assert run_dag(who_dag("oauth_new_chain")).state == "success"
    assert portal.requests.count("oauth.token") == 1
    assert stored(portal) == pair_of(portal)


@pytest.mark.usefixtures("no_other_host")
def test_a_used_refresh_token_fails_the_task(
    portal: Emulator, application: str, run_dag: Callable[..., Any]
) -> None:
    portal.expire_access_token()
    portal.portal.credentials.use_refresh_token(portal.application.refresh_token)

    run = run_dag(who_dag("oauth_spent"))

    assert run.state == "failed"
    assert row() is None


def test_a_trigger_refreshes_an_expired_token(
    portal: Emulator, hook: Bitrix24Hook, application: str, run_dag: Callable[..., Any]
) -> None:
    sent = hook.polls.send(chat_id=portal.add_chat("Team"), question="Deploy?", answers=["Yes", "No"])
    portal.stop_poll(sent["message_id"])
    portal.expire_access_token()
    with DAG("oauth_trigger", schedule=None) as dag:
        WatchOnce(task_id="watch", poll=sent["message_id"])

    run = run_dag(dag)

    assert run.get_task_instance("watch").xcom_pull("watch") == "success"
    assert portal.requests.count("oauth.token") == 1
    assert stored(portal) == pair_of(portal)


SCRIPT = """
from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
print(Bitrix24Hook("bitrix24_app").call("profile")["ID"])
"""


def run_script() -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60)


def test_a_plain_script_stores_the_pair_and_the_next_script_uses_it(
    portal: Emulator, application: str
) -> None:
    for _ in range(2):
        portal.expire_access_token()
        done = run_script()
        assert done.returncode == 0, done.stderr
        assert done.stdout.split()[-1] == "1"

    assert portal.requests.count("oauth.token") == 2
    assert stored(portal) == pair_of(portal)


def test_a_script_and_a_task_share_the_pair(
    portal: Emulator, application: str, run_dag: Callable[..., Any]
) -> None:
    portal.expire_access_token()
    assert run_script().returncode == 0

    assert run_dag(who_dag("oauth_after_script")).state == "success"
    assert portal.requests.count("oauth.token") == 1
