"""A portal whose application can be authorised, and a person at a terminal who does so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

from airflow_provider_b24.login.flow import log_in
from airflow_provider_b24.login.options import SECRET_VARIABLE
from airflow_provider_b24.login.terminal import Terminal
from airflow_provider_b24.login.wanted import LoginOptions
from airflow_provider_b24.rest.token_store import variable_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_b24.emulator import Emulator

CONN_ID = "bitrix24_login"
ELSEWHERE = "https://app.example/handler"


class Person(Terminal):
    """Answers what the command asks, and writes down what it says.

    :param answers: one of a question's words to the answer, which may be a function of what was said so far.
    """

    def __init__(self, answers: dict[str, Any], *, interactive: bool = False) -> None:
        self.answers = answers
        self.said: list[str] = []
        self.interactive = interactive

    @property
    def text(self) -> str:
        return "\n".join(self.said)

    @property
    def address(self) -> str:
        """The address that the command asks to open."""
        return next(word for word in reversed(self.text.split()) if "/oauth/authorize/" in word)

    @property
    def is_interactive(self) -> bool:
        return self.interactive

    def say(self, text: str) -> None:
        self.said.append(text)

    def ask(self, question: str) -> str:
        for word, answer in self.answers.items():
            if word in question:
                given = answer.pop(0) if isinstance(answer, list) else answer
                return str(given(self) if callable(given) else given)
        return super().ask(question)

    ask_secret = ask


def allow(address: str) -> str:
    """Open the portal's page and return where it redirects, as a browser would."""
    reply = requests.get(address, allow_redirects=False, timeout=10)
    return reply.headers["Location"]


def pasted(person: Person) -> str:
    return allow(person.address)


@pytest.fixture
def portal(bitrix24_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """A portal that redirects without a click, to an address where nothing is."""
    monkeypatch.delenv(SECRET_VARIABLE, raising=False)
    bitrix24_emulator.set_application(redirect_uri=ELSEWHERE, authorize_at_once=True)
    return bitrix24_emulator


@pytest.fixture
def rows(airflow_database: None) -> Iterator[Callable[[], Any]]:
    """What Airflow's database has of the connection; removed afterwards."""
    from airflow.models import Connection, Variable
    from airflow.utils.session import create_session
    from sqlalchemy import delete, select

    def read() -> Any:
        with create_session() as session:
            found = session.scalar(select(Connection).where(Connection.conn_id == CONN_ID))
            return found and {
                **{name: getattr(found, name) for name in ("conn_type", "host", "login", "password", "port")},
                "description": found.description,
                "extra": found.extra_dejson,
            }

    def clean() -> None:
        with create_session() as session:
            session.execute(delete(Connection).where(Connection.conn_id == CONN_ID))
            session.execute(delete(Variable).where(Variable.key == variable_name(CONN_ID)))

    clean()
    yield read
    clean()


@pytest.fixture
def login(portal: Emulator, monkeypatch: pytest.MonkeyPatch) -> Callable[..., bool]:
    """Log in with the right answers, unless a test gives others."""

    def run(person: Person, **options: Any) -> bool:
        given = {
            "conn_id": CONN_ID,
            "portal": portal.url,
            "client_id": portal.application.client_id,
            "oauth_server": portal.url,
            **options,
        }
        return log_in(LoginOptions(**given), person)

    monkeypatch.setenv(SECRET_VARIABLE, portal.application.client_secret)
    return run
