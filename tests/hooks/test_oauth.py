"""An application's tokens, renewed where Airflow calls from: tasks, triggers and plain scripts."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG, BaseOperator, BaseSensorOperator

from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_b24.triggers.polls import Bitrix24PollTrigger

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import Context

    from airflow_provider_b24.emulator import Emulator

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


def stored() -> Any:
    """Return the Variable's row as the database has it."""
    from airflow.models import Variable
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        row = session.scalar(select(Variable).where(Variable.key == KEY))
        return row and {"encrypted": row.is_encrypted, "raw": row._val, "pair": json.loads(row.val)}


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
    assert stored()["pair"].items() >= pair_of(portal).items()


def test_the_stored_pair_is_encrypted(
    portal: Emulator, application: str, run_dag: Callable[..., Any]
) -> None:
    portal.expire_access_token()

    run_dag(who_dag("oauth_encrypted"))

    row = stored()
    assert row["encrypted"]
    for token in pair_of(portal).values():
        assert token not in row["raw"]


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
    assert stored() is None


def test_a_token_that_expires_again_is_refreshed_from_the_stored_pair(
    portal: Emulator, application: str, run_dag: Callable[..., Any]
) -> None:
    for number in range(2):
        portal.expire_access_token()
        assert run_dag(who_dag(f"oauth_again_{number}")).state == "success"

    assert portal.requests.count("oauth.token") == 2
    assert stored()["pair"].items() >= pair_of(portal).items()


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
    assert stored()["pair"].items() >= pair_of(portal).items()


def test_a_used_refresh_token_fails_the_task(
    portal: Emulator, application: str, run_dag: Callable[..., Any]
) -> None:
    portal.expire_access_token()
    portal.portal.credentials.use_refresh_token(portal.application.refresh_token)

    run = run_dag(who_dag("oauth_spent"))

    assert run.state == "failed"
    assert stored() is None


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
    assert stored()["pair"].items() >= pair_of(portal).items()


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
    assert stored()["pair"].items() >= pair_of(portal).items()


def test_a_script_and_a_task_share_the_pair(
    portal: Emulator, application: str, run_dag: Callable[..., Any]
) -> None:
    portal.expire_access_token()
    assert run_script().returncode == 0

    assert run_dag(who_dag("oauth_after_script")).state == "success"
    assert portal.requests.count("oauth.token") == 1
