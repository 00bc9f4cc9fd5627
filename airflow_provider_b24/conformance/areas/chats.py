"""How a chat is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.chats.messages import NEWEST
from airflow_provider_b24.conformance.answers import as_items, as_object, kind_of
from airflow_provider_b24.conformance.probe import probe
from airflow_provider_b24.conformance.trial import UNKNOWN
from airflow_provider_b24.conformance.unanswered import CouldNotTellError, NotTriedError
from airflow_provider_b24.ids import positive_number

if TYPE_CHECKING:
    from airflow_provider_b24.conformance.trial import Trial

_HISTORY = "im.dialog.messages.get"
_PAGE = 50


@probe(
    "chat.members_unknown",
    "The members of a chat that does not exist",
    "200 []",
    depends="Bitrix24ChatAccessError from hook.chats.members",
    otherwise="A refusal gives the error of its code.",
)
def members_unknown(trial: Trial) -> str:
    """Read the members of a chat that no portal has."""
    return str(trial.ask("im.chat.user.list", {"CHAT_ID": UNKNOWN}))


@probe(
    "chat.members",
    "The members of a chat",
    "a list of numbers",
    depends='the rule "everybody", reminders, missing voters',
    otherwise="Digits as text are read too; anything else is Bitrix24ServerError.",
)
def members(trial: Trial) -> str:
    """Read the members of the chat."""
    answer = trial.ask("im.chat.user.list", {"CHAT_ID": trial.chat_id})
    kinds = {kind_of(value) for value in as_items(answer.result)}
    if not kinds:
        return str(answer)
    return f"a list of {'numbers' if kinds == {'a number'} else 'other values'}"


@probe(
    "chat.unknown",
    "A chat that does not exist",
    "400 CHAT_ID",
    depends="Bitrix24ChatNotFoundError",
    otherwise="Another code gives the error of that code; it is an error in any case.",
)
def unknown(trial: Trial) -> str:
    """Read a chat that no portal has."""
    return str(trial.ask("im.dialog.get", {"DIALOG_ID": f"chat{UNKNOWN}"}))


@probe(
    "chat.history_order",
    "Messages of a chat",
    "newest first",
    depends="nothing: the provider sorts them",
    otherwise="Nothing changes: messages are sorted by their id.",
)
def history_order(trial: Trial) -> str:
    """Look at the order of the newest messages."""
    ids = _ids(_history(trial))
    if len(ids) < 2:
        raise NotTriedError("the chat has fewer than two messages")
    if ids == sorted(ids, reverse=True):
        return "newest first"
    return "oldest first" if ids == sorted(ids) else "in no order"


@probe(
    "chat.history_unread",
    "Messages of a chat with two unread ones or more, LIMIT=1 and neither LAST_ID nor FIRST_ID",
    "the oldest unread ones",
    "the newest page",
    depends="nothing: the provider asks for the newest page by LAST_ID",
    otherwise="Nothing changes: the newest page is asked for by its number.",
)
def history_unread(trial: Trial) -> str:
    """Compare the page without an id with the newest one."""
    newest = _history(trial)
    usual = _ids(_rows(trial, LIMIT=1))
    if usual and max(usual) != max(_ids(newest), default=0):
        return "the oldest unread ones"
    if sum(as_object(row).get("unread") is True for row in newest) < 2:
        raise NotTriedError("the chat has fewer than two messages that the account has not read")
    return "the newest page"


@probe(
    "chat.history_limit",
    "LIMIT=200 for messages",
    "50 messages",
    depends="when a page is the last: replies, one message a run",
    otherwise="With shorter pages, messages before the newest page may not be looked at.",
)
def history_limit(trial: Trial) -> str:
    """Ask for more messages than a page has."""
    if len(_history(trial)) < _PAGE:
        raise NotTriedError("the chat has fewer than 50 messages")
    return f"{len(_history(trial, LIMIT=200))} messages"


@probe(
    "chat.history_page",
    "LAST_ID for messages",
    "only older ones",
    depends="paging through a chat",
    otherwise="A page that repeats the last one ends the paging.",
)
def history_page(trial: Trial) -> str:
    """Ask for the messages before one."""
    ids = _ids(_history(trial))
    if len(ids) < 2:
        raise NotTriedError("the chat has fewer than two messages")
    older = _ids(_history(trial, LAST_ID=max(ids)))
    return "only older ones" if older and max(older) < max(ids) else "others too"


@probe(
    "chat.message_fields",
    "Fields of a message",
    "author_id date id params text uuid",
    depends="replies and one message a run",
    otherwise="Without uuid, a message that was sent before is known by its text alone.",
)
def message_fields(trial: Trial) -> str:
    """Look which of the fields that are used are there."""
    rows = _history(trial)
    if not rows:
        raise NotTriedError("the chat has no message")
    wanted = {"id", "author_id", "date", "text", "uuid", "params"}
    return " ".join(sorted(wanted & set(as_object(rows[0]))))


@probe(
    "chat.search",
    "A chat, searched by its title",
    "found",
    depends="hook.chats.find(title)",
    otherwise="Pass the chat's number instead of looking it up.",
)
def search(trial: Trial) -> str:
    """Search the chat by its title, which stays in memory."""
    title = as_object(trial.ask("im.dialog.get", {"DIALOG_ID": trial.dialog}).result).get("name")
    if not isinstance(title, str) or len(title.strip()) < 2:
        raise NotTriedError("the chat has no title that can be searched")
    answer = trial.ask("im.search.chat.list", {"FIND": title.strip()})
    found = [positive_number(as_object(row).get("id")) for row in as_items(answer.result)]
    return "found" if trial.chat_id in found else "not found"


def _history(trial: Trial, **params: Any) -> list[Any]:
    return _rows(trial, **{"LIMIT": _PAGE, "LAST_ID": NEWEST, **params})


def _rows(trial: Trial, **params: Any) -> list[Any]:
    answer = trial.ask(_HISTORY, {"DIALOG_ID": trial.dialog, **params})
    if not isinstance(answer.result, dict):
        raise CouldNotTellError(f"the chat could not be read: {answer}")
    return as_items(answer.result.get("messages"))


def _ids(rows: list[Any]) -> list[int]:
    return [number for row in rows if (number := positive_number(as_object(row).get("id")))]
