"""The official Python SDK, as it is, works with the emulated portal and sees what it expects."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("b24pysdk", reason="b24pysdk is not installed")

from b24pysdk import Client
from b24pysdk.constants.vote import VoteAttachedEntityType, VoteAttachedModule
from b24pysdk.credentials import BitrixApp, BitrixToken, BitrixWebhook
from b24pysdk.errors import (
    BitrixAPIAccessDenied,
    BitrixAPIBadRequest,
    BitrixAPIError,
    BitrixAPIInsufficientScope,
    BitrixAPIInvalidCredentials,
    BitrixAPIWrongAuthType,
    BitrixResponseJSONDecodeError,
)
from b24pysdk.errors.oauth import BitrixOAuthInvalidClient, BitrixOAuthInvalidGrant

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator

ICON = {"DATA_IMAGE": "data:image/svg+xml;charset=US-ASCII,%3Csvg%2F%3E"}
HANDLER = "https://127.0.0.1/settings"


def domain(portal: Emulator) -> str:
    return portal.url.removeprefix("https://")


@pytest.fixture
def webhook(portal: Emulator) -> Any:
    return Client(BitrixWebhook(domain=domain(portal), webhook_token=f"1/{portal.webhook_code}"))


def token_of(portal: Emulator, *, secret: str | None = None) -> BitrixToken:
    application = portal.application
    app = BitrixApp(client_id=application.client_id, client_secret=secret or application.client_secret)
    return BitrixToken(
        domain=domain(portal),
        auth_token=application.access_token,
        refresh_token=application.refresh_token,
        bitrix_app=app,
    )


@pytest.fixture
def token(portal: Emulator) -> BitrixToken:
    return token_of(portal)


@pytest.fixture
def application(token: BitrixToken) -> Any:
    return Client(token)


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


@pytest.fixture
def chat_id(portal: Emulator) -> int:
    return portal.add_chat("Releases", members=[1, 2, 3])


@pytest.fixture
def poll(webhook: Any, chat_id: int) -> dict[str, Any]:
    """A poll that lets people change their votes: where it is, and what it has."""
    sent = ask(webhook, chat_id, options=1)
    where = place(sent["messageId"])
    attach = webhook.vote.attached_vote.get(**where).result["attach"]
    question_id, question = next(iter(attach["QUESTIONS"].items()))
    return {
        "where": where,
        "attach": attach,
        "question": question_id,
        "answers": list(question["ANSWERS"]),
        "message": sent["messageId"],
    }


# ---- polls ----


def test_a_poll_is_sent_and_read_by_message(webhook: Any, poll: dict[str, Any]) -> None:
    attach = poll["attach"]
    assert (attach["entityId"], attach["COUNTER"], attach["ANONYMITY"]) == (poll["message"], 0, 1)
    assert attach["userAnswerMap"] == []
    assert (attach["canVote"], attach["canEdit"], attach["isFinished"]) == (True, True, False)
    question = attach["QUESTIONS"][poll["question"]]
    assert (question["QUESTION"], question["COUNTER"], question["FIELD_TYPE"]) == ("Deploy?", "0", "0")
    assert [answer["MESSAGE"] for answer in question["ANSWERS"].values()] == ["Yes", "No"]


def test_the_time_of_a_reply_is_understood(webhook: Any, chat_id: int) -> None:
    taken = webhook.im.dialog.get(dialog_id=f"chat{chat_id}").time
    assert taken.finish >= taken.start
    assert taken.date_start.tzinfo is not None
    assert taken.operating == 0
    assert taken.operating_reset_at is not None


def test_a_poll_is_named_by_attach_id_and_by_signature_too(webhook: Any, poll: dict[str, Any]) -> None:
    attached = webhook.vote.attached_vote
    by_id = attached.get(attach_id=poll["attach"]["ID"]).result["attach"]
    signed = attached.get(signed_attach_id=poll["attach"]["signedAttachId"]).result["attach"]
    assert by_id["entityId"] == signed["entityId"] == poll["message"]


def test_the_same_template_id_sends_one_poll(webhook: Any, portal: Emulator, chat_id: int) -> None:
    template_id = str(uuid.uuid4())
    first = ask(webhook, chat_id, template_id=template_id)
    second = ask(webhook, chat_id, template_id=template_id)
    assert second["messageId"] == first["messageId"]
    assert second["voteId"] != first["voteId"]
    assert len(portal.messages(chat_id)) == 1


def test_a_vote_is_counted(webhook: Any, poll: dict[str, Any]) -> None:
    ballot = {poll["question"]: [poll["answers"][0]]}
    attach = webhook.vote.attached_vote.vote(ballot=ballot, **poll["where"]).result["attach"]
    assert (attach["COUNTER"], attach["isVoted"], attach["canRevote"]) == (1, True, True)
    assert attach["QUESTIONS"][poll["question"]]["ANSWERS"][poll["answers"][0]]["COUNTER"] == 1
    assert list(attach["userAnswerMap"][poll["question"]]) == [poll["answers"][0]]


def test_a_ballot_with_an_unknown_answer_comes_back_empty(webhook: Any, poll: dict[str, Any]) -> None:
    voted = webhook.vote.attached_vote.vote(ballot={poll["question"]: ["1"]}, **poll["where"])
    assert voted.result == []


def test_a_vote_is_taken_back(webhook: Any, poll: dict[str, Any]) -> None:
    attached = webhook.vote.attached_vote
    _ = attached.vote(ballot={poll["question"]: [poll["answers"][0]]}, **poll["where"]).result
    attach = attached.recall(**poll["where"]).result["attach"]
    assert (attach["COUNTER"], attach["isVoted"]) == (0, False)


def test_a_poll_is_stopped_and_resumed(webhook: Any, poll: dict[str, Any]) -> None:
    attached, where = webhook.vote.attached_vote, poll["where"]
    assert attached.stop(**where).result == []
    assert attached.get(**where).result["attach"]["isFinished"] is True
    assert attached.resume(**where).result == []
    assert attached.get(**where).result["attach"]["isFinished"] is False


def test_many_polls_are_read_at_once(webhook: Any, chat_id: int) -> None:
    ids = [ask(webhook, chat_id)["messageId"] for _ in range(3)]
    kind = VoteAttachedEntityType.IM_MESSAGE.value
    wanted = [ids[2], ids[0]]
    items = webhook.vote.attached_vote.get_many("Im", kind, wanted).result["items"]
    assert [item["entityId"] for item in items] == wanted
    assert webhook.vote.attached_vote.get_many("Im", kind, [*ids, 1]).result == []


def test_voters_are_listed(webhook: Any, portal: Emulator, poll: dict[str, Any]) -> None:
    for user_id in (2, 3):
        portal.vote(poll["message"], user_id=user_id, answers=["Yes"])
    yes = poll["answers"][0]
    listed = webhook.vote.attached_vote.get_with_voted(**poll["where"]).result
    assert [user["ID"] for user in listed["voted"][yes]] == [2, 3]
    answer = webhook.vote.attached_vote.get_answer_voted(answer_id=int(yes), **poll["where"]).response
    assert [user["ID"] for user in answer.result["items"]] == [2, 3]
    assert answer.total == 2


def test_the_report_is_a_spreadsheet_and_no_json(webhook: Any, poll: dict[str, Any]) -> None:
    with pytest.raises(BitrixResponseJSONDecodeError) as refused:
        _ = webhook.vote.attached_vote.download(**poll["where"]).result
    reply = refused.value.response
    assert reply.headers["Content-Disposition"].endswith(f"vote{poll['attach']['VOTE_ID']}.xls")
    assert b"Deploy?" in reply.content


def test_a_poll_that_is_not_there_is_a_bad_request(webhook: Any) -> None:
    with pytest.raises(BitrixAPIBadRequest) as refused:
        _ = webhook.vote.attached_vote.get(attach_id=1).result
    assert refused.value.error == "ATTACH_NOT_FOUND"


def test_a_stopped_poll_takes_no_vote(webhook: Any, portal: Emulator, poll: dict[str, Any]) -> None:
    portal.poll(poll["message"]).date_end = int(time.time()) - 5
    with pytest.raises(BitrixAPIError) as refused:
        _ = webhook.vote.attached_vote.vote(
            ballot={poll["question"]: poll["answers"][:1]}, **poll["where"]
        ).result
    assert refused.value.error_description == "The poll is inactive."


# ---- chats ----


def test_a_chat_is_opened_written_to_and_read(webhook: Any) -> None:
    chat_id = webhook.im.chat.add(title="Nightly", users=[2, 3], type="CHAT").result
    assert isinstance(chat_id, int)
    message_id = webhook.im.message.add(dialog_id=f"chat{chat_id}", message="Loaded").result
    read = webhook.im.dialog.messages.get(dialog_id=f"chat{chat_id}").result
    assert read["chat_id"] == chat_id
    assert (read["messages"][0]["id"], read["messages"][0]["text"]) == (message_id, "Loaded")
    assert webhook.im.dialog.get(dialog_id=f"chat{chat_id}").result["name"] == "Nightly"


def test_chats_are_found_by_title_and_listed(webhook: Any, chat_id: int) -> None:
    found = webhook.im.search.chat.list(find="Relea").result
    assert [chat["id"] for chat in found] == [chat_id]
    listed = webhook.im.recent.list().result["items"]
    assert f"chat{chat_id}" in [item["id"] for item in listed]


def test_a_deleted_message_takes_its_poll_along(webhook: Any, poll: dict[str, Any]) -> None:
    assert webhook.im.message.delete(message_id=poll["message"]).result is True
    with pytest.raises(BitrixAPIBadRequest):
        _ = webhook.vote.attached_vote.get(**poll["where"]).result


# ---- connectors ----


@pytest.fixture
def line(application: Any) -> int:
    """A line on which the application's connector works."""
    registered = application.imconnector.register(
        bitrix_id="Airflow_Conn", name="Airflow", icon=ICON, placement_handler=HANDLER, chat_group=False
    ).result
    assert registered == {"result": True}
    number = int(application.imopenlines.config.list.get().result[0]["ID"])
    assert application.imconnector.activate("airflow_conn", number, True).result is True
    return number


