"""Messages of a connector: each has its fate, and none is sent twice."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.exceptions import (
    Bitrix24AuthTypeError,
    Bitrix24ConnectorError,
    Bitrix24LineNotActiveError,
    Bitrix24NoAnswerError,
    Bitrix24RateLimitError,
    Bitrix24ScopeError,
    Bitrix24TokenRefreshError,
    Bitrix24ValidationError,
    Outcome,
)
from airflow_provider_b24.open_lines.api import MAX_REQUEST_MESSAGES, OpenLinesApi
from tests.support.clients import client_of
from tests.support.oauth_failures import FAILURES, break_oauth_server

from .conftest import NOW, Shop, message

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator
    from airflow_provider_b24.open_lines.report import DeliveryReport

SEND = "imconnector.send.messages"
UPDATE = "imconnector.update.messages"
DELETE = "imconnector.delete.messages"
LOSSES = ["drop_after", "drop_before", "status_502", "status_504", "html", "empty", "truncated"]


def statuses(report: DeliveryReport) -> list[str]:
    return [str(item.status) for item in report.items]


def test_messages_arrive_in_order_and_are_reported(shop: Shop) -> None:
    report = shop.send([message(1), message(2), message(3)])
    assert shop.texts == ["Text 1", "Text 2", "Text 3"]
    conversation = shop.portal.lines.conversation(shop.line)
    assert conversation is not None
    assert report.to_dict() == {
        "accepted": 3,
        "rejected": 0,
        "unknown": 0,
        "items": [
            {
                "message_id": f"m{number}",
                "status": "accepted",
                "errors": [],
                "chat_id": conversation.chat.id,
                "session_id": conversation.session_id,
            }
            for number in (1, 2, 3)
        ],
    }


def test_the_request_has_the_documented_structure(shop: Shop) -> None:
    row = message(user_id=3, disable_crm="Y", date="2026-01-01T00:00:00Z")
    row["user"]["gender"] = "female"
    shop.send([row])
    assert shop.portal.requests[-1].params == {
        "CONNECTOR": "shop",
        "LINE": shop.line,
        "MESSAGES": [
            {
                "user": {"id": "u1", "name": "Ann", "sex": "female", "gender": "female"},
                "message": {
                    "id": "m1",
                    "text": "Text 1",
                    "user_id": 3,
                    "disable_crm": "Y",
                    "date": 1_767_225_600,
                },
                "chat": {"id": "c1"},
            }
        ],
    }


def test_messages_may_come_from_a_generator(shop: Shop) -> None:
    assert shop.send(message(number) for number in range(3)).accepted == 3


def test_one_rejected_message_does_not_affect_the_others(shop: Shop) -> None:
    shop.portal.lines.reject("bad", "The user cannot be created")
    report = shop.send([message(1), message(2, user="bad"), message(3)])
    assert statuses(report) == ["accepted", "rejected", "accepted"]
    assert report.items[1].errors == ("The user cannot be created",)
    assert shop.texts == ["Text 1", "Text 3"]


def test_a_paused_line_rejects_messages(shop: Shop) -> None:
    shop.portal.lines.pause(shop.line)
    report = shop.send([message(1)])
    assert statuses(report) == ["rejected"]
    assert report.items[0].errors == ("the open line did not take the message",)


# Many messages


def test_messages_are_split_into_requests_within_the_time_limit(shop: Shop) -> None:
    # The portal may wait six seconds for the lock of each message, and a request has sixty.
    assert MAX_REQUEST_MESSAGES * 6 <= 60
    count = 2 * MAX_REQUEST_MESSAGES + 3
    report = shop.send([message(number) for number in range(count)])
    assert [item.message_id for item in report.items] == [f"m{number}" for number in range(count)]
    assert shop.texts == [f"Text {number}" for number in range(count)]
    assert [len(request.params["MESSAGES"]) for request in shop.portal.requests] == [
        MAX_REQUEST_MESSAGES,
        MAX_REQUEST_MESSAGES,
        3,
    ]


def test_one_invalid_message_sends_nothing(shop: Shop) -> None:
    rows = [message(number) for number in range(3 * MAX_REQUEST_MESSAGES)]
    del rows[-1]["chat"]
    with pytest.raises(Exception, match=rf"messages\[{3 * MAX_REQUEST_MESSAGES - 1}\]: needs 'chat'"):
        shop.send(rows)
    assert shop.portal.requests.count() == 0


# Lost replies


def nameless(number: int) -> dict[str, Any]:
    """A message of a new conversation that no search finds, because nothing in it has a name."""
    return {
        "user": {"id": f"p{number}"},
        "message": {"id": f"m{number}", "text": f"Text {number}"},
        "chat": {"id": f"c{number}"},
    }


def leave_chat(shop: Shop) -> None:
    """Make the account read the conversation by its session."""
    conversation = shop.portal.lines.conversation(shop.line)
    assert conversation is not None
    conversation.chat.members.remove(1)


@pytest.mark.parametrize("kind", LOSSES)
def test_a_lost_reply_is_verified_by_reading_the_conversation(shop: Shop, kind: str) -> None:
    shop.portal.faults.add(kind, method=SEND, after=1)
    report = shop.send([message(number) for number in range(3 * MAX_REQUEST_MESSAGES)])

    assert statuses(report) == ["accepted"] * (3 * MAX_REQUEST_MESSAGES)
    assert shop.texts == [f"Text {number}" for number in range(3 * MAX_REQUEST_MESSAGES)]
    assert all(item.chat_id for item in report.items)


def test_messages_that_are_not_there_are_sent_again_when_the_request_has_ended(shop: Shop) -> None:
    shop.portal.faults.add("drop_before", method=SEND, after=1)
    report = shop.send([message(number) for number in range(2 * MAX_REQUEST_MESSAGES)])

    assert report.accepted == 2 * MAX_REQUEST_MESSAGES
    assert shop.slept[0] == pytest.approx(60.0)
    assert shop.portal.requests.count(SEND) == 3


def test_messages_that_are_there_need_no_wait(shop: Shop) -> None:
    shop.portal.faults.add("drop_after", method=SEND, after=1)
    shop.send([message(number) for number in range(2 * MAX_REQUEST_MESSAGES)])
    assert shop.slept == []


def test_a_conversation_is_read_by_its_session_where_the_account_is_no_member(shop: Shop) -> None:
    shop.send([message(0)])
    leave_chat(shop)
    shop.portal.faults.add("drop_after", method=SEND)
    report = shop.send([message(1)])
    assert statuses(report) == ["unknown"]

    api = OpenLinesApi(client_of(shop.portal, auth="oauth"), clock=lambda: shop.now, sleep=lambda _: None)
    shop.portal.faults.add("drop_after", method=SEND, after=1)
    report = api.send(connector="shop", line=shop.line, messages=[message(number) for number in range(2, 22)])
    assert report.accepted == 20
    assert shop.portal.requests.count("imopenlines.session.history.get") == 1
    assert len(shop.texts) == len(set(shop.texts)) == 22


@pytest.mark.parametrize("reader", ["member", "session"])
@pytest.mark.parametrize(("age", "status"), [(290, "accepted"), (310, "unknown")])
def test_an_id_that_was_in_the_chat_before_does_not_prove_that_a_message_arrived(
    shop: Shop, reader: str, age: int, status: str
) -> None:
    shop.send([message(1)])
    if reader == "session":
        leave_chat(shop)
    shop.now += age
    api = OpenLinesApi(client_of(shop.portal, auth="oauth"), clock=lambda: shop.now, sleep=lambda _: None)
    shop.portal.faults.add("drop_before", method=SEND, after=1)
    first = [message(number) for number in range(10, 20)]
    assert statuses(api.send(connector="shop", line=shop.line, messages=[*first, message(1)]))[-1] == status
    assert shop.portal.requests.count(SEND) == 3


def test_a_new_conversation_is_found_by_its_name(shop: Shop) -> None:
    shop.portal.faults.add("drop_after", method=SEND)
    assert shop.send([message(1)]).accepted == 1
    assert shop.texts == ["Text 1"]


@pytest.mark.parametrize("kind", ["drop_after", "drop_before"])
def test_what_the_portal_does_not_show_is_unknown_and_not_sent_again(shop: Shop, kind: str) -> None:
    shop.portal.faults.add(kind, method=SEND)
    report = shop.send([nameless(1), nameless(2)])

    assert statuses(report) == ["unknown"] * 2
    assert all(item.errors for item in report.items)
    assert shop.portal.requests.count(SEND) == 1


def test_at_least_once_sends_again_what_the_portal_does_not_show(shop: Shop) -> None:
    shop.portal.faults.add("drop_before", method=SEND)
    report = shop.api.send(
        connector="shop", line=shop.line, messages=[nameless(1)], redelivery="at_least_once"
    )
    assert statuses(report) == ["accepted"]


def test_a_message_of_which_the_reply_says_nothing_is_verified_too(shop: Shop) -> None:
    shop.send([message(0)])
    body = '{"result":{"SUCCESS":true,"DATA":{"RESULT":[]}}}'
    shop.portal.faults.add("reply", method=SEND, body=body, executed=True)
    assert statuses(shop.send([message(1)])) == ["accepted"]
    assert shop.texts == ["Text 0", "Text 1"]


def test_sending_continues_after_single_lost_replies(shop: Shop) -> None:
    for after in range(3):
        shop.portal.faults.add("drop_after", method=SEND, after=after)
    report = shop.send([nameless(number) for number in range(6 * MAX_REQUEST_MESSAGES)])
    assert (report.accepted, report.unknown) == (3 * MAX_REQUEST_MESSAGES, 3 * MAX_REQUEST_MESSAGES)


def test_sending_stops_after_two_lost_replies_in_a_row(shop: Shop) -> None:
    shop.portal.faults.add("status_502", method=SEND, times=None)
    report = shop.send([nameless(number) for number in range(5 * MAX_REQUEST_MESSAGES)])
    assert statuses(report) == ["unknown"] * (2 * MAX_REQUEST_MESSAGES) + ["rejected"] * (
        3 * MAX_REQUEST_MESSAGES
    )
    assert report.items[-1].errors == ("not sent, because earlier requests had no response",)
    assert shop.portal.requests.count(SEND) == 2


def test_the_same_messages_are_sent_four_times_at_most(shop: Shop) -> None:
    shop.send([message(0)])
    shop.portal.faults.add("drop_before", method=SEND, times=None)
    report = shop.send([message(1), message(2)])
    assert report.accepted == 0
    assert shop.portal.requests.count(SEND) <= 5


# Invalid messages


def test_invalid_messages_are_reported_and_the_others_are_sent(shop: Shop) -> None:
    rows = [message(1), {**message(2), "user": {}, "extra": 1}, message(3), {**message(1)}]
    report = shop.api.send(connector="shop", line=shop.line, messages=rows, if_invalid="report")

    assert statuses(report) == ["accepted", "rejected", "accepted", "rejected"]
    assert report.items[1].errors == (
        "messages[1]: has no key 'extra'; it knows chat, message, user",
        "messages[1].user: needs 'id'",
    )
    assert report.items[3].errors == (
        "messages[3].message.id: 'm1' is the id of messages[0] in the same chat",
    )
    assert shop.texts == ["Text 1", "Text 3"]


def test_all_invalid_messages_are_named_before_anything_is_sent(shop: Shop) -> None:
    rows = [message(1), {"user": {"id": "u"}}, message(2), {**message(3), "chat": {"id": " "}}]
    with pytest.raises(Bitrix24ValidationError) as caught:
        shop.send(rows)
    assert caught.value.path == "messages[1]"
    assert "messages[3].chat.id: must not be blank" in str(caught.value)
    assert shop.portal.requests.count() == 0


def test_the_same_id_in_another_chat_is_another_message(shop: Shop) -> None:
    other = message(1)
    other["chat"] = {"id": "c2"}
    assert shop.send([message(1), other]).accepted == 2


@pytest.mark.parametrize("if_invalid", ["report", "fail"])
def test_a_text_that_can_not_be_written_is_the_only_one_that_is_not_sent(shop: Shop, if_invalid: str) -> None:
    rows = [message(1), message(2, text="half \ud83d pair"), message(3)]
    if if_invalid == "fail":
        with pytest.raises(Bitrix24ValidationError, match=r"messages\[1\]"):
            shop.send(rows)
        assert shop.texts == []
    else:
        report = shop.api.send(connector="shop", line=shop.line, messages=rows, if_invalid="report")
        assert statuses(report) == ["accepted", "rejected", "accepted"]


def test_the_push_waits_before_the_portal_refuses_its_running_time(shop: Shop) -> None:
    row = {"SUCCESS": True, "session": {"ID": "5", "CHAT_ID": "6"}}
    reply = {
        "result": {"DATA": {"RESULT": [row] * MAX_REQUEST_MESSAGES}},
        "time": {"operating": 400, "operating_reset_at": int(NOW + 90)},
    }
    shop.portal.faults.add("reply", method=SEND, body=json.dumps(reply))
    client = client_of(shop.portal, auth="oauth")
    client.operating._clock = lambda: NOW
    slept: list[float] = []
    api = OpenLinesApi(client, clock=lambda: NOW, sleep=slept.append)
    api.send(connector="shop", line=shop.line, messages=[message(number) for number in range(11)])
    assert slept == [90.0]


@pytest.mark.parametrize("kind", ["status_503_limit", "expired_token"])
def test_a_request_that_was_not_executed_is_retried(shop: Shop, kind: str) -> None:
    shop.portal.faults.add(kind, method=SEND)
    assert shop.send([message(1)]).accepted == 1
    assert shop.texts == ["Text 1"]


# Refusals of a whole request


def test_an_inactive_line_is_an_error(shop: Shop) -> None:
    shop.portal.lines.deactivate(shop.line)
    with pytest.raises(Bitrix24LineNotActiveError, match="Check the line's id") as caught:
        shop.send([message(1)])
    assert caught.value.code == "NOT_ACTIVE_LINE"


def test_an_unknown_connector_is_an_error(shop: Shop) -> None:
    with pytest.raises(Bitrix24ConnectorError, match="Register the connector"):
        shop.api.send(connector="other", line=shop.line, messages=[message(1)])


def between(shop: Shop, happens: Callable[[], object]) -> OpenLinesApi:
    """The open lines of a client to which something happens after its first request."""
    client = client_of(shop.portal, auth="oauth")
    call = client.call

    def call_then(*args: Any, **kwargs: Any) -> Any:
        result = call(*args, **kwargs)
        happens()
        return result

    client.call = call_then  # type: ignore[method-assign]
    return OpenLinesApi(client, clock=lambda: NOW, sleep=lambda _: None)


def test_the_report_is_kept_when_the_line_is_switched_off_midway(shop: Shop) -> None:
    api = between(shop, lambda: shop.portal.lines.deactivate(shop.line))
    rows = [message(number) for number in range(3 * MAX_REQUEST_MESSAGES)]
    report = api.send(connector="shop", line=shop.line, messages=rows)
    assert statuses(report) == ["accepted"] * MAX_REQUEST_MESSAGES + ["rejected"] * (2 * MAX_REQUEST_MESSAGES)
    assert "NOT_ACTIVE_LINE" in report.items[-1].errors[0]
    assert shop.portal.requests.count(SEND) == 2


def test_a_rate_limit_on_the_first_request_is_raised(shop: Shop) -> None:
    shop.portal.faults.add("status_503_limit", method=SEND, times=None)
    with pytest.raises(Bitrix24RateLimitError):
        shop.send([message(1)])
    assert shop.texts == []


def test_a_rate_limit_midway_rejects_the_rest(shop: Shop) -> None:
    shop.portal.faults.add("status_503_limit", method=SEND, times=None, after=1)
    report = shop.send([message(number) for number in range(2 * MAX_REQUEST_MESSAGES)])
    assert statuses(report) == ["accepted"] * MAX_REQUEST_MESSAGES + ["rejected"] * MAX_REQUEST_MESSAGES


@pytest.mark.parametrize("action", ["send", "update", "delete"])
def test_a_webhook_is_refused_with_the_advice_to_use_an_application(shop: Shop, action: str) -> None:
    api = OpenLinesApi(client_of(shop.portal), clock=lambda: NOW, sleep=lambda _: None)
    with pytest.raises(Bitrix24AuthTypeError) as caught:
        getattr(api, action)(connector="shop", line=shop.line, messages=[message(1)])
    assert caught.value.code == "WRONG_AUTH_TYPE"
    assert "Use a connection with an OAuth application: login = client_id" in str(caught.value)
    assert shop.texts == []


def test_an_application_without_the_scope_is_refused(shop: Shop) -> None:
    shop.portal.application.scopes.discard("imopenlines")
    with pytest.raises(Bitrix24ScopeError, match="imopenlines"):
        shop.send([message(1)])


# Changes and deletions


def test_a_message_is_changed_by_its_id(shop: Shop) -> None:
    shop.send([message(1), message(2)])
    report = shop.update([message(2, text="Changed")])
    assert report.to_dict()["items"] == [
        {"message_id": "m2", "status": "accepted", "errors": [], "chat_id": None, "session_id": None}
    ]
    assert shop.texts == ["Text 1", "Changed"]


def test_a_message_is_deleted_by_its_id(shop: Shop) -> None:
    shop.send([message(1), message(2)])
    assert statuses(shop.delete([message(1)])) == ["accepted"]
    assert shop.texts == ["Text 2"]


@pytest.mark.parametrize("kind", ["drop_after", "status_502", "html"])
def test_updates_and_deletions_are_retried_because_they_are_idempotent(shop: Shop, kind: str) -> None:
    shop.send([message(1), message(2)])
    shop.portal.faults.add(kind, method=UPDATE)
    shop.portal.faults.add(kind, method=DELETE)
    assert shop.update([message(1, text="Changed")]).accepted == 1
    assert shop.delete([message(2)]).accepted == 1
    assert shop.texts == ["Changed"]
    assert (shop.portal.requests.count(UPDATE), shop.portal.requests.count(DELETE)) == (2, 2)


def test_an_update_without_a_reply_is_unknown(shop: Shop) -> None:
    shop.send([message(1)])
    shop.portal.faults.add("drop_before", method=UPDATE, times=None)
    assert statuses(shop.update([message(1, text="Changed")])) == ["unknown"]


def test_a_rejected_update_is_reported(shop: Shop) -> None:
    shop.send([message(1)])
    shop.portal.lines.reject("u1", "Blocked")
    assert shop.update([message(1, text="Changed")]).items[0].errors == ("Blocked",)


def test_one_person_may_write_in_two_chats(shop: Shop, portal: Emulator) -> None:
    other = message(2)
    other["chat"] = {"id": "c2"}
    report = shop.send([message(1), other])
    assert len({item.chat_id for item in report.items}) == 2


# The OAuth server


@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize("action", ["send", "update", "delete"])
def test_a_push_while_the_oauth_server_fails_is_raised(shop: Shop, action: str, name: str) -> None:
    shop.portal.expire_access_token()
    break_oauth_server(shop.portal, name)
    with pytest.raises(Bitrix24NoAnswerError, match="OAuth server") as caught:
        getattr(shop, action)([message(number) for number in range(25)])
    error = caught.value

    assert (error.outcome, error.transient) == (Outcome.NOT_EXECUTED, True)
    assert "Let the task retry" in str(error)
    assert shop.texts == []


def test_a_push_with_a_spent_refresh_token_is_raised_with_the_advice(shop: Shop) -> None:
    shop.portal.expire_access_token()
    shop.portal.portal.credentials.use_refresh_token(shop.portal.application.refresh_token)
    with pytest.raises(Bitrix24TokenRefreshError, match="Authorise the application again"):
        shop.send([message(1)])


def test_a_push_whose_oauth_server_recovers_delivers_each_message_once(shop: Shop) -> None:
    shop.portal.expire_access_token()
    break_oauth_server(shop.portal, "bad gateway", times=2)
    report = shop.send([message(1), message(2)])

    assert statuses(report) == ["accepted"] * 2
    assert shop.texts == ["Text 1", "Text 2"]


@pytest.mark.parametrize("spent", [True, False])
def test_a_token_that_expires_midway_rejects_the_rest_with_the_advice(shop: Shop, spent: bool) -> None:
    shop.portal.faults.add("expired_token", method=SEND, after=1, times=None)
    if spent:
        shop.portal.portal.credentials.use_refresh_token(shop.portal.application.refresh_token)
    else:
        break_oauth_server(shop.portal, "bad gateway")
    report = shop.send([message(number) for number in range(MAX_REQUEST_MESSAGES + 5)])

    assert statuses(report) == ["accepted"] * MAX_REQUEST_MESSAGES + ["rejected"] * 5
    advice = "Authorise the application again" if spent else "Let the task retry"
    assert all(advice in " ".join(item.errors) for item in report.items[MAX_REQUEST_MESSAGES:])
