"""Testing a connection: what it says, and what it must not do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import Connection

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator
    from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook

pytestmark = pytest.mark.slow


def connection(fields: dict[str, Any]) -> Connection:
    return Connection.from_json(json.dumps(fields), conn_id="bitrix24_probe")


def test_portal_user_and_scopes_are_shown(portal: Emulator) -> None:
    works, words = connection(portal.connection()).test_connection()

    assert works
    assert f"Portal {portal.url}, user " in words
    assert "(id 1, administrator)" in words
    assert "vote, im, imopenlines are all there" in words


def test_an_application_that_nobody_has_authorised_fails_the_test_and_names_the_login(
    portal: Emulator,
) -> None:
    fields = portal.connection(auth="oauth") | {"extra": {"oauth_server": portal.url}}

    works, words = connection(fields).test_connection()

    assert not works
    assert "has no refresh_token" in words
    assert "airflow bitrix24 login" in words


@pytest.mark.parametrize("scope", ["vote", "im", "imopenlines"])
def test_a_missing_scope_is_named(portal: Emulator, scope: str) -> None:
    portal.portal.credentials.webhook.scopes.discard(scope)

    works, words = connection(portal.connection()).test_connection()

    assert works
    assert f"Missing scopes: {scope} (for " in words
    assert words.count("(for ") == 1


def test_a_wrong_webhook_code_fails_the_test_and_is_not_shown(portal: Emulator) -> None:
    works, words = connection(portal.connection() | {"password": "wr0ngwr0ngwr0ng"}).test_connection()

    assert not works
    assert "INVALID_CREDENTIALS" in words
    assert "wr0ng" not in words


def test_an_unreachable_portal_fails_the_test(portal: Emulator, impatient: None) -> None:
    fields = portal.connection()
    portal.stop()

    works, words = connection(fields).test_connection()

    assert not works
    assert "refused" in words


def test_an_invalid_connection_fails_the_test_with_its_field() -> None:
    works, words = connection(
        {"conn_type": "bitrix24", "login": "1", "password": "c0dec0de"}
    ).test_connection()

    assert not works
    assert "host is empty" in words


def test_a_valid_access_token_is_used_without_a_refresh(portal: Emulator) -> None:
    works, words = connection(portal.connection(auth="oauth")).test_connection()

    assert works
    assert f"Portal {portal.url}, user " in words
    assert portal.requests.count("oauth.token") == 0


def test_an_invalid_access_token_fails_the_test(portal: Emulator) -> None:
    fields = portal.connection(auth="oauth")
    fields["extra"]["access_token"] = "not-a-token"

    works, words = connection(fields).test_connection()

    assert not works
    assert "invalid_token" in words
    assert portal.requests.count("oauth.token") == 0


def test_an_expired_access_token_is_reported_and_not_refreshed(portal: Emulator) -> None:
    portal.expire_access_token()

    works, words = connection(portal.connection(auth="oauth")).test_connection()

    assert works
    assert "has expired" in words
    assert portal.url in words
    assert portal.requests.count("oauth.token") == 0


def test_a_missing_access_token_is_reported_without_a_request(portal: Emulator) -> None:
    fields = portal.connection(auth="oauth")
    del fields["extra"]["access_token"]

    works, words = connection(fields).test_connection()

    assert works
    assert "no access token yet" in words
    assert len(portal.requests) == 0


def test_a_user_without_a_name_is_shown_by_id(portal: Emulator, hook: Bitrix24Hook) -> None:
    user = portal.portal.people.get(1)
    assert user is not None
    user.name = user.last_name = ""

    assert "without a name (id 1" in hook.test_connection()[1]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An Airflow home whose database is ready for the command line."""
    home = tmp_path_factory.mktemp("airflow-cli")
    airflow("db", "migrate", home=home)
    return home


def airflow(*words: str, home: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the real command line, which knows nothing of this process' settings."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    settings = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "BITRIX24_STATE_DIR": str(home / "state"),
    }
    return subprocess.run(
        [str(Path(sys.executable).with_name("airflow")), *words],
        env=own | settings | env,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("auth", ["webhook", "oauth"])
def test_the_command_line_shows_the_portal_the_user_and_missing_scopes(
    home: Path, portal: Emulator, auth: str
) -> None:
    portal.portal.credentials.webhook.scopes.discard("vote")
    portal.application.scopes.discard("vote")
    fields = portal.connection(auth=auth)
    added = airflow("connections", "add", f"b24_{auth}", "--conn-json", json.dumps(fields), home=home)
    assert added.returncode == 0, added.stderr

    tested = airflow("connections", "test", f"b24_{auth}", home=home)

    shown = " ".join((tested.stdout + tested.stderr).split())
    assert tested.returncode == 0, shown
    assert f"Portal {portal.url}, user " in shown
    assert "Missing scopes: vote (for polls)" in shown
    for secret in (portal.webhook_code, fields["password"], *map(str, fields["extra"].values())):
        assert secret == portal.url or secret not in shown


def test_the_verbose_command_line_logs_the_result(home: Path, portal: Emulator) -> None:
    env = {"AIRFLOW_CONN_B24_WEBHOOK": json.dumps(portal.connection())}

    tested = airflow("connections", "test", "b24_webhook", "--verbose", home=home, **env)

    assert "Portal http://" in tested.stdout + tested.stderr
    assert portal.webhook_code not in tested.stdout + tested.stderr


def test_success_outside_the_command_line_is_logged_and_not_printed(
    hook: Bitrix24Hook, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        hook.test_connection()

    assert "Portal http://" in caplog.text
    assert "Portal" not in capsys.readouterr().out


def test_the_command_line_fails_for_a_wrong_code(home: Path, portal: Emulator) -> None:
    fields = portal.connection() | {"password": "wr0ngwr0ngwr0ng"}

    tested = airflow("connections", "test", "b24_wrong", home=home, AIRFLOW_CONN_B24_WRONG=json.dumps(fields))

    assert tested.returncode != 0
    assert "INVALID_CREDENTIALS" in tested.stdout + tested.stderr
    assert "wr0ng" not in (tested.stdout + tested.stderr).replace("b24_wrong", "")
