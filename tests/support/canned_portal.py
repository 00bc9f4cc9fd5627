"""A portal that answers each method with one fixed reply, without a socket."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.rest.auth import WebhookCredentials
from airflow_provider_b24.rest.client import Bitrix24Client
from airflow_provider_b24.rest.redaction import Secret
from airflow_provider_b24.rest.transport import HttpReply

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.rest.transport import HttpRequest

PORTAL = "https://acme.bitrix24.com"
MESSAGE, VOTE, ATTACH, QUESTION, ANSWER = 5012, 77, 91, 140, 301
TEMPLATE = "0c3c5ad6-a1b8-4d4d-9234-f137ef862a77"
MANY = 60

_TIME = {
    "start": 1760000000.1,
    "finish": 1760000000.2,
    "duration": 0.1,
    "processing": 0.08,
    "date_start": "2025-10-09T10:00:00+02:00",
    "operating_reset_at": 1760000600,
    "operating": 0.1,
}


def answer(number: int, text: str, votes: int) -> dict[str, Any]:
    return {
        "ID": str(ANSWER + number),
        "C_SORT": str(10 * (number + 1)),
        "QUESTION_ID": str(QUESTION),
        "MESSAGE": text,
        "COUNTER": str(votes),
        "PERCENT": 50,
    }


def attach(*, finished: bool, voted: bool) -> dict[str, Any]:
    """A poll as the portal describes it, without the fields that nobody reads."""
    mine = {str(QUESTION): {str(ANSWER): {"ANSWER_ID": str(ANSWER)}}}
    answers = {str(ANSWER): answer(0, "Yes", MANY), str(ANSWER + 1): answer(1, "No", 0)}
    question = {
        "ID": str(QUESTION),
        "C_SORT": "10",
        "COUNTER": str(MANY),
        "QUESTION": "Deploy?",
        "FIELD_TYPE": "0",
        "ANSWERS": answers,
    }
    return {
        "ID": ATTACH,
        "VOTE_ID": VOTE,
        "COUNTER": MANY,
        "QUESTIONS": {str(QUESTION): question},
        "ANONYMITY": 1,
        "OPTIONS": 1,
        "userAnswerMap": mine if voted else [],
        "canEdit": True,
        "canVote": not voted,
        "canRevote": True,
        "isVoted": voted,
        "isFinished": finished,
        "resultUrl": "/vote-result/me7hn922bm011mbf",
        "entityId": MESSAGE,
    }


def person(number: int) -> dict[str, Any]:
    return {"ID": number, "NAME": f"Ann {number}", "IMAGE": "", "WORK_POSITION": ""}


def delivered(message_id: str) -> dict[str, Any]:
    return {
        "user": "585",
        "message": {"id": message_id, "date": {}, "text": "Hi"},
        "SUCCESS": True,
        "session": {"ID": "323", "CHAT_ID": "1767"},
    }


def posted(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "author_id": 2,
        "date": "2025-10-09T10:00:00+02:00",
        "text": "Because.",
        "uuid": None,
        "params": {"REPLY_ID": str(MESSAGE)},
    }


def session_history() -> dict[str, Any]:
    """A session as the portal describes it, without the fields that nobody reads."""
    message = {
        "id": "85851",
        "senderid": "103",
        "date": "2026-03-11T13:12:46+01:00",
        "text": "Hi",
        "params": {"connectorMid": ["85853"], "fileId": [5437]},
    }
    return {
        "chatId": 1763,
        "sessionId": 321,
        "message": {"85851": message},
        "users": {"103": {"id": "103", "name": "Ann", "connector": False}},
        "files": {"5437": {"id": 5437, "name": "x.png", "size": 9, "urldownload": "https://acme.example/x"}},
    }


def _replies() -> dict[str, dict[str, Any]]:
    chat = {"id": 1489, "name": "Team"}
    history = {"chat_id": 1489, "messages": [posted(MESSAGE + 1)], "users": [{"id": 2, "name": "Ann"}]}
    deliveries = {"SUCCESS": True, "DATA": {"RESULT": [delivered("m1"), delivered("m2")]}}
    results: dict[str, Any] = {
        "vote.Integration.Im.send": {"messageId": MESSAGE, "voteId": VOTE},
        "vote.AttachedVote.get": {"attach": attach(finished=False, voted=False)},
        "vote.AttachedVote.getMany": {"items": [attach(finished=False, voted=False)]},
        "vote.AttachedVote.getWithVoted": {
            "attach": attach(finished=False, voted=False),
            "voted": {str(ANSWER): [person(number) for number in range(1, 51)]},
        },
        "vote.AttachedVote.getAnswerVoted": {"items": [person(1), person(2)]},
        "vote.AttachedVote.vote": {"attach": attach(finished=False, voted=True)},
        "vote.AttachedVote.recall": {"attach": attach(finished=False, voted=False)},
        "vote.AttachedVote.stop": [],
        "vote.AttachedVote.resume": [],
        "im.message.add": 5013,
        "im.chat.user.list": [1, 2, 61],
        "im.user.list.get": {"61": {"id": 61, "name": "Bob", "active": True, "bot": False}},
        "im.search.chat.list": [chat],
        "im.dialog.messages.get": history,
        "imconnector.send.messages": deliveries,
        "imconnector.update.messages": deliveries,
        "imconnector.delete.messages": deliveries,
        "imconnector.list": {"livechat": "Live chat", "shop": "Shop"},
        "imconnector.status": {
            "LINE": 12,
            "CONNECTOR": "shop",
            "ERROR": False,
            "CONFIGURED": True,
            "STATUS": True,
        },
        "imconnector.register": {"result": True},
        "imconnector.activate": True,
        "imconnector.connector.data.set": True,
        "imconnector.send.status.delivery": {"SUCCESS": True, "DATA": []},
        "imconnector.send.status.reading": {"SUCCESS": True, "DATA": []},
        "imconnector.chat.name.set": {"SUCCESS": True, "DATA": {"RESULT": {}}},
        "user.option.get": None,
        "user.option.set": True,
        "imopenlines.config.list.get": [
            {"ID": "12", "LINE_NAME": "Support", "ACTIVE": "Y"},
            {"ID": "15", "LINE_NAME": "Sales", "ACTIVE": "N"},
        ],
        "imopenlines.session.history.get": session_history(),
        "imopenlines.dialog.get": {
            "id": 1763,
            "name": "John - Support",
            "entity_id": "livechat|22|1761|587",
            "entity_data_1": "Y|LEAD|1205|N|N|321|1773223732|0|0|0",
        },
        "imopenlines.crm.chat.getLastId": 1763,
        "imopenlines.crm.message.add": 19880117,
        "imopenlines.crm.chat.get": [{"CHAT_ID": "1763", "CONNECTOR_ID": "livechat"}],
        "profile": {"ID": "1", "ADMIN": True, "NAME": "Ann", "LAST_NAME": "Petrova"},
        "scope": ["vote", "im", "imopenlines"],
        "user.get": [{"ID": "1"}, {"ID": "2"}],
    }
    paged = {"vote.AttachedVote.getAnswerVoted", "im.search.chat.list", "user.get"}
    return {
        method: {"result": result, **(_counted(result) if method in paged else {}), "time": _TIME}
        for method, result in results.items()
    }


def _counted(result: Any) -> dict[str, int]:
    rows = result["items"] if isinstance(result, dict) else result
    return {"total": len(rows), "next": 50}


class CannedPortal:
    """A transport that answers each method with its reply, changed on the way.

    :param change: takes a method and its reply, and returns the body.
    :param replies: replies to take instead of the usual ones.
    """

    def __init__(
        self,
        change: Callable[[str, dict[str, Any]], bytes] | None = None,
        *,
        replies: dict[str, dict[str, Any]] | None = None,
    ) -> None:
        self.replies = {**_replies(), **(replies or {})}
        self.seen: dict[str, dict[str, Any]] = {}
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self._change = change or (lambda _, reply: json.dumps(reply).encode())

    def send(self, request: HttpRequest) -> HttpReply:
        method = request.url.reveal().rsplit("/", 1)[-1]
        params = json.loads(request.body)
        self.sent.append((method, params))
        if method == "vote.AttachedVote.download":
            reply: dict[str, Any] = {"result": None}
        else:
            reply = copy.deepcopy(self._batch(params) if method == "batch" else self.replies[method])
        self.seen[method] = reply
        return HttpReply(200, self._change(method, reply), "application/json")

    def client(self) -> Bitrix24Client:
        """A client of this portal that never sleeps."""
        credentials = WebhookCredentials(portal=PORTAL, user_id="1", code=Secret("abcdefgh12345678"))
        return Bitrix24Client(
            credentials=credentials,
            transport=self,
            conn_id="canned",
            clock=lambda: 1760000000.0,
            sleep=lambda _: None,
        )

    def _batch(self, params: dict[str, Any]) -> dict[str, Any]:
        methods = {key: command.partition("?")[0] for key, command in params["cmd"].items()}
        return {
            "result": {
                "result": {key: self.replies[method]["result"] for key, method in methods.items()},
                "result_error": [],
                "result_total": [],
                "result_next": [],
                "result_time": dict.fromkeys(methods, _TIME),
            },
            "time": _TIME,
        }
