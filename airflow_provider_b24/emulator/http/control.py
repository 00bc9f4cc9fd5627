"""The control API under /emulator/, for demos and tests in other processes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeAlias

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from airflow_provider_b24.emulator.page.routes import is_foreign

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from airflow_provider_b24.emulator.state.chats import Chat, Message
    from airflow_provider_b24.emulator.state.faults import Faults
    from airflow_provider_b24.emulator.state.journal import Journal
    from airflow_provider_b24.emulator.state.polls import Poll, Question
    from airflow_provider_b24.emulator.state.world import World

    Params: TypeAlias = dict[str, Any]
    Action: TypeAlias = Callable[[Params], object]


class ControlApi:
    """What another process may look at and do without the REST API."""

    def __init__(self, world: World, faults: Faults, requests: Journal) -> None:
        self._world = world
        self._faults = faults
        self._requests = requests

    def routes(self) -> list[Route]:
        """Return the routes of the control API."""
        table: list[tuple[str, str, Action]] = [
            ("GET", "state", self._state),
            ("GET", "requests", self._list_requests),
            ("DELETE", "requests", self._clear_requests),
            ("GET", "faults", self._list_faults),
            ("POST", "faults", self._add_fault),
            ("DELETE", "faults", self._clear_faults),
            ("POST", "vote", self._vote),
            ("POST", "stop", self._stop),
            ("POST", "reject", self._reject),
            ("POST", "reply", self._reply),
            ("GET", "events", self._list_events),
            ("POST", "events", self._raise_event),
            ("GET", "users", self._list_users),
            ("POST", "users", self._add_user),
            ("POST", "webhooks", self._add_webhook),
            ("POST", "application", self._set_application),
            ("GET", "chats", self._list_chats),
            ("POST", "chats", self._add_chat),
            ("POST", "messages", self._say),
            ("POST", "members", self._add_member),
            ("DELETE", "members", self._remove_member),
        ]
        return [
            Route(f"/emulator/{path}", self._endpoint(action), methods=[verb]) for verb, path, action in table
        ]

    def _endpoint(self, action: Action) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            if is_foreign(request):
                return _refusal("another site's page may not control this portal", 403)
            try:
                params = await _params(request)
                with self._world.portal.lock:
                    return JSONResponse(action(params))
            except KeyError as error:
                return _refusal(f"{error.args[0]} is missing", 400)
            except LookupError as error:
                return _refusal(str(error), 404)
            except (ValueError, TypeError) as error:
                return _refusal(str(error), 400)

        return answer

    def _state(self, _: Params) -> object:
        portal = self._world.portal
        return {
            "url": portal.url,
            "time": portal.clock(),
            "users": self._list_users({}),
            "chats": self._list_chats({}),
            "polls": [self._poll(poll) for poll in portal.polls],
            "lines": portal.lines.state(),
        }

    def _list_requests(self, _: Params) -> object:
        return [request.to_dict() for request in self._requests]

    def _clear_requests(self, _: Params) -> object:
        self._requests.clear()
        return True

    def _list_faults(self, _: Params) -> object:
        return [fault.to_dict() for fault in self._faults]

    def _add_fault(self, params: Params) -> object:
        return self._faults.add(params.pop("kind"), **params).to_dict()

    def _clear_faults(self, _: Params) -> object:
        self._faults.clear()
        return True

    def _vote(self, params: Params) -> object:
        message_id = int(params["message_id"])
        self._world.vote(message_id, user_id=int(params["user_id"]), answers=params["answers"])
        return self._poll(self._world.poll(message_id))

    def _stop(self, params: Params) -> object:
        message_id = int(params["message_id"])
        self._world.stop_poll(message_id)
        return self._poll(self._world.poll(message_id))

    def _reject(self, params: Params) -> object:
        """Refuse an outside person's connector messages from now on."""
        reason = str(params.get("reason", "The user cannot be created"))
        self._world.lines.reject(str(params["user"]), reason)
        return True

    def _reply(self, params: Params) -> object:
        """Answer in a conversation of an open line as an operator."""
        user_id = int(params.get("user_id", 1))
        return {
            "id": self._world.lines.reply(int(params["chat_id"]), str(params["text"]), user_id=user_id).id
        }

    def _list_events(self, _: Params) -> object:
        return self._world.portal.events.state()

    def _raise_event(self, params: Params) -> object:
        return {"queued": self._world.raise_event(str(params["event"]), params["data"])}

    def _list_users(self, _: Params) -> object:
        return [
            {"id": user.id, "name": user.full_name, "position": user.position, "external": user.external}
            for user in self._world.portal.people
        ]

    def _add_user(self, params: Params) -> object:
        return {"id": self._world.add_user(str(params["name"]))}

    def _add_webhook(self, params: Params) -> object:
        return {"url": self._world.add_webhook(int(params["user_id"]))}

    def _set_application(self, params: Params) -> object:
        self._world.set_application(
            redirect_uri=params.get("redirect_uri"),
            installed=params.get("installed"),
            authorize_at_once=params.get("authorize_at_once"),
        )
        return True

    def _list_chats(self, _: Params) -> object:
        return [_chat(chat) for chat in self._world.portal.chats]

    def _add_chat(self, params: Params) -> object:
        members = [int(number) for number in params.get("members", [1])]
        return {"id": self._world.add_chat(str(params["title"]), members)}

    def _say(self, params: Params) -> object:
        reply_to = int(params["reply_to"]) if params.get("reply_to") else None
        text = str(params["text"])
        return {
            "id": self._world.say(int(params["chat_id"]), int(params["user_id"]), text, reply_to=reply_to)
        }

    def _add_member(self, params: Params) -> object:
        self._world.add_member(int(params["chat_id"]), int(params["user_id"]))
        return True

    def _remove_member(self, params: Params) -> object:
        self._world.remove_member(int(params["chat_id"]), int(params["user_id"]))
        return True

    def _poll(self, poll: Poll) -> dict[str, Any]:
        return _poll(poll, now=self._world.portal.clock())


async def _params(request: Request) -> dict[str, Any]:
    body = await request.body()
    params = json.loads(body) if body else {}
    if not isinstance(params, dict):
        raise TypeError("the body must be a JSON object")
    return {**request.query_params, **params}


def _refusal(text: str, status: int) -> Response:
    return JSONResponse({"error": text}, status_code=status)


def _chat(chat: Chat) -> dict[str, Any]:
    return {
        "id": chat.id,
        "title": chat.title,
        "kind": chat.kind,
        "members": chat.members,
        "messages": [_message(message) for message in chat.messages],
    }


def _message(message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "author_id": message.author_id,
        "text": message.text,
        "date": message.date,
        "params": message.params,
    }


def _poll(poll: Poll, *, now: float) -> dict[str, Any]:
    return {
        "message_id": poll.entity_id,
        "module_id": poll.module_id,
        "chat_id": poll.chat_id,
        "vote_id": poll.vote_id,
        "attach_id": poll.attach_id,
        "author_id": poll.author_id,
        "anonymous": poll.is_anonymous,
        "allow_revote": poll.allows_revote,
        "is_finished": poll.is_finished(now),
        "voters": len(poll.events),
        "questions": [_question(question) for question in poll.questions.values()],
    }


def _question(question: Question) -> dict[str, Any]:
    return {
        "id": question.id,
        "text": question.text,
        "multiple": bool(question.field_type),
        "votes": question.counter,
        "answers": [
            {"id": answer.id, "text": answer.text, "votes": answer.counter}
            for answer in question.answers.values()
        ],
    }
