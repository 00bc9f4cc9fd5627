"""Clients of the official Python SDK for the emulated portal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("b24pysdk", reason="b24pysdk is not installed")

from b24pysdk import Client
from b24pysdk.constants.vote import VoteAttachedEntityType, VoteAttachedModule
from b24pysdk.credentials import BitrixApp, BitrixToken, BitrixWebhook

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator


def domain(portal: Emulator) -> str:
    return portal.url.removeprefix("https://")


def token_of(portal: Emulator, *, secret: str | None = None) -> BitrixToken:
    application = portal.application
    app = BitrixApp(client_id=application.client_id, client_secret=secret or application.client_secret)
    return BitrixToken(
        domain=domain(portal),
        auth_token=application.access_token,
        refresh_token=application.refresh_token,
        bitrix_app=app,
    )


def ask(client: Any, chat_id: int, *, options: int = 0, template_id: str | None = None) -> dict[str, Any]:
    data = {
        "ANONYMITY": 1,
        "OPTIONS": options,
        "QUESTIONS": [
            {"QUESTION": "Deploy?", "FIELD_TYPE": 0, "ANSWERS": [{"MESSAGE": "Yes"}, {"MESSAGE": "No"}]}
        ],
    }
    known = {} if template_id is None else {"template_id": template_id}
    result: dict[str, Any] = client.vote.integration.im.send(
        chat_id=chat_id, im_message_vote_data=data, **known
    ).result
    return result


def place(message_id: int) -> dict[str, Any]:
    return {
        "module_id": VoteAttachedModule.IM.value,
        "entity_type": VoteAttachedEntityType.IM_MESSAGE.value,
        "entity_id": message_id,
    }


def webhook_of(portal: Emulator) -> Any:
    """Return a client that calls by webhook."""
    return Client(BitrixWebhook(domain=domain(portal), webhook_token=f"1/{portal.webhook_code}"))


def sent_poll(client: Any, chat_id: int) -> dict[str, Any]:
    """Send a poll that lets people change their votes; return where it is and what it has."""
    sent = ask(client, chat_id, options=1)
    where = place(sent["messageId"])
    attach = client.vote.attached_vote.get(**where).result["attach"]
    question_id, question = next(iter(attach["QUESTIONS"].items()))
    return {
        "where": where,
        "attach": attach,
        "question": question_id,
        "answers": list(question["ANSWERS"]),
        "message": sent["messageId"],
    }
