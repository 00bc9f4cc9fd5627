"""A fresh portal for each test, and a client that calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

from airflow_provider_b24.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

IM_ENTITY = "Bitrix\\Vote\\Attachment\\ImMessageConnector"


class Clock:
    """Time that passes only when a test says so."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


class Caller:
    """Calls the portal over HTTP, as the webhook or as the application."""

    def __init__(self, portal: Emulator) -> None:
        self.portal = portal
        self.http = requests.Session()

    def post(self, method: str, params: Any = None, *, oauth: bool = False) -> requests.Response:
        if not oauth:
            return self.http.post(self.portal.webhook_url + method, json=params or {})
        headers = {"Authorization": f"Bearer {self.portal.application.access_token}"}
        return self.http.post(f"{self.portal.url}/rest/{method}", json=params or {}, headers=headers)

    def result(self, method: str, params: Any = None, *, oauth: bool = False) -> Any:
        body = self.post(method, params, oauth=oauth).json()
        assert "error" not in body, body
        return body["result"]

    def error(self, method: str, params: Any = None, *, oauth: bool = False) -> tuple[int, Any]:
        reply = self.post(method, params, oauth=oauth)
        return reply.status_code, reply.json()["error"]

    def send(
        self, question: str = "Deploy?", answers: tuple[str, ...] = ("Yes", "No"), **options: Any
    ) -> Any:
        template = {"templateId": options.pop("template_id")} if "template_id" in options else {}
        chat_id = options.pop("chat_id", None) or self.general
        row = {
            "QUESTION": question,
            "FIELD_TYPE": options.pop("field_type", 0),
            "ANSWERS": [{"MESSAGE": text} for text in answers],
        }
        data = {"QUESTIONS": [row], **options}
        return self.result(
            "vote.Integration.Im.send", {"chatId": chat_id, "IM_MESSAGE_VOTE_DATA": data, **template}
        )

    @property
    def general(self) -> int:
        return next(iter(self.portal.portal.chats)).id

    def attach(self, message_id: int) -> Any:
        return self.result("vote.AttachedVote.get", by_message(message_id))["attach"]


def by_message(message_id: int, **more: Any) -> dict[str, Any]:
    return {"moduleId": "im", "entityType": IM_ENTITY, "entityId": message_id, **more}


def ballot(attach: dict[str, Any], *texts: str) -> dict[str, list[str]]:
    """Return the ballot for answers of these texts."""
    return {
        number: [key for text in texts for key, answer in row["ANSWERS"].items() if answer["MESSAGE"] == text]
        for number, row in attach["QUESTIONS"].items()
    }


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def portal(clock: Clock) -> Iterator[Emulator]:
    with Emulator(clock=clock, plan="none") as emulator:
        yield emulator


@pytest.fixture
def caller(portal: Emulator) -> Iterator[Caller]:
    caller = Caller(portal)
    yield caller
    caller.http.close()
