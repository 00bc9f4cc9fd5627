"""A login from the address to the tested connection, against the emulator and Airflow's database."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import requests
from airflow.sdk import DAG, BaseOperator

from airflow_provider_b24.exceptions import Bitrix24Error, Bitrix24LoginError
from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_b24.login import flow
from airflow_provider_b24.login.options import SECRET_VARIABLE
from airflow_provider_b24.login.stored_connection import StoredConnection, save_connection
from airflow_provider_b24.rest.redaction import Secret
from airflow_provider_b24.rest.token_store import VariableTokenStore, variable_name

from .conftest import CONN_ID, Person, allow, pasted

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import Context

    from airflow_provider_b24.emulator import Emulator

pytestmark = pytest.mark.slow


class WhoAmI(BaseOperator):
    """Ask the portal for the connection's user."""

    def execute(self, context: Context) -> str:
        return str(Bitrix24Hook(CONN_ID).call("profile")["ID"])


def who_dag(name: str) -> DAG:
    with DAG(name, schedule=None) as dag:
        WhoAmI(task_id="who")
    return dag


def stored_pair(portal: Emulator) -> Any:
    return VariableTokenStore(CONN_ID, client_secret=Secret(portal.application.client_secret)).load()


def test_a_login_stores_a_connection_that_works_and_tasks_use_its_tokens(
    portal: Emulator, login: Callable[..., bool], rows: Callable[[], Any], run_dag: Callable[..., Any]
) -> None:
    person = Person({"Paste": pasted})

    assert login(person)

    application = portal.application
    assert rows() == {
        "conn_type": "bitrix24",
        "host": portal.url,
        "login": application.client_id,
        "password": application.client_secret,
        "port": None,
        "description": None,
        "extra": {"refresh_token": application.refresh_token, "oauth_server": portal.url},
    }
    pair = stored_pair(portal)
    assert (pair.access.reveal(), pair.refresh.reveal()) == (
        application.access_token,
        application.refresh_token,
    )
    assert f"Portal {portal.url}, user Airflow Service (id 1" in person.said[-1]

    assert run_dag(who_dag("login_then_task")).state == "success"
    assert portal.requests.count("oauth.token") == 1
    portal.expire_access_token()
    assert run_dag(who_dag("login_then_refresh")).state == "success"
    assert portal.requests.count("oauth.token") == 2


def test_no_secret_is_said(portal: Emulator, login: Callable[..., bool], rows: Any) -> None:
    person = Person({"Paste": pasted})
    login(person)
    application = portal.application
    for secret in (application.client_secret, application.access_token, application.refresh_token):
        assert secret not in person.text


def test_what_is_missing_is_asked_for(
    portal: Emulator, login: Callable[..., bool], rows: Any, monkeypatch: Any
) -> None:
    monkeypatch.delenv(SECRET_VARIABLE)
    application = portal.application
    answers = {
        "Portal": portal.url,
        "client_id": application.client_id,
        "client_secret": application.client_secret,
        "Paste": pasted,
    }

    assert login(Person(answers, interactive=True), portal=None, client_id=None)
    assert rows()["login"] == application.client_id


