"""A portal's polls, as its people and as the provider see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.polls.api import PollsApi
from tests.support.clients import client_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator
    from airflow_provider_b24.rest.client import Bitrix24Client

BOB = 3


@pytest.fixture
def client(portal: Emulator) -> Bitrix24Client:
    """A client of the service account, over its webhook."""
    return client_of(portal)


@pytest.fixture
def polls(client: Bitrix24Client) -> PollsApi:
    """The portal's polls, as the service account sees them."""
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
