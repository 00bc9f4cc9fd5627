"""Secrets of a connection, looked for wherever Airflow or a person could see them."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from airflow.sdk.exceptions import AirflowException

from airflow_provider_b24.exceptions import Bitrix24Error
from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_b24.operators.open_lines import Bitrix24SendConnectorMessagesOperator
from airflow_provider_b24.operators.polls import Bitrix24SendPollOperator
from airflow_provider_b24.operators.rest import Bitrix24BatchOperator, Bitrix24CallOperator
from airflow_provider_b24.sensors.polls import Bitrix24PollSensor
from tests.support.frames import shown_by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_b24.emulator import Emulator

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("impatient", "airflow_database")]

CONN = "bitrix24_canary"


def connections(portal: Emulator) -> dict[str, dict[str, Any]]:
    """The three ways to give a portal's secrets."""
    return {
        "webhook": portal.connection(),
        "whole URL": {"conn_type": "bitrix24", "password": portal.webhook_url},
        "application": portal.connection(auth="oauth"),
    }


def secrets_of(portal: Emulator) -> set[str]:
    tokens = portal.application
    given = {portal.webhook_code, portal.webhook_url, tokens.client_secret}
    given |= {tokens.access_token, tokens.refresh_token}
    return given | {quote(secret, safe="") for secret in given}


@pytest.fixture(params=["webhook", "whole URL", "application"])
def canary(
    request: pytest.FixtureRequest, portal: Emulator, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., None]]:
    """Set the connection up; at the end, no text that was shown may hold a secret, old or new."""
    fields = connections(portal)[request.param]
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_CANARY", json.dumps(fields))
    secrets, shown = secrets_of(portal), []

    def show(*texts: Any) -> None:
        shown.extend(texts)

    yield show
    secrets |= secrets_of(portal)
    assert shown
    texts = [str(text) for text in shown]
    assert [text for text in texts if any(secret in text for secret in secrets)] == []


