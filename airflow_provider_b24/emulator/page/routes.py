"""The page at the portal's root, where a person votes and answers on open lines, and the polls' results."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from airflow_provider_b24.emulator.api.registry import METHODS
from airflow_provider_b24.emulator.page.poll_view import results
from airflow_provider_b24.emulator.page.view import view
from airflow_provider_b24.emulator.state import ballots
from airflow_provider_b24.emulator.state.faults import KINDS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from airflow_provider_b24.emulator.state.people import User
    from airflow_provider_b24.emulator.state.polls import Poll
    from airflow_provider_b24.emulator.state.portal import Portal

FOLDER = Path(__file__).parent / "static"
TYPES = {
    **dict.fromkeys(("index.html", "result.html", "authorize.html"), "text/html; charset=utf-8"),
    "page.css": "text/css; charset=utf-8",
    **dict.fromkeys(
        ("page.js", "dom.js", "poll.js", "faults.js", "result.js", "authorize.js"),
        "text/javascript; charset=utf-8",
    ),
    "icon.svg": "image/svg+xml",
}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

Action = dict[str, Any]


class ActionError(Exception):
    """Why what a person asked for was not done; the page shows it."""


def routes(portal: Portal) -> list[Route]:
    """Return the page's routes, which the emulator serves beside the REST API."""
    actions: dict[str, Callable[[Portal, User, Action], None]] = {
        "vote": _vote,
        "recall": _recall,
        "stop": _stop,
        "resume": _resume,
        "reply": _reply,
        "say": _say,
    }
    return [
        Route("/", _file),
        # Where a link to a chat or to one of its messages leads.
        Route("/online/", _file),
        Route("/vote-result/{uid}", _result_page(portal)),
        Route("/page/state", _state(portal)),
        Route("/page/result/{uid}", _result(portal)),
        Route("/page/faults", _fault_choices),
        *(Route(f"/page/{name}", _action(portal, act), methods=["POST"]) for name, act in actions.items()),
        Route("/page/{name}", _file),
    ]


async def _file(request: Request) -> Response:
    return static_file(request.path_params.get("name", "index.html"))


def static_file(name: str) -> Response:
    """Return one of the page's files."""
    if name not in TYPES:
        return Response("Not found", status_code=404, media_type="text/plain", headers=HEADERS)
    return Response(_read(name), media_type=TYPES[name], headers=HEADERS)


@cache
def _read(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


def _state(portal: Portal) -> Callable[[Request], Awaitable[Response]]:
    async def state(request: Request) -> Response:
        user = _user(portal, request.query_params.get("user"))
        if user is None:
            return JSONResponse({"problem": "This portal has no users."}, 409, HEADERS)
        chat = request.query_params.get("chat", "")
        shown = view(portal, user, int(chat) if chat.isdecimal() else None)
        return JSONResponse(shown, headers=HEADERS)

    return state


def _result_page(portal: Portal) -> Callable[[Request], Awaitable[Response]]:
    """Serve what a poll's resultUrl leads to."""

    async def page(request: Request) -> Response:
        if portal.polls.by_uid(request.path_params["uid"]) is None:
            return Response(
                "There is no such poll", status_code=404, media_type="text/plain", headers=HEADERS
            )
        return static_file("result.html")

    return page


def _result(portal: Portal) -> Callable[[Request], Awaitable[Response]]:
    async def result(request: Request) -> Response:
        with portal.lock:
            poll = portal.polls.by_uid(request.path_params["uid"])
            user = _user(portal, request.query_params.get("user"))
            if poll is None or user is None:
                return JSONResponse({"problem": "There is no such poll any more."}, 404, HEADERS)
            if not portal.polls.can_read(poll, user):
                problem = f"{user.full_name} is no member of the poll's chat."
                return JSONResponse({"problem": problem}, 403, HEADERS)
            return JSONResponse(results(portal, poll, user), headers=HEADERS)

    return result


async def _fault_choices(_: Request) -> Response:
    """Return what the panel offers: kinds that need no more than a method and a number."""
    kinds = [kind for kind in KINDS if kind != "redirect"]
    return JSONResponse(
        {"kinds": kinds, "methods": sorted(item.name for item in METHODS.values())}, headers=HEADERS
    )


def _user(portal: Portal, wanted: object) -> User | None:
    """Return the wanted employee, or the first one."""
    staff = portal.people.employees()
    return next((user for user in staff if str(user.id) == str(wanted)), staff[0] if staff else None)


def _action(
    portal: Portal, act: Callable[[Portal, User, Action], None]
) -> Callable[[Request], Awaitable[Response]]:
    async def action(request: Request) -> Response:
        # A page of another site can send a form here, but no JSON and no such header.
        if request.headers.get("content-type") != "application/json" or is_foreign(request):
            return JSONResponse({"problem": "Only this page may do that."}, 403, HEADERS)
        try:
            _perform(portal, act, await request.json())
        except (ActionError, ballots.BallotError) as error:
            return JSONResponse({"problem": _reason(portal, error)}, 409, HEADERS)
        except (ValueError, KeyError, TypeError):
            return JSONResponse({"problem": "The request is malformed."}, 400, HEADERS)
        return JSONResponse({"done": True}, headers=HEADERS)

    return action


def is_foreign(request: Request) -> bool:
    """Return whether a page of another site makes the browser send this request."""
    return request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}


