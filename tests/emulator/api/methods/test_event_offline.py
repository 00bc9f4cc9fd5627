"""event.offline.*: how an application fetches events without losing any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.emulator.state.events.offline_queue import RESERVED_FOR

from .shop import Shop, row

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator

    from ...conftest import Caller, Clock

REPLY, DEAL = "ONIMCONNECTORMESSAGEADD", "ONCRMDEALUPDATE"
METHODS = ("get", "list", "clear", "error")


class Queue:
    """The queue as the application reads it."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        for event in (REPLY, DEAL):
            caller.result("event.bind", {"event": event, "event_type": "offline"}, oauth=True)

    def deals(self, *numbers: int) -> None:
        for number in numbers:
            self.caller.portal.raise_event(DEAL, {"FIELDS": {"ID": str(number)}})

    def get(self, **params: Any) -> dict[str, Any]:
        return self.ask("get", **params)

    def list(self, **params: Any) -> list[dict[str, Any]]:
        return list(self.ask("list", **params))

    def ask(self, name: str, **params: Any) -> Any:
        return self.caller.result(f"event.offline.{name}", params, oauth=True)


@pytest.fixture
def queue(caller: Caller) -> Queue:
    return Queue(caller)


def deal(record: dict[str, Any]) -> int:
    return int(record["EVENT_DATA"]["FIELDS"]["ID"])


# ---- who may call ----


@pytest.mark.parametrize("method", METHODS)
def test_a_webhook_is_refused_before_parameters_are_checked(caller: Caller, method: str) -> None:
    assert caller.error(f"event.offline.{method}") == (403, "WRONG_AUTH_TYPE")


@pytest.mark.parametrize("method", METHODS)
def test_a_user_without_administrator_rights_is_refused(
    caller: Caller, portal: Emulator, method: str
) -> None:
    user = portal.portal.people.get(1)
    assert user is not None
    user.admin = False
    assert caller.error(f"event.offline.{method}", oauth=True) == (403, "ACCESS_DENIED")


def test_a_plan_without_the_feature_removes_events_and_does_not_reserve_them(
    queue: Queue, caller: Caller, portal: Emulator
) -> None:
    queue.deals(1)
    portal.quirks.offline_extended = False
    reply = caller.post("event.offline.get", {"clear": 0}, oauth=True)
    assert (reply.status_code, reply.json()["error"]) == (403, "WRONG_LICENSE")
    assert reply.json()["error_description"].endswith("extended offline events handling")
    assert caller.result("feature.get", {"CODE": "rest_offline_extended"}) == {"value": "N"}
    assert len(queue.get()["events"]) == 1


# ---- get ----


def test_get_returns_the_oldest_events_once(queue: Queue, clock: Clock) -> None:
    queue.deals(1)
    clock.pass_by(5)
    queue.deals(2, 3)
    first = queue.get(limit=2)
    assert first["process_id"] is None
    assert [deal(record) for record in first["events"]] == [1, 2]
    assert set(first["events"][0]) == {
        "ID", "TIMESTAMP_X", "EVENT_NAME", "EVENT_DATA", "EVENT_ADDITIONAL", "MESSAGE_ID",
    }  # fmt: skip
    assert [deal(record) for record in queue.get()["events"]] == [3]
    assert queue.get() == {"process_id": None, "events": []}


def test_reserved_events_are_hidden_until_their_batch_is_asked_for(queue: Queue) -> None:
    queue.deals(1, 2, 3)
    batch = queue.get(clear=0, limit=2)
    assert len(batch["process_id"]) == 32
    assert [deal(record) for record in queue.get(clear=0)["events"]] == [3]
    again = queue.get(clear=0, process_id=batch["process_id"])
    assert again == batch
    assert queue.get(process_id="other") == {"process_id": "other", "events": []}