def row(outside_id: str, text: str = "Load failed", *, user: str = "u42") -> dict[str, Any]:
    return {
        "user": {"id": user, "name": "Air", "last_name": "Flow"},
        "message": {"id": outside_id, "date": 1760000000, "text": text},
        "chat": {"id": "dag-x", "name": "dag x", "url": "https://af.example/dags/x"},
    }


def test_a_connector_is_registered_switched_on_and_off(application: Any, line: int) -> None:
    status = application.imconnector.status("airflow_conn", line=line).result
    assert status == {
        "LINE": line,
        "CONNECTOR": "airflow_conn",
        "ERROR": False,
        "CONFIGURED": True,
        "STATUS": True,
    }
    assert application.imconnector.list().result["airflow_conn"] == "Airflow"
    data = {"ID": "1", "NAME": "Airflow", "URL": "https://af.example"}
    assert application.imconnector.connector.data.set("airflow_conn", line, data).result is True
    assert application.imconnector.activate("airflow_conn", line, False).result is True
    assert application.imconnector.status("airflow_conn", line=line).result["STATUS"] is False
    assert application.imconnector.unregister(bitrix_id="airflow_conn").result == {"result": True}


def test_a_registration_that_fails_says_so_with_http_200(application: Any) -> None:
    with pytest.raises(BitrixAPIError) as refused:
        _ = application.imconnector.register(
            bitrix_id="x", name="x", icon={"COLOR": "#fff"}, placement_handler=HANDLER
        ).result
    assert (refused.value.error, refused.value.response.status_code) == ("ICON_REQUIRED", 200)


