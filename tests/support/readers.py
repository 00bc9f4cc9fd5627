"""Everything in the provider that reads a reply, each with the arguments of a plain call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider_b24.chats.api import ChatsApi
from airflow_provider_b24.hooks.check import check_connection
from airflow_provider_b24.open_lines.api import OpenLinesApi
from airflow_provider_b24.open_lines.connectors import ConnectorsApi
from airflow_provider_b24.polls.api import PollsApi
from airflow_provider_b24.rest.client import Bitrix24Client
from tests.support.canned_portal import MESSAGE, PORTAL, TEMPLATE, attach

Use = Callable[[Bitrix24Client], Any]

SEND = "vote.Integration.Im.send"
GET = "vote.AttachedVote.get"
POLL = {"chat_id": 1489, "question": "Deploy?", "answers": ["Yes", "No"]}
TARGET = {"connector": "shop", "line": 12}
MESSAGES = [
    {"user": {"id": "u1"}, "message": {"id": name, "text": "Hi", "date": 1760000000}, "chat": {"id": "c1"}}
    for name in ("m1", "m2")
]
DEAL = {"entity_type": "deal", "entity_id": 288, "user_id": 1, "message": "Hi"}
CONNECTOR = {"name": "Shop", "handler_url": "https://shop.example/bitrix24"}
RECEIPT = {
    "im": {"chat_id": 5, "message_id": 6},
    "message": {"id": "m1", "date": 1764057600},
    "chat": {"id": "c1"},
}
DATA = {"QUESTIONS": [{"QUESTION": "Deploy?", "ANSWERS": [{"MESSAGE": "Yes"}, {"MESSAGE": "No"}]}]}
STOPPED = {GET: {"result": {"attach": attach(finished=True, voted=False)}}}


def polls(client: Bitrix24Client) -> PollsApi:
    return PollsApi(client, sleep=lambda _: None)


def checked(client: Bitrix24Client) -> tuple[bool, str]:
    return check_connection(lambda: client, portal=PORTAL)


#: Everything that reads a reply, and the replies that it needs besides the usual ones.
USES: dict[str, tuple[Use, dict[str, Any]]] = {
    "send": (lambda client: polls(client).send(**POLL), {}),
    "send again": (lambda client: polls(client).send(**POLL, template_id=TEMPLATE), {}),
    "send data": (lambda client: polls(client).send_data(chat_id=1489, data=DATA), {}),
    "get": (lambda client: polls(client).get(MESSAGE), {}),
    "get many": (lambda client: polls(client).get_many([MESSAGE, {"attach_id": 91}]), {}),
    "vote": (lambda client: polls(client).vote(MESSAGE, answers="Yes"), {}),
    "recall": (lambda client: polls(client).recall(MESSAGE), {}),
    "stop": (lambda client: polls(client).stop(MESSAGE), STOPPED),
    "resume": (lambda client: polls(client).resume(MESSAGE), {}),
    "voters": (lambda client: polls(client).voters(MESSAGE), {}),
    "missing voters": (lambda client: polls(client).missing_voters(MESSAGE, chat_id=1489), {}),
    "report": (lambda client: polls(client).report(MESSAGE), {}),
    "message": (lambda client: ChatsApi(client).send(chat_id=1489, message="Hi"), {}),
    "message once": (
        lambda client: ChatsApi(client).post_once(chat_id=1489, message="Hi", since_message_id=MESSAGE),
        {},
    ),
    "messages": (lambda client: ChatsApi(client).messages(chat_id=1489, since_message_id=MESSAGE), {}),
    "replies": (lambda client: ChatsApi(client).replies(chat_id=1489, message_id=MESSAGE), {}),
    "members": (lambda client: ChatsApi(client).members(1489), {}),
    "find": (lambda client: ChatsApi(client).find("Team"), {}),
    "push": (lambda client: OpenLinesApi(client, sleep=lambda _: None).send(**TARGET, messages=MESSAGES), {}),
    "push changes": (lambda client: OpenLinesApi(client).update(**TARGET, messages=MESSAGES), {}),
    "push deletions": (lambda client: OpenLinesApi(client).delete(**TARGET, messages=MESSAGES), {}),
    "set up": (
        lambda client: ConnectorsApi(client, sleep=lambda _: None).set_up(**CONNECTOR, **TARGET),
        {},
    ),
    "connector status": (lambda client: ConnectorsApi(client).status(**TARGET), {}),
    "connectors": (lambda client: ConnectorsApi(client).list(), {}),
    "lines": (lambda client: OpenLinesApi(client).lines(), {}),
    "delivered": (lambda client: OpenLinesApi(client).mark_delivered(**TARGET, messages=[RECEIPT]), {}),
    "read": (lambda client: OpenLinesApi(client).mark_read(**TARGET, messages=[RECEIPT]), {}),
    "rename": (lambda client: OpenLinesApi(client).rename_chat(**TARGET, chat_id="c1", name="x"), {}),
    "history": (lambda client: OpenLinesApi(client).history(session_id=321), {}),
    "dialog": (lambda client: OpenLinesApi(client).dialog(chat_id=1763), {}),
    "deal chats": (lambda client: OpenLinesApi(client).crm_chats(entity_type="deal", entity_id=288), {}),
    "last deal chat": (
        lambda client: OpenLinesApi(client).last_crm_chat_id(entity_type="deal", entity_id=288),
        {},
    ),
    "deal chat": (lambda client: OpenLinesApi(client, sleep=lambda _: None).send_to_crm_chat(**DEAL), {}),
    "call": (lambda client: client.call("user.get", {"ID": 1}), {}),
    "batch": (lambda client: client.call_batch({"a": "profile", "b": ("user.get", {"ID": 1})}), {}),
    "iterate": (lambda client: list(client.iterate("user.get")), {}),
    "test connection": (checked, {}),
}