@pytest.fixture(autouse=True)
def at_debug(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("urllib3", "requests", "airflow", "airflow_provider_b24"):
        caplog.set_level(logging.DEBUG, logger=name)


def context() -> Any:
    given = {"dag_id": "d", "task_id": "t", "run_id": "r", "map_index": -1, "max_tries": 0, "try_number": 1}
    return {"ti": SimpleNamespace(**given, xcom_push=lambda **_: None)}


def operators(portal: Emulator, chat_id: int) -> dict[str, Any]:
    common = {"task_id": "t", "bitrix24_conn_id": CONN}
    message = {"user": {"id": "u"}, "message": {"id": "m", "text": "Hi"}, "chat": {"id": "c"}}
    return {
        "send": Bitrix24SendPollOperator(
            chat_id=chat_id, question="Deploy?", answers=["Yes", "No"], **common
        ),
        "call": Bitrix24CallOperator(method="user.get", parameters={"ID": 1}, **common),
        "unsafe call": Bitrix24CallOperator(
            method="im.message.add", parameters={"DIALOG_ID": f"chat{chat_id}", "MESSAGE": "Hi"}, **common
        ),
        "batch": Bitrix24BatchOperator(commands={"me": "profile", "bad": "no.such"}, **common),
        "push": Bitrix24SendConnectorMessagesOperator(connector="shop", line=1, messages=[message], **common),
        "wait": Bitrix24PollSensor(poll=987654, poll_interval=0.01, timeout=0.01, **common),
    }


FAULTS: dict[str, dict[str, Any]] = {
    "no fault": {},
    "lost": {"kind": "drop_after"},
    "bad gateway": {"kind": "status_502"},
    "page": {"kind": "html"},
    "half a reply": {"kind": "truncated"},
    "moved": {"kind": "redirect", "location": "https://other.bitrix24.com/rest/1/"},
    "operating time": {"kind": "operating_limit"},
    "expired": {"kind": "expired_token"},
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_operators_show_no_secret_whatever_happens(
    portal: Emulator, canary: Callable[..., None], caplog: pytest.LogCaptureFixture, fault: dict[str, Any]
) -> None:
    chat_id = portal.add_chat("Team")
    for operator in operators(portal, chat_id).values():
        portal.faults.clear()
        if fault:
            portal.faults.add(method="[!o]*", times=None, **fault)
        try:
            canary(json.dumps(operator.execute(context()), default=repr))
        except AirflowException as error:
            canary(*shown_by(error))
        hook = Bitrix24Hook(CONN)
        canary(repr(operator), repr(vars(operator)), repr(hook), repr(vars(hook)), repr(hook.settings))
    canary(caplog.text, *(repr(vars(record)) for record in caplog.records))


def test_a_stopped_portal_shows_no_secret(
    portal: Emulator, canary: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    portal.stop()

    with pytest.raises(Bitrix24Error) as error:
        Bitrix24Hook(CONN).call("profile")
    canary(*shown_by(error.value), caplog.text)


def test_a_connection_test_shows_no_secret(
    portal: Emulator, canary: Callable[..., None], caplog: pytest.LogCaptureFixture, capfd: Any
) -> None:
    canary(Bitrix24Hook(CONN).test_connection())
    portal.expire_access_token()
    canary(Bitrix24Hook(CONN).test_connection())
    portal.portal.credentials.webhook.code = "another"
    canary(Bitrix24Hook(CONN).test_connection(), caplog.text, *capfd.readouterr())


@pytest.mark.usefixtures("no_other_host")
def test_a_refused_refresh_shows_no_secret(
    portal: Emulator, application: str, caplog: pytest.LogCaptureFixture
) -> None:
    secrets = secrets_of(portal)
    portal.expire_access_token()
    portal.portal.credentials.use_refresh_token(portal.application.refresh_token)

    with pytest.raises(Bitrix24Error) as error:
        Bitrix24Hook(application).call("profile")
    shown = " ".join([*shown_by(error.value), caplog.text])
    assert [secret for secret in secrets if secret in shown] == []


DAG_FILE = """
from airflow.sdk import DAG
from airflow_provider_b24.operators.polls import Bitrix24SendPollOperator, Bitrix24StopPollOperator
from airflow_provider_b24.operators.rest import Bitrix24BatchOperator, Bitrix24CallOperator
from airflow_provider_b24.sensors.polls import Bitrix24PollSensor

with DAG("canary", schedule=None):
    for conn in ("hook", "url", "app"):
        common = {"bitrix24_conn_id": "b24_" + conn}
        send = Bitrix24SendPollOperator(
            task_id="send_" + conn, chat_id="{{ dag_run.conf['chat'] }}", question="Deploy?",
            answers=["Yes", "No"], **common
        )
        stop = Bitrix24StopPollOperator(task_id="stop_" + conn, poll=send.output, **common)
        stop >> Bitrix24PollSensor(task_id="wait_" + conn, poll=send.output, deferrable=True, **common)
        Bitrix24PollSensor(task_id="gone_" + conn, poll=987654, deferrable=True, **common)
        Bitrix24CallOperator(task_id="refused_" + conn, method="no.such.method", **common)
        Bitrix24BatchOperator(task_id="batch_" + conn, commands={"me": "profile", "bad": "no.such"}, **common)
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "canary.py").write_text(DAG_FILE)
    return tmp_path


def airflow(home: Path, *words: str, **env: str) -> str:
    own = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    settings = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__FERNET_KEY": os.environ["AIRFLOW__CORE__FERNET_KEY"],
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
        "BITRIX24_STATE_DIR": str(home / "state"),
    }
    command = [str(Path(sys.executable).with_name("airflow")), *words]
    done = subprocess.run(command, env=own | settings | env, capture_output=True, text=True, timeout=200)
    return done.stdout + done.stderr


def test_a_whole_airflow_at_debug_shows_and_keeps_no_secret(portal: Emulator, home: Path) -> None:
    fields = connections(portal)
    names = dict(zip(("B24_HOOK", "B24_URL", "B24_APP"), fields.values(), strict=True))
    env = {f"AIRFLOW_CONN_{name}": json.dumps(value) for name, value in names.items()}
    secrets = secrets_of(portal)
    portal.expire_access_token()
    airflow(home, "db", "migrate")

    conf = json.dumps({"chat": portal.add_chat("Team")})
    output = airflow(home, "dags", "test", "canary", "-c", conf, **env)

    assert len(portal.polls()) == 3, output
    assert portal.requests.count("oauth.token") == 1
    secrets |= secrets_of(portal)
    kept = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    assert any(b"Deploy?" in content for content in kept.values())
    # At debug the supervisor of ``dags test`` writes each message of a task down as it is, what it is
    # told to mask included. That is Airflow's, for every provider.
    own = "\n".join(line for line in output.splitlines() if "MaskSecret" not in line)
    assert "PutVariable" in own
    for secret in secrets:
        assert secret not in own
        assert [path for path, content in kept.items() if secret.encode() in content] == []
