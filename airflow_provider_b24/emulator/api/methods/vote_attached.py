"""vote.AttachedVote.*: everything that is done with a poll that exists."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_b24.emulator import php
from airflow_provider_b24.emulator.api import attach_format, engine
from airflow_provider_b24.emulator.api.call import Call, Page, RawBody
from airflow_provider_b24.emulator.api.registry import method
from airflow_provider_b24.emulator.php.api_error import ApiError
from airflow_provider_b24.emulator.state import ballots

if TYPE_CHECKING:
    from airflow_provider_b24.emulator.state.people import User
    from airflow_provider_b24.emulator.state.polls import Poll, Question

MAX_ENTITIES = 50
VOTERS_A_PAGE = 50

REPORT = (
    '<html><head><meta http-equiv="Content-Type" content="text/html; charset=UTF-8"></head>'
    '<body><table border="1">{rows}</table></body></html>'
)


@method("vote.AttachedVote.get", scope="vote", engine=True)
def get(call: Call) -> object:
    """Return the poll."""
    return {"attach": attach_format.rendered(call.portal, _readable(call), call.user)}


@method("vote.AttachedVote.getMany", scope="vote", engine=True)
def get_many(call: Call) -> object:
    """Return polls in the order asked; one that cannot be read fails them all."""
    module_id, entity_type = engine.string(call, "moduleId"), engine.string(call, "entityType")
    wanted = [
        number for _, value in php.pairs(engine.array(call, "entityIds")) if (number := php.to_int(value))
    ]
    if len(wanted) > MAX_ENTITIES:
        return _swallowed(call, "", "To many entity ids", documented="Too many entity ids")
    polls = [call.portal.polls.by_entity(module_id, entity_type, number) for number in wanted]
    items = []
    for number, poll in zip(wanted, polls, strict=True):
        if call.portal.quirks.partial_lists and (
            poll is None or not call.portal.polls.can_read(poll, call.user)
        ):
            continue
        if poll is None:
            return _swallowed(call, "ATTACH_NOT_FOUND", f"Attach with entityId {number} not found ")
        if not call.portal.polls.can_read(poll, call.user):
            denied = _read_denied(call)
            return _swallowed(call, denied.code, denied.description)
        items.append(attach_format.rendered(call.portal, poll, call.user))
    return {"items": items}


@method("vote.AttachedVote.getWithVoted", scope="vote", engine=True)
def get_with_voted(call: Call) -> object:
    """Return the poll and its voters by answer."""
    poll = _readable(call)
    size = min(max(php.to_int(call.params.get("pageSize", 10)), 1), 50)
    voted = {
        str(answer_id): [_voter(user) for user in users[:size]]
        for question in poll.questions.values()
        for answer_id in question.answers
        if (users := _voters(call, poll, answer_id))
    }
    return {"attach": attach_format.rendered(call.portal, poll, call.user), "voted": voted or []}


@method("vote.AttachedVote.getAnswerVoted", scope="vote", engine=True)
def get_answer_voted(call: Call) -> object:
    """Return the voters of one answer, 50 a page."""
    poll = _readable(call)
    answer_id = engine.integer(call, "answerId")
    if not any(answer_id in question.answers for question in poll.questions.values()):
        raise _access_denied(call, "access.denied")
    users = _voters(call, poll, answer_id)
    start = max(call.start or 0, 0)
    end = start + VOTERS_A_PAGE
    shown = [_voter(user) for user in users[start:end]]
    return Page({"items": shown}, total=len(users), next=end if end < len(users) else None)


@method("vote.AttachedVote.vote", scope="vote", engine=True)
def vote(call: Call) -> object:
    """Count a ballot; one that is not counted is an empty array and no error."""
    poll = _accessible(call)
    ballot = engine.array(call, "ballot")
    if not poll.takes_votes(call.portal.clock()):
        raise _access_denied(call, "vote.inactive")
    try:
        touched = ballots.cast(call.portal, poll, user_id=call.user.id, ballot=ballot)
    except ballots.BallotError as refused:
        return _swallowed(call, "400", call.portal.say(refused.key))
    return {"attach": attach_format.attach(call.portal, poll, call.user, touched=touched)}


@method("vote.AttachedVote.recall", scope="vote", engine=True)
def recall(call: Call) -> object:
    """Take the caller's vote back."""
    poll = _accessible(call)
    try:
        touched = ballots.recall(call.portal, poll, user_id=call.user.id)
    except ballots.BallotError as refused:
        return _swallowed(call, "400", call.portal.say(refused.key))
    return {"attach": attach_format.attach(call.portal, poll, call.user, touched=touched)}


