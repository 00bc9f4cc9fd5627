"""Receipts of operators' messages: delivered, read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.exceptions import (
    Bitrix24AuthTypeError,
    Bitrix24ConnectorError,
    Bitrix24OpenLineError,
    Bitrix24ValidationError,
)
from airflow_provider_b24.open_lines.api import OpenLinesApi
from tests.support.clients import client_of

from .conftest import NOW, Shop, message

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator

DELIVERY = "imconnector.send.status.delivery"
READING = "imconnector.send.status.reading"
WAYS = {"mark_delivered": DELIVERY, "mark_read": READING}


class Reply:
    """An operator's reply in the shop's conversation."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.chat = shop.send([message(1)]).items[0].chat_id
        shop.now = NOW
        self.message = shop.portal.lines.reply(self.chat, "We look into it.", user_id=2)

    def receipt(self, **external: Any) -> dict[str, Any]:
        return {
            "im": {"chat_id": self.chat, "message_id": self.message.id},
            "message": {"id": ["r1"], **external},
            "chat": {"id": "c1"},
        }

    def mark(self, way: str, *messages: Any) -> int:
        count: int = getattr(self.shop.api, way)(connector="shop", line=self.shop.line, messages=messages)
        return count

    def sent(self, method: str) -> list[dict[str, Any]]:
        """The rows of the last request."""
        return self.requests(method)[-1]

    def requests(self, method: str) -> list[list[dict[str, Any]]]:
        """The rows of each request."""
        journal = self.shop.portal.requests
        return [request.params["MESSAGES"] for request in journal if request.method == method]


@pytest.fixture
def reply(shop: Shop) -> Reply:
    return Reply(shop)


@pytest.mark.parametrize("way", WAYS)
def test_a_receipt_is_sent_as_the_page_shows_it(reply: Reply, way: str) -> None:
    assert reply.mark(way, reply.receipt(date=1_700_000_000)) == 1
    assert reply.sent(WAYS[way]) == [reply.receipt(date=1_700_000_000)]


def test_a_delivered_message_knows_its_external_ids(reply: Reply) -> None:
    reply.mark("mark_delivered", reply.receipt(id=["r1", "r2"]))
    assert reply.message.params["CONNECTOR_MID"] == ["r1", "r2"]


def test_an_item_of_the_event_needs_only_the_external_id(reply: Reply) -> None:
    # All values of an event are text.
    item = {
        "im": {"chat_id": str(reply.chat), "message_id": str(reply.message.id), "more": "x"},
        "message": {"user_id": "2", "text": "[b]Anna:[/b] [br]We look into it.", "id": "r1"},
        "chat": {"id": "c1", "name": "x"},
        "user": "7",
    }
    assert reply.mark("mark_delivered", item) == 1
    assert reply.sent(DELIVERY) == [reply.receipt(date=int(NOW))]


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        (None, int(NOW)),
        (1_700_000_000, 1_700_000_000),
        ("1700000000", 1_700_000_000),
        (datetime(2026, 1, 1, tzinfo=UTC), 1_767_225_600),
        ("2026-01-01T00:00:00+00:00", 1_767_225_600),
    ],
)
def test_a_date_becomes_unix_seconds(reply: Reply, date: Any, seconds: int) -> None:
    reply.mark("mark_delivered", reply.receipt(date=date))
    assert reply.sent(DELIVERY)[0]["message"]["date"] == seconds


def test_many_receipts_go_fifty_a_request(reply: Reply) -> None:
    assert reply.mark("mark_delivered", *[reply.receipt() for _ in range(120)]) == 120
    assert [len(rows) for rows in reply.requests(DELIVERY)] == [50, 50, 20]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["drop_after", "drop_before", "status_502", "html"])
def test_a_lost_reply_is_retried(reply: Reply, way: str, kind: str) -> None:
    reply.shop.portal.faults.add(kind, method=WAYS[way], times=2)
    assert reply.mark(way, reply.receipt()) == 1
    assert reply.shop.portal.requests.count(WAYS[way]) == 3


@pytest.mark.parametrize("way", WAYS)
def test_a_refusal_is_an_error(reply: Reply, way: str) -> None:
    with pytest.raises(Bitrix24ConnectorError):
        getattr(reply.shop.api, way)(connector="other", line=12, messages=[reply.receipt()])
    body = '{"result": {"SUCCESS": false, "DATA": []}}'
    reply.shop.portal.faults.add("reply", method=WAYS[way], body=body)
    with pytest.raises(Bitrix24OpenLineError, match="does not take the receipts"):
        reply.mark(way, reply.receipt())


@pytest.mark.parametrize("way", WAYS)
def test_a_webhook_is_refused(portal: Emulator, reply: Reply, way: str) -> None:
    api = OpenLinesApi(client_of(portal))
    with pytest.raises(Bitrix24AuthTypeError):
        getattr(api, way)(connector="shop", line=12, messages=[reply.receipt()])


@pytest.mark.parametrize(
    ("change", "path", "rule"),
    [
        ({"im": None}, "messages[1].im", "must be an object with chat_id and message_id"),
        ({"im": {"chat_id": 5}}, "messages[1].im", "needs 'message_id'"),
        ({"im": {"chat_id": "x", "message_id": 1}}, "messages[1].im.chat_id", "must be a positive number"),
        ({"im": {"chat_id": 5, "message_id": 0}}, "messages[1].im.message_id", "must be a positive number"),
        (
            {"im": {"chat_id": 5, "message_id": True}},
            "messages[1].im.message_id",
            "must be a positive number",
        ),
        ({"message": {}}, "messages[1].message", "needs 'id'"),
        ({"message": "r1"}, "messages[1].message", "must be an object with an id"),
        ({"message": {"id": []}}, "messages[1].message.id", "needs an id"),
        ({"message": {"id": None}}, "messages[1].message.id", "must be an id or a list of ids"),
        ({"message": {"id": [" "]}}, "messages[1].message.id[0]", "must not be blank"),
        (
            {"message": {"id": "r1", "date": "soon"}},
            "messages[1].message.date",
            "must be Unix seconds of 9 or 10 digits, a datetime, or ISO 8601 such as "
            "2026-11-25T10:30:00+03:00",
        ),
        ({"chat": {"name": "x"}}, "messages[1].chat", "needs 'id'"),
        ({"chat": {"id": ""}}, "messages[1].chat.id", "must not be blank"),
    ],
)
@pytest.mark.parametrize("way", WAYS)
def test_a_receipt_that_is_not_usable_is_refused_before_anything_is_sent(
    reply: Reply, way: str, change: dict[str, Any], path: str, rule: str
) -> None:
    with pytest.raises(Bitrix24ValidationError) as caught:
        reply.mark(way, reply.receipt(), {**reply.receipt(), **change})
    assert (caught.value.path, caught.value.rule) == (path, rule)
    assert reply.shop.portal.requests.count(WAYS[way]) == 0


@pytest.mark.parametrize("messages", [[], None, "x", {"im": {}}, 5])
def test_what_is_no_list_of_receipts_is_refused(shop: Shop, messages: Any) -> None:
    with pytest.raises(Bitrix24ValidationError) as caught:
        shop.api.mark_delivered(connector="shop", line=shop.line, messages=messages)
    assert caught.value.path == "messages"
