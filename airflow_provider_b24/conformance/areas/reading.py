"""How polls are found and shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.conformance.answers import Answer, as_items, as_object, kind_of
from airflow_provider_b24.conformance.probe import probe
from airflow_provider_b24.conformance.trial import (
    ENTITY,
    GET,
    GET_MANY,
    MODULE,
    UNKNOWN,
    Sent,
    counters_in,
    entity,
)

if TYPE_CHECKING:
    from airflow_provider_b24.conformance.trial import Trial

_LIMIT = 50
_FALLBACK = "[] and a refusal are the same: each poll of the list is then read alone."


@probe(
    "read.unknown",
    "A poll that does not exist",
    "400 ATTACH_NOT_FOUND",
    depends="Bitrix24PollNotFoundError",
    otherwise="Another code gives the error of that code.",
)
def unknown(trial: Trial) -> str:
    """Read a poll that no portal has."""
    return str(trial.ask(GET, entity(UNKNOWN)))


@probe(
    "read.many_unknown",
    "getMany of a poll that does not exist",
    "200 []",
    depends="waiting: which polls of a list are read alone",
    otherwise=_FALLBACK + " A poll that is merely left out is read alone too.",
)
def many_unknown(trial: Trial) -> str:
    """Read a list with a poll that no portal has."""
    return str(_many(trial, [UNKNOWN]))


@probe(
    "read.many_none",
    "getMany of no poll",
    "no items",
    depends="nothing: the provider sends no empty list",
    otherwise="Nothing changes.",
)
def many_none(trial: Trial) -> str:
    """Read an empty list."""
    answer = _many(trial, [])
    return "no items" if as_object(answer.result).get("items") == [] else str(answer)


@probe(
    "read.many_order",
    "getMany of several polls",
    "in the order asked, one twice where it is asked twice",
    depends="nothing: polls are matched by entityId",
    otherwise="Nothing changes.",
    writes=True,
)
def many_order(trial: Trial) -> str:
    """Read two polls, one of them twice."""
    first, second = trial.plain_poll().message_id, _second(trial).message_id
    wanted = [second, first, second]
    answer = _many(trial, wanted)
    found = [as_object(item).get("entityId") for item in as_items(as_object(answer.result).get("items"))]
    if not found:
        return str(answer)
    is_kept = list(map(str, found)) == list(map(str, wanted))
    return "in the order asked, one twice where it is asked twice" if is_kept else "in another way"


@probe(
    "read.many_poisoned",
    "getMany with one poll that does not exist",
    "200 []",
    depends="waiting: which polls of a list are read alone",
    otherwise=_FALLBACK + " A poll that is merely left out is read alone too.",
    writes=True,
)
def many_poisoned(trial: Trial) -> str:
    """Read a poll together with one that no portal has."""
    return str(_many(trial, [trial.plain_poll().message_id, UNKNOWN]))


@probe(
    "read.many_limit",
    "getMany of 50 and of 51 polls",
    "50 items; 51: 200 []",
    depends="50 polls a getMany",
    otherwise="The provider asks for 50 at most. Where fewer are taken, each poll is read alone.",
    writes=True,
)
def many_limit(trial: Trial) -> str:
    """Read one poll 50 times, and 51 times."""
    number = trial.plain_poll().message_id
    full = len(as_items(as_object(_many(trial, [number] * _LIMIT).result).get("items")))
    over = _many(trial, [number] * (_LIMIT + 1))
    return f"{full} items; {_LIMIT + 1}: {over}"


@probe(
    "read.attach_id",
    "A poll by its attachId",
    "found",
    depends="polls named by attach_id",
    otherwise="Name polls by message_id.",
    writes=True,
)
def attach_id(trial: Trial) -> str:
    """Read a poll by the id of its attachment."""
    return _found(trial, {"attachId": _shown(trial).get("ID")})


@probe(
    "read.signed_id",
    "A poll by its signedAttachId",
    "found",
    depends="polls named by signed_attach_id",
    otherwise="Name polls by message_id.",
    writes=True,
)
def signed_id(trial: Trial) -> str:
    """Read a poll by its signed id."""
    return _found(trial, {"signedAttachId": _shown(trial).get("signedAttachId")})


@probe(
    "read.uid",
    "A poll by the uid at the end of resultUrl",
    "found",
    depends="polls named by signed_attach_id",
    otherwise="Name polls by message_id.",
    writes=True,
)
def uid(trial: Trial) -> str:
    """Read a poll by the uid of its page."""
    return _found(trial, {"signedAttachId": str(_shown(trial).get("resultUrl")).rpartition("/")[2]})


@probe(
    "read.module_case",
    "A poll by moduleId Im",
    "found",
    depends="nothing: the provider writes im",
    otherwise="Nothing changes; Bitrix24's own SDK for Python writes Im.",
    writes=True,
)
def module_case(trial: Trial) -> str:
    """Read a poll with the module in another case."""
    return _found(trial, {**entity(trial.plain_poll().message_id), "moduleId": MODULE.capitalize()})


@probe(
    "read.double_backslash",
    "A poll by an entityType with doubled backslashes",
    "400 ATTACH_NOT_FOUND",
    depends="nothing: the provider writes single ones",
    otherwise="Nothing changes.",
    writes=True,
)
def double_backslash(trial: Trial) -> str:
    """Read a poll with the backslashes doubled."""
    doubled = ENTITY.replace("\\", "\\\\")
    return str(trial.ask(GET, {**entity(trial.plain_poll().message_id), "entityType": doubled}))


@probe(
    "read.ids",
    "ID, VOTE_ID, COUNTER and entityId of a poll",
    "numbers",
    depends="the poll's ids and its number of voters",
    otherwise="Digits as text are read too; anything else is Bitrix24ServerError.",
    writes=True,
)
def ids(trial: Trial) -> str:
    """Look at the types of a poll's ids."""
    kinds = {kind_of(_shown(trial).get(name)) for name in ("ID", "VOTE_ID", "COUNTER", "entityId")}
    return "numbers" if kinds == {"a number"} else "other values"