def test_each_message_of_a_call_has_its_own_fate(application: Any, portal: Emulator, line: int) -> None:
    rows = [row("run-1"), row("run-2", text="")]
    sent = application.imconnector.send.messages("airflow_conn", line, rows).result
    good, bad = sent["DATA"]["RESULT"]
    assert (sent["SUCCESS"], good["SUCCESS"], bad["SUCCESS"]) == (True, True, False)
    assert good["message"] == {"id": "run-1", "date": {}, "text": "Load failed"}
    assert good["chat"]["description"].endswith("https://af.example/dags/x")
    assert set(good["session"]) == {"ID", "CHAT_ID"}
    assert bad == {"SUCCESS": False, "ERRORS": ["Not all required data was provided"]}
    messages = portal.messages(int(good["session"]["CHAT_ID"]))
    assert [message.text for message in messages] == ["Load failed"]


def test_messages_are_changed_and_deleted(application: Any, portal: Emulator, line: int) -> None:
    sent = application.imconnector.send.messages("airflow_conn", line, [row("a"), row("b")]).result
    chat = int(sent["DATA"]["RESULT"][0]["session"]["CHAT_ID"])
    changed = application.imconnector.update.messages("airflow_conn", line, [row("a", "Load is back")]).result
    deleted = application.imconnector.delete.messages("airflow_conn", line, [row("b")]).result
    assert changed["SUCCESS"] is deleted["SUCCESS"] is True
    assert "session" not in changed["DATA"]["RESULT"][0]
    assert [message.text for message in portal.messages(chat)] == ["Load is back"]


