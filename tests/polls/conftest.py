"""A portal's polls, as its people and as the provider see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from calling import client_of

from airflow_provider_b24.polls.api import PollsApi

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator
    from airflow_provider_b24.rest.client import Bitrix24Client

BOB = 3


@pytest.fixture(params=["webhook", "oauth"])
def client(request: pytest.FixtureRequest, portal: Emulator) -> Bitrix24Client:
    """A client of the service account, once over a webhook and once over an application."""
    return client_of(portal, auth=request.param)


@pytest.fixture
def polls(client: Bitrix24Client) -> PollsApi:
    """The portal's polls, over a webhook and over an application."""
    return PollsApi(client, sleep=lambda _: None)


@pytest.fixture
def chat(portal: Emulator) -> int:
    """The chat in which everybody is."""
    return next(iter(portal.portal.chats)).id


@pytest.fixture
def ask(polls: PollsApi, chat: int) -> Callable[..., int]:
    """Send a poll and return its message id."""

    def send(question: str = "Deploy?", answers: tuple[str, ...] = ("Yes", "No"), **options: Any) -> int:
        return polls.send(chat_id=chat, question=question, answers=answers, **options)["message_id"]

    return send


@pytest.fixture
def as_bob(portal: Emulator) -> Callable[[], PollsApi]:
    """The polls as another member of the chat sees them, who is no author."""

    def of_bob() -> PollsApi:
        portal.portal.credentials.webhook.user_id = BOB
        return PollsApi(client_of(portal), sleep=lambda _: None)

    return of_bob