def _perform(portal: Portal, act: Callable[[Portal, User, Action], None], asked: Action) -> None:
    with portal.lock:
        user = portal.people.get(int(asked["user"]))
        if user is None or user.external:
            raise ActionError("You are not a user of this portal.")
        act(portal, user, asked)


def _reason(portal: Portal, error: Exception) -> str:
    return portal.say(error.key) if isinstance(error, ballots.BallotError) else str(error)


def _poll(portal: Portal, user: User, asked: Action) -> Poll:
    poll = portal.polls.by_message(int(asked["message"]))
    if poll is None or not portal.polls.can_read(poll, user):
        raise ActionError("There is no such poll any more.")
    return poll


def _vote(portal: Portal, user: User, asked: Action) -> None:
    poll = _poll(portal, user, asked)
    if poll.is_finished(portal.clock()):
        raise ActionError(portal.say("vote.inactive"))
    chosen = [int(answer_id) for answer_id in asked["answers"]]
    known = {answer_id for question in poll.questions.values() for answer_id in question.answers}
    # Checked here, because the portal would lose the earlier vote over an empty ballot.
    if not known.intersection(chosen):
        raise ballots.BallotError("vote.nothing")
    ballot = {
        str(question.id): [answer_id for answer_id in chosen if answer_id in question.answers]
        for question in poll.questions.values()
    }
    ballots.cast(portal, poll, user_id=user.id, ballot=ballot)


def _recall(portal: Portal, user: User, asked: Action) -> None:
    ballots.recall(portal, _poll(portal, user, asked), user_id=user.id)


def _stop(portal: Portal, user: User, asked: Action) -> None:
    portal.polls.stop(_own_poll(portal, user, asked))


def _resume(portal: Portal, user: User, asked: Action) -> None:
    portal.polls.resume(_own_poll(portal, user, asked))


def _own_poll(portal: Portal, user: User, asked: Action) -> Poll:
    poll = _poll(portal, user, asked)
    if not portal.polls.can_edit(poll, user):
        raise ActionError("Only the author stops and resumes a poll.")
    return poll


def _reply(portal: Portal, user: User, asked: Action) -> None:
    text = str(asked["text"]).strip()
    if not text:
        raise ActionError("There is nothing to send.")
    try:
        portal.lines.reply(int(asked["chat"]), text, user_id=user.id)
    except LookupError as error:
        raise ActionError(str(error)) from None


def _say(portal: Portal, user: User, asked: Action) -> None:
    text, chat = str(asked["text"]).strip(), portal.chats.get(int(asked["chat"]))
    reply_to = int(asked["replyTo"]) if asked.get("replyTo") else None
    if chat is None or chat.kind == "lines" or not chat.can_write(user.id):
        raise ActionError(portal.say("chat.no_write"))
    if not text:
        raise ActionError("There is nothing to send.")
    if reply_to is not None and not portal.chats.holds(chat, reply_to):
        raise ActionError("The message that you reply to is deleted.")
    portal.chats.post(chat, author_id=user.id, text=text, reply_to=reply_to)