def test_clear_removes_a_batch_or_a_part_of_it(queue: Queue) -> None:
    queue.deals(1, 2, 3)
    batch = queue.get(clear=0)
    first, second, _ = batch["events"]
    process = batch["process_id"]
    assert queue.ask("clear", process_id="other") is True
    assert queue.ask("clear", process_id=process, id=[first["ID"]]) is True
    assert [deal(record) for record in queue.get(clear=0, process_id=process)["events"]] == [2, 3]
    queue.ask("clear", process_id=process, message_id=[second["MESSAGE_ID"]])
    assert [deal(record) for record in queue.get(clear=0, process_id=process)["events"]] == [3]
    queue.ask("clear", process_id=process)
    assert queue.list() == []


def test_a_batch_that_is_read_with_clear_is_removed_as_a_whole(queue: Queue) -> None:
    queue.deals(1, 2, 3)
    process = queue.get(clear=0)["process_id"]
    assert len(queue.get(process_id=process, limit=1)["events"]) == 1
    assert queue.list() == []


def test_failed_events_come_back_only_to_who_asks_for_them(queue: Queue) -> None:
    queue.deals(1, 2)
    batch = queue.get(clear=0)
    queue.ask("error", process_id=batch["process_id"], message_id=[batch["events"][0]["MESSAGE_ID"]])
    assert queue.get()["events"] == []
    assert [deal(record) for record in queue.get(error=1)["events"]] == [1]


def test_error_with_another_process_id_drops_the_events(queue: Queue) -> None:
    queue.deals(1)
    batch = queue.get(clear=0)
    queue.ask("error", process_id="other", message_id=[batch["events"][0]["MESSAGE_ID"]])
    assert queue.list() == []


def test_the_portal_forgets_reserved_events_after_a_month(queue: Queue, clock: Clock) -> None:
    queue.deals(1)
    queue.get(clear=0)
    queue.deals(2)
    clock.pass_by(RESERVED_FOR + 1)
    queue.caller.portal.portal.credentials.issue()
    assert [deal(record) for record in queue.list()] == [2]


def test_an_event_that_repeats_another_renews_it_until_that_is_reserved(queue: Queue, clock: Clock) -> None:
    queue.deals(7)
    clock.pass_by(60)
    queue.deals(7)
    (record,) = queue.get(clear=0)["events"]
    queue.deals(7)
    (newer,) = queue.get(clear=0)["events"]
    assert record["MESSAGE_ID"] == newer["MESSAGE_ID"]
    assert record["ID"] != newer["ID"]


def test_source_keys_divide_the_queue(queue: Queue, caller: Caller) -> None:
    keyed = {"event": DEAL, "event_type": "offline", "auth_connector": "airflow"}
    caller.result("event.bind", keyed, oauth=True)
    queue.deals(1)
    assert len(queue.list()) == len(queue.list(auth_connector="airflow")) == 1
    queue.get(auth_connector="airflow")
    assert len(queue.list()) == 1


@pytest.mark.parametrize(
    ("conditions", "found"),
    [
        ({"=EVENT_NAME": DEAL}, [1, 2, 3]),
        ({"EVENT_NAME": REPLY}, []),
        ({">ID": 1, "<=ID": 2}, [2]),
        ({">=TIMESTAMP_X": "2026-01-01T00:00:00+00:00"}, [1, 2, 3]),
    ],
)
def test_filters_choose_events(queue: Queue, conditions: dict[str, Any], found: list[int]) -> None:
    queue.deals(1, 2, 3)
    assert [deal(record) for record in queue.get(filter=conditions)["events"]] == found