def test_a_second_login_takes_everything_from_the_connection_and_keeps_its_other_fields(
    portal: Emulator, login: Callable[..., bool], rows: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    login(Person({"Paste": pasted}))
    first = rows()
    edited = {**first["extra"], "plan": "enterprise", "timeout": "20", "access_token": "an-old-one"}
    save_connection(
        StoredConnection(
            CONN_ID, host=first["host"], login=first["login"], password=first["password"], extra=edited
        )
    )
    monkeypatch.delenv(SECRET_VARIABLE)

    assert login(Person({"Paste": pasted}), portal=None, client_id=None, oauth_server=None)

    after = rows()
    fresh = {"refresh_token": portal.application.refresh_token, "oauth_server": portal.url}
    assert after["extra"] == {"plan": "enterprise", "timeout": "20", **fresh}
    assert after["extra"]["refresh_token"] != first["extra"]["refresh_token"]
    assert stored_pair(portal).refresh.reveal() == portal.application.refresh_token


@pytest.mark.usefixtures("no_other_host")
def test_a_login_replaces_a_chain_whose_refresh_token_is_spent(
    portal: Emulator, login: Callable[..., bool], rows: Any, run_dag: Callable[..., Any]
) -> None:
    login(Person({"Paste": pasted}))
    portal.portal.credentials.use_refresh_token(portal.application.refresh_token)
    portal.expire_access_token()
    assert run_dag(who_dag("login_spent")).state == "failed"

    assert login(Person({"Paste": pasted}))
    assert run_dag(who_dag("login_again")).state == "success"


def test_the_code_is_taken_by_the_listener(
    portal: Emulator, login: Callable[..., bool], rows: Callable[[], Any]
) -> None:
    class AtTheBrowser(Person):
        def say(self, text: str) -> None:
            super().say(text)
            if "/oauth/authorize/" in text:
                here = next(word for word in text.split() if word.startswith("http://127.0.0.1"))
                portal.set_application(redirect_uri=here)
                assert requests.get(self.address, timeout=10).ok

    assert login(AtTheBrowser({}), port=0)
    assert rows()["extra"]["refresh_token"] == portal.application.refresh_token


def refused(login: Callable[..., bool], person: Person, **options: Any) -> Bitrix24Error:
    with pytest.raises(Bitrix24Error) as caught:
        login(person, **options)
    assert not [word for word in ("Secret(", "refresh_token=") if word in str(caught.value)]
    return caught.value


def test_a_code_that_expired_or_was_used_is_explained(
    portal: Emulator, login: Callable[..., bool], rows: Callable[[], Any]
) -> None:
    def spent(person: Person) -> str:
        redirect = pasted(person)
        portal.portal.credentials.use_code(redirect.partition("code=")[2].partition("&")[0])
        return redirect

    error = refused(login, Person({"Paste": spent}))

    assert isinstance(error, Bitrix24LoginError)
    assert "A code lives for 30 seconds and works once" in str(error)
    assert rows() is None


@pytest.mark.parametrize(
    ("wrong", "code"), [("client_id", "wrong_client"), ("client_secret", "invalid_client")]
)
def test_an_application_that_the_server_does_not_know_is_explained(
    portal: Emulator,
    login: Callable[..., bool],
    rows: Callable[[], Any],
    wrong: str,
    code: str,
) -> None:
    changes = {"client_id": "nonsense"} if wrong == "client_id" else {}
    given = portal.portal.credentials.issue_code(1)
    if wrong == "client_secret":
        portal.application.client_secret = "a-new-secret-of-the-application"

    error = refused(login, Person({"Paste": given}), **changes)

    assert error.code == code
    assert "Check client_id and client_secret" in str(error)
    assert rows() is None


def test_a_redirect_of_another_login_is_refused_and_its_code_is_not_spent(
    portal: Emulator, login: Callable[..., bool], rows: Callable[[], Any]
) -> None:
    def forged(person: Person) -> str:
        return allow(person.address.rpartition("=")[0] + "=forged")

    assert "state of the redirect" in str(refused(login, Person({"Paste": forged})))
    assert (portal.requests.count("oauth.token"), rows()) == (0, None)


def test_a_person_who_pastes_the_wrong_address_is_asked_again(
    portal: Emulator, login: Callable[..., bool], rows: Any
) -> None:
    person = Person({"Paste": [portal.url, "", pasted]}, interactive=True)
    assert login(person)
    assert person.text.count("There is no code in that") == 2


def test_a_portal_that_refuses_the_application_leaves_the_listener_without_a_redirect(
    portal: Emulator, login: Callable[..., bool], rows: Callable[[], Any]
) -> None:
    error = refused(login, Person({}), port=0, timeout=1)
    assert "install the application on this portal" in str(error)
    assert rows() is None


def test_tokens_of_another_portal_are_not_stored(
    portal: Emulator, login: Callable[..., bool], rows: Callable[[], Any]
) -> None:
    other = portal.url.replace("127.0.0.1", "localhost")
    error = refused(login, Person({"Paste": portal.portal.credentials.issue_code(1)}), portal=other)
    assert "allowed on 127.0.0.1, and not on localhost" in str(error)
    assert rows() is None


@pytest.mark.parametrize("body", ["<html>", "{}", '{"access_token": "a"}'])
def test_an_oauth_server_that_answers_nonsense_stores_nothing(
    portal: Emulator, login: Callable[..., bool], rows: Callable[[], Any], body: str
) -> None:
    portal.faults.add("reply", method="oauth.token", body=body, status=200)
    error = refused(login, Person({"Paste": pasted}))
    assert "gave no usable answer" in str(error)
    assert rows() is None


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"password": "https://acme.bitrix24.com/rest/1/abcabcabcabcabca/"}, "holds a webhook"),
        ({"host": "acme.bitrix24.com", "login": "1", "password": "abcabcabcabcabca"}, "holds a webhook"),
    ],
)
def test_a_webhook_is_not_overwritten(
    login: Callable[..., bool], rows: Callable[[], Any], fields: dict[str, Any], words: str
) -> None:
    save_connection(StoredConnection(CONN_ID, **fields))
    assert words in str(refused(login, Person({})))
    assert rows()["password"] == fields["password"]