@method("vote.AttachedVote.stop", scope="vote", engine=True)
def stop(call: Call) -> object:
    """End the poll; the empty array means success."""
    call.portal.polls.stop(_editable(call))
    return []


@method("vote.AttachedVote.resume", scope="vote", engine=True)
def resume(call: Call) -> object:
    """Open the poll again."""
    call.portal.polls.resume(_editable(call))
    return []


@method("vote.AttachedVote.download", scope="vote", engine=True)
def download(call: Call) -> object:
    """Return the report: an HTML table with the content type of a spreadsheet."""
    poll = _readable(call)
    rows = "".join(_report_rows(call, poll, question) for question in poll.questions.values())
    page = REPORT.format(rows=rows)
    return RawBody(page.encode(), "application/vnd.ms-excel", f"vote{poll.vote_id}.xls")


def _report_rows(call: Call, poll: Poll, question: Question) -> str:
    lines = [f"<tr><th>{html.escape(question.text)}</th><th>{question.counter}</th><th></th></tr>"]
    for answer in question.answers.values():
        names = ", ".join(user.full_name for user in _voters(call, poll, answer.id))
        lines.append(
            f"<tr><td>{html.escape(answer.text)}</td><td>{answer.counter}</td><td>{html.escape(names)}</td></tr>"
        )
    return "".join(lines)


def _bound(call: Call) -> tuple[Poll | None, bool]:
    """Find the poll that the parameters name; the flag says whether a signature did."""
    polls, params = call.portal.polls, call.params
    if params.get("attachId") is not None:
        return polls.by_attach(engine.integer(call, "attachId")), False
    if params.get("signedAttachId") is not None:
        return polls.by_signed(engine.string(call, "signedAttachId")), True
    if any(params.get(name) is None for name in ("moduleId", "entityType", "entityId")):
        raise ApiError(
            "100", "Bitrix\\Vote\\Attach All parameters in the constructor must have real class type"
        )
    entity = engine.string(call, "moduleId"), engine.string(call, "entityType")
    return polls.by_entity(*entity, engine.integer(call, "entityId")), False


def _readable(call: Call) -> Poll:
    """Return the poll for reading, which a signature alone allows."""
    poll, signed = _bound(call)
    return _checked(call, poll, allowed=signed)


def _accessible(call: Call) -> Poll:
    """Return the poll for taking part, which needs the chat itself."""
    poll, _ = _bound(call)
    return _checked(call, poll)


def _checked(call: Call, poll: Poll | None, *, allowed: bool = False) -> Poll:
    if poll is None:
        raise ApiError("ATTACH_NOT_FOUND", call.portal.say("attach.not_found"))
    if not allowed and not call.portal.polls.can_read(poll, call.user):
        raise _read_denied(call)
    return poll


def _editable(call: Call) -> Poll:
    poll = _accessible(call)
    if not call.portal.polls.can_edit(poll, call.user):
        raise _access_denied(call, "access.denied")
    return poll


def _access_denied(call: Call, key: str) -> ApiError:
    code = "403" if call.portal.quirks.documented_errors else call.portal.quirks.access_denied_code
    return ApiError(code, call.portal.say(key), 403 if code == "403" else 400)


def _read_denied(call: Call) -> ApiError:
    return ApiError(call.portal.quirks.read_denied_code, call.portal.say("attach.read_denied"))


def _swallowed(call: Call, code: str | int, text: str, *, documented: str | None = None) -> list[NoReturn]:
    """Fail as the server does: errors are collected, then an empty array is returned."""
    if call.portal.quirks.documented_errors:
        raise ApiError(code, documented or text)
    return []


def _voters(call: Call, poll: Poll, answer_id: int) -> list[User]:
    if poll.is_anonymous or not call.portal.quirks.lists_voters:
        return []
    people = call.portal.people
    return [
        user
        for user_id, choices in poll.events.items()
        if any(choice.answer_id == answer_id for choice in choices) and (user := people.get(user_id))
    ]


def _voter(user: User) -> dict[str, Any]:
    return {"ID": user.id, "NAME": user.full_name, "IMAGE": user.avatar, "WORK_POSITION": user.position}