def test_order_and_pages(queue: Queue) -> None:
    queue.deals(*range(1, 61))
    assert deal(queue.get(order={"ID": "DESC"}, limit=1)["events"][0]) == 60
    assert (len(queue.list()), len(queue.list(start=50))) == (50, 9)


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("get", {"limit": 0}),
        ("get", {"filter": {"=PROCESS_ID": "x"}}),
        ("get", {"filter": {"!ID": 1}}),
        ("get", {"filter": {"=EVENT_NAME": [DEAL]}}),
        ("get", {"filter": "x"}),
        ("get", {"order": {"ID": "UP"}}),
        ("get", {"order": {"NAME": "ASC"}}),
        ("get", {"order": "x"}),
        ("clear", {}),
        ("clear", {"process_id": "x", "id": 5}),
        ("clear", {"process_id": "x", "id": ["y"]}),
        ("clear", {"process_id": "x", "message_id": ["short"]}),
        ("error", {"message_id": []}),
        ("error", {"process_id": "x"}),
    ],
)
def test_bad_parameters_are_refused(caller: Caller, method: str, params: dict[str, Any]) -> None:
    assert caller.error(f"event.offline.{method}", params, oauth=True) == (400, "ERROR_ARGUMENT")


# ---- what connectors raise ----


@pytest.fixture
def shop(caller: Caller, queue: Queue) -> Shop:
    shop = Shop(caller)
    caller.portal.lines.install_connector("shop", shop.line)
    return shop


def chat_of(shop: Shop, outside: str = "c1") -> int:
    shop.send(row("m1", chat={"id": outside}))
    conversation = shop.caller.portal.lines.conversation(shop.line, chat=outside)
    assert conversation is not None
    return conversation.chat.id


def test_an_operator_s_message_is_an_event_with_what_the_delivery_status_needs(
    shop: Shop, queue: Queue
) -> None:
    chat = chat_of(shop)
    message = shop.caller.portal.lines.reply(chat, "On its way", user_id=2)
    (record,) = queue.get()["events"]
    assert (record["EVENT_NAME"], record["EVENT_ADDITIONAL"]) == (REPLY, {"user_id": "2"})
    assert record["EVENT_DATA"] == {
        "CONNECTOR": "shop",
        "LINE": shop.line,
        "MESSAGES": [
            {
                "im": {"chat_id": chat, "message_id": message.id},
                "message": {"user_id": 2, "text": "[b]Anna Petrova:[/b] [br]On its way"},
                "chat": {"id": "c1"},
            }
        ],
    }


def test_each_message_is_kept(shop: Shop, queue: Queue) -> None:
    chat = chat_of(shop)
    for _ in range(3):
        shop.caller.portal.lines.reply(chat, "Hello?")
    assert len(queue.get()["events"]) == 3


def test_a_portal_that_collapses_messages_keeps_the_last_of_each_conversation(
    shop: Shop, queue: Queue, portal: Emulator
) -> None:
    portal.quirks.collapse_messages = True
    first, second = chat_of(shop), chat_of(shop, "c2")
    for chat, text in ((first, "One"), (second, "Two"), (first, "Three")):
        portal.lines.reply(chat, text)
    rows = [record["EVENT_DATA"]["MESSAGES"][0] for record in queue.get()["events"]]
    assert [row["message"]["text"].rpartition("[br]")[2] for row in rows] == ["Three", "Two"]


def test_messages_of_customers_and_of_live_chats_are_no_events(
    shop: Shop, queue: Queue, portal: Emulator
) -> None:
    chat_of(shop)
    portal.lines.reply(portal.lines.add_crm_chat("deal", 288), "Hello")
    assert queue.get()["events"] == []


def test_the_beginning_and_the_end_of_a_session_are_events(
    shop: Shop, queue: Queue, caller: Caller, portal: Emulator
) -> None:
    for event in ("ONIMCONNECTORDIALOGSTART", "ONIMCONNECTORDIALOGFINISH"):
        caller.result("event.bind", {"event": event, "event_type": "offline"}, oauth=True)
    chat = chat_of(shop)
    portal.lines.finish(chat)
    portal.lines.finish(chat)
    events = queue.get()["events"]
    assert [record["EVENT_NAME"][-6:] for record in events] == ["GSTART", "FINISH"]
    rows = [record["EVENT_DATA"]["DATA"][0] for record in events]
    assert [row["session"]["closed"] for row in rows] == ["N", "Y"]
    assert {row["chat"]["id"] for row in rows} == {"c1"}