def test_deliveries_names_and_errors_are_reported(application: Any, portal: Emulator, line: int) -> None:
    sent = application.imconnector.send.messages("airflow_conn", line, [row("a")]).result
    chat = int(sent["DATA"]["RESULT"][0]["session"]["CHAT_ID"])
    answer = portal.portal.lines.reply(chat, "Thank you")
    state = {
        "im": {"chat_id": chat, "message_id": answer.id},
        "message": {"id": ["out-1"]},
        "chat": {"id": "dag-x"},
    }
    quiet = {"SUCCESS": True, "DATA": []}
    assert application.imconnector.send.status.delivery("airflow_conn", line, [state]).result == quiet
    assert application.imconnector.send.status.reading("airflow_conn", line, [state]).result == quiet
    named = application.imconnector.chat.name.set(
        "airflow_conn", line, "dag-x", "Night", user_id="u42"
    ).result
    assert named["SUCCESS"] is True
    assert portal.chat(chat).title == "Night"


def test_connectors_are_not_for_webhooks(webhook: Any) -> None:
    with pytest.raises(BitrixAPIWrongAuthType):
        _ = webhook.imconnector.list().result


def test_a_line_that_is_off_is_named(application: Any, line: int) -> None:
    with pytest.raises(BitrixAPIBadRequest) as refused:
        _ = application.imconnector.send.messages("airflow_conn", line + 100, [row("a")]).result
    assert refused.value.error == "NOT_ACTIVE_LINE"


# ---- open lines ----


def test_a_message_reaches_the_chat_of_a_deal(webhook: Any, portal: Emulator) -> None:
    chat = portal.portal.lines.add_crm_chat("deal", 288)
    listed = webhook.imopenlines.crm.chat.get("deal", 288).result
    assert listed == [{"CHAT_ID": str(chat), "CONNECTOR_ID": "livechat", "CONNECTOR_TITLE": "Live chat"}]
    assert webhook.imopenlines.crm.chat.get_last_id("deal", 288).result == chat
    message_id = webhook.imopenlines.crm.message.add("deal", 288, 2, chat, "Paid").result
    assert [message.id for message in portal.messages(chat)] == [message_id]
    found = webhook.imopenlines.dialog.get(chat_id=chat).result
    assert (found["entity_type"], found["dialog_id"]) == ("LINES", f"chat{chat}")
    assert found["entity_data_1"].startswith("Y|DEAL|288|")
    history = webhook.imopenlines.session.history.get(chat_id=chat).result
    assert history["message"][str(message_id)]["text"] == "Paid"