def test_a_connection_of_another_type_is_not_overwritten(
    login: Callable[..., bool], rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", '{"conn_type": "http"}')
    assert "has the type 'http'" in str(refused(login, Person({})))


def test_a_connection_of_the_environment_gets_its_tokens_through_the_variable(
    portal: Emulator,
    login: Callable[..., bool],
    rows: Callable[[], Any],
    run_dag: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fields = portal.connection(auth="oauth")
    fields["extra"] = {"oauth_server": portal.url}
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", json.dumps(fields))
    monkeypatch.delenv(SECRET_VARIABLE)
    person = Person({"Paste": pasted})

    assert login(person, portal=None, client_id=None, oauth_server=None)

    assert f"from the environment variable AIRFLOW_CONN_{CONN_ID.upper()}" in person.text
    assert rows() is None
    assert run_dag(who_dag("login_environment")).state == "success"
    portal.expire_access_token()
    assert run_dag(who_dag("login_environment_again")).state == "success"
    assert portal.requests.count("oauth.token") == 2


def test_old_tokens_of_a_connection_of_the_environment_give_way_to_the_variable(
    portal: Emulator, login: Callable[..., bool], rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = portal.connection(auth="oauth")
    fields["extra"] |= {"refresh_token": "an-old-refresh-token", "access_token": "an-old-one"}
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", json.dumps(fields))

    assert login(Person({"Paste": pasted}), portal=None, client_id=None, oauth_server=None)

    assert Bitrix24Hook(CONN_ID).call("profile")["ID"] == "1"
    assert portal.requests.count("oauth.token") == 1


def test_what_the_environment_says_otherwise_is_refused(
    portal: Emulator, login: Callable[..., bool], rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = portal.connection(auth="oauth") | {"login": "local.1.2"}
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", json.dumps(fields))
    assert "has another client_id" in str(refused(login, Person({})))


def test_a_variable_that_something_else_shadows_is_a_warning(
    portal: Emulator, login: Callable[..., bool], rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"AIRFLOW_VAR_{variable_name(CONN_ID).upper()}", "another value")
    person = Person({"Paste": pasted})
    login(person)
    assert f"Warning: The Variable {variable_name(CONN_ID)} was written, and another value" in person.text


def test_plain_http_to_another_machine_is_refused_before_anything_is_sent(
    login: Callable[..., bool], rows: Any
) -> None:
    error = refused(login, Person({}), portal="http://acme.bitrix24.com")
    assert "must be https" in str(error)


def test_an_error_of_the_database_hides_the_statements_secrets(
    portal: Emulator, login: Callable[..., bool], rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(connection: StoredConnection) -> Any:
        raise RuntimeError(f"disk full\n[parameters: {dict(connection.extra)} {connection.password}]")

    monkeypatch.setattr("airflow_provider_b24.login.stored_connection._write", fail)
    error = refused(login, Person({"Paste": pasted}))
    assert "can't write to Airflow's connections: RuntimeError: disk full" in str(error)
    assert portal.application.refresh_token not in str(error)
    assert portal.application.client_secret not in str(error)


@pytest.mark.parametrize(
    ("named", "server"),
    [
        ("oauth.bitrix24.tech", "https://oauth.bitrix24.tech"),
        ("oauth.bitrix.info", "https://oauth.bitrix.info"),
        ("evil.example", "https://oauth.bitrix.info"),
        ("oauth.bitrix.info.evil.example", "https://oauth.bitrix.info"),
        ("", "https://oauth.bitrix.info"),
    ],
)
def test_the_secret_goes_to_bitrix24s_own_servers_only(named: str, server: str) -> None:
    from airflow_provider_b24.hooks.connection import read_connection
    from airflow_provider_b24.login.authorization import Redirect

    extra = {"refresh_token": "r" * 20}
    settings = read_connection(
        conn_id="x", host="b24.acme.com", login="local.1.2", password="s" * 20, extra=extra
    )
    assert flow._oauth_server(settings, Redirect(Secret("c" * 20), server_domain=named)) == server