@probe(
    "read.counters",
    "Counters of answers in a read",
    "text",
    depends="nothing: numbers and digits are both read",
    otherwise="Nothing changes.",
    writes=True,
)
def counters(trial: Trial) -> str:
    """Look at the types of the answers' counters."""
    return " and ".join(sorted({kind_of(value) for value in counters_in(_shown(trial))}))


@probe(
    "read.own_answers",
    "userAnswerMap before a vote",
    "[]",
    depends="nothing: empty lists and objects are both read",
    otherwise="Nothing changes.",
    writes=True,
)
def own_answers(trial: Trial) -> str:
    """Look at what the caller has chosen in a poll without votes."""
    return kind_of(_shown(trial).get("userAnswerMap"))


@probe(
    "read.vote_id",
    "VOTE_ID of a poll",
    "the voteId of the send",
    depends="vote_id",
    otherwise="Nothing changes: the message id is the poll's identity.",
    writes=True,
)
def vote_id(trial: Trial) -> str:
    """Compare the vote id with that of the send."""
    return (
        "the voteId of the send" if _shown(trial).get("VOTE_ID") == trial.plain_poll().vote_id else "another"
    )


def _second(trial: Trial) -> Sent:
    sent: Sent = trial.once("second poll", lambda: trial.send("reading", ANONYMITY=1))
    return sent


def _shown(trial: Trial) -> dict[str, Any]:
    return trial.attach(trial.plain_poll().message_id)


def _found(trial: Trial, params: dict[str, Any]) -> str:
    answer = trial.ask(GET, params)
    is_same = answer.row("attach").get("ID") == _shown(trial).get("ID")
    return "found" if is_same else str(answer)


def _many(trial: Trial, numbers: list[int]) -> Answer:
    return trial.ask(GET_MANY, {"moduleId": MODULE, "entityType": ENTITY, "entityIds": numbers})