def test_a_chat_of_another_deal_is_refused(webhook: Any, portal: Emulator) -> None:
    chat = portal.portal.lines.add_crm_chat("deal", 288)
    with pytest.raises(BitrixAPIBadRequest) as refused:
        _ = webhook.imopenlines.crm.message.add("deal", 289, 2, chat, "Paid").result
    assert refused.value.error == "CHAT_NOT_IN_CRM"


def test_an_item_that_is_hidden_is_refused(webhook: Any, portal: Emulator) -> None:
    portal.portal.lines.bindings.deny("deal", 288, 1)
    with pytest.raises(BitrixAPIAccessDenied):
        _ = webhook.imopenlines.crm.chat.get("deal", 288).result


def test_lines_are_configured(webhook: Any, portal: Emulator) -> None:
    line = portal.portal.lines.add("Night shift")
    found = webhook.imopenlines.config.get(line, with_queue=True).result
    assert (found["ID"], found["LINE_NAME"], found["ACTIVE"]) == (str(line), "Night shift", "Y")
    assert found["QUEUE"]


# ---- batches ----


def test_a_batch_keeps_results_and_errors_apart(webhook: Any, poll: dict[str, Any]) -> None:
    attached = webhook.vote.attached_vote
    calls = {"good": attached.get(**poll["where"]), "bad": attached.get(attach_id=1)}
    result = webhook.call_batch(calls).result
    assert result.result["good"]["attach"]["entityId"] == poll["message"]
    assert result.result_error["bad"]["error"] == "ATTACH_NOT_FOUND"
    assert "bad" not in result.result


def test_connector_messages_go_in_batches_too(application: Any, line: int) -> None:
    calls = [application.imconnector.send.messages("airflow_conn", line, [row(f"run-{n}")]) for n in range(2)]
    results = application.call_batch(calls).result.result
    assert [item["DATA"]["RESULT"][0]["SUCCESS"] for item in results] == [True, True]


def test_sixty_calls_are_more_than_one_batch(webhook: Any, chat_id: int) -> None:
    calls = [webhook.im.dialog.get(dialog_id=f"chat{chat_id}") for _ in range(60)]
    results = webhook.call_batches(calls).result
    assert len(results.result) == 60


# ---- authorisation ----


def test_an_expired_token_is_refreshed_and_the_call_repeated(
    portal: Emulator, token: BitrixToken, application: Any
) -> None:
    old = (token.auth_token, token.refresh_token)
    portal.expire_access_token()
    assert application.user.current().result["ID"] == "1"
    assert token.auth_token == portal.application.access_token
    assert (token.auth_token, token.refresh_token) != old


def test_a_refresh_token_works_once(portal: Emulator, token: BitrixToken) -> None:
    twin = token_of(portal)
    renewed = token.refresh_oauth_token()
    assert renewed.portal_domain == "127.0.0.1"
    assert (renewed.user_id, renewed.oauth_token.expires_in) == (1, 3600)
    with pytest.raises(BitrixOAuthInvalidGrant):
        twin.refresh_oauth_token()


def test_a_wrong_secret_refreshes_nothing(portal: Emulator) -> None:
    with pytest.raises(BitrixOAuthInvalidClient):
        token_of(portal, secret="wrong").refresh_oauth_token()


def test_a_wrong_webhook_is_refused(portal: Emulator) -> None:
    client = Client(BitrixWebhook(domain=domain(portal), webhook_token="1/wrong"))
    with pytest.raises(BitrixAPIInvalidCredentials):
        _ = client.user.current().result


def test_a_webhook_without_the_scope_is_refused(webhook: Any, portal: Emulator) -> None:
    portal.portal.credentials.webhook.scopes.discard("vote")
    with pytest.raises(BitrixAPIInsufficientScope):
        _ = webhook.vote.attached_vote.get(attach_id=1).result
