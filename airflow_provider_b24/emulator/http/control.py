"""The control API under /emulator/, for demos and tests in other processes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeAlias

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from airflow_provider_b24.emulator.page.routes import is_foreign
from airflow_provider_b24.emulator.state.world import poll_summary

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from airflow_provider_b24.emulator.emulator import Emulator
    from airflow_provider_b24.emulator.state.chats import Chat, Message

    Action: TypeAlias = Callable[[Emulator, dict[str, Any]], object]


def routes(emulator: Emulator) -> list[Route]:
    """Return the routes of the control API."""
    table: list[tuple[str, str, Action]] = [
        ("GET", "state", _state),
        ("GET", "requests", _requests),
        ("DELETE", "requests", _forget_requests),
        ("GET", "faults", _faults),
        ("POST", "faults", _add_fault),
        ("DELETE", "faults", _clear_faults),
        ("POST", "vote", _vote),
        ("POST", "stop", _stop),
        ("POST", "reject", _reject),
        ("GET", "users", _users),
        ("POST", "users", _add_user),
        ("GET", "chats", _chats),
        ("POST", "chats", _add_chat),
    ]
    return [
        Route(f"/emulator/{path}", _endpoint(emulator, action), methods=[verb])
        for verb, path, action in table
    ]


def _endpoint(emulator: Emulator, action: Action) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        if is_foreign(request):
            return _refused("another site's page may not control this portal", 403)
        try:
            params = await _params(request)
            with emulator.portal.lock:
                return JSONResponse(action(emulator, params))
        except KeyError as error:
            return _refused(f"{error.args[0]} is missing", 400)
        except LookupError as error:
            return _refused(str(error), 404)
        except (ValueError, TypeError) as error:
            return _refused(str(error), 400)

    return answer


async def _params(request: Request) -> dict[str, Any]:
    body = await request.body()
    params = json.loads(body) if body else {}
    if not isinstance(params, dict):
        raise TypeError("the body must be a JSON object")
    return {**request.query_params, **params}


def _refused(text: str, status: int) -> Response:
    return JSONResponse({"error": text}, status_code=status)


def _state(emulator: Emulator, _: dict[str, Any]) -> object:
    now = emulator.portal.clock()
    return {
        "url": emulator.url,
        "time": now,
        "users": _users(emulator, {}),
        "chats": _chats(emulator, {}),
        "polls": [poll_summary(poll, now=now) for poll in emulator.portal.polls],
        "lines": emulator.lines.state(),
    }


def _requests(emulator: Emulator, _: dict[str, Any]) -> object:
    return [request.to_dict() for request in emulator.requests]


def _forget_requests(emulator: Emulator, _: dict[str, Any]) -> object:
    emulator.requests.clear()
    return True


def _faults(emulator: Emulator, _: dict[str, Any]) -> object:
    return [fault.to_dict() for fault in emulator.faults]


def _add_fault(emulator: Emulator, params: dict[str, Any]) -> object:
    return emulator.faults.add(params.pop("kind"), **params).to_dict()


def _clear_faults(emulator: Emulator, _: dict[str, Any]) -> object:
    emulator.faults.clear()
    return True


def _vote(emulator: Emulator, params: dict[str, Any]) -> object:
    message_id = int(params["message_id"])
    emulator.vote(message_id, user_id=int(params["user_id"]), answers=params["answers"])
    return poll_summary(emulator.poll(message_id), now=emulator.portal.clock())


def _stop(emulator: Emulator, params: dict[str, Any]) -> object:
    message_id = int(params["message_id"])
    emulator.stop_poll(message_id)
    return poll_summary(emulator.poll(message_id), now=emulator.portal.clock())


def _reject(emulator: Emulator, params: dict[str, Any]) -> object:
    """Refuse an outside person's connector messages from now on."""
    emulator.lines.reject(str(params["user"]), str(params.get("reason", "The user cannot be created")))
    return True


def _users(emulator: Emulator, _: dict[str, Any]) -> object:
    return [
        {"id": user.id, "name": user.full_name, "position": user.position, "external": user.external}
        for user in emulator.portal.people
    ]


def _add_user(emulator: Emulator, params: dict[str, Any]) -> object:
    return {"id": emulator.add_user(str(params["name"]))}


def _chats(emulator: Emulator, _: dict[str, Any]) -> object:
    return [_chat(chat) for chat in emulator.portal.chats]


def _add_chat(emulator: Emulator, params: dict[str, Any]) -> object:
    members = [int(number) for number in params.get("members", [1])]
    return {"id": emulator.add_chat(str(params["title"]), members)}


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
