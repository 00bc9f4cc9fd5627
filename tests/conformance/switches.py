"""The emulator's switches, and what each of them changes in the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_SHOWS, _HIDES = "shows who voted", "hides who voted"


@dataclass(frozen=True)
class Switch:
    """One switch.

    :param rows: the rows that change, and what they say.
    :param differs: False where the provider takes each of the values as it comes.
    """

    name: str
    value: Any
    rows: dict[str, str]
    differs: bool = True


@dataclass(frozen=True)
class Unseen:
    """A switch that no row shows.

    :param why: the reason.
    """

    value: Any
    why: str


SWITCHES = (
    Switch(
        "documented_errors",
        True,
        {
            "read.many_unknown": "400 ATTACH_NOT_FOUND",
            "read.many_poisoned": "400 ATTACH_NOT_FOUND",
            "read.many_limit": "50 items; 51: 400 (empty code)",
            "vote.unknown_answer": "400 400",
            "vote.empty": "400 400",
            "vote.twice": "400 400",
            "vote.recall_final": "400 400",
            "stop.vote": "403 403",
            "stop.recall": "400 400",
        },
    ),
    Switch("internal_error_suffix", True, {"call.text_suffix": "yes"}, differs=False),
    Switch("language", "ru", {"send.language": "another"}, differs=False),
    Switch(
        "nested_register_errors",
        True,
        {"connector.register_failure": "an error with status 200, inside the result"},
    ),
    Switch("read_denied_code", "0", {"send.read_denied": "400 0"}),
    Switch("read_denied_code", 0, {"send.read_denied": "400 0 (a number)"}),
    Switch(
        "anonymous_number",
        1,
        {
            "anonymity.two": _SHOWS,
            "anonymity.one": _HIDES,
            "anonymity.connection": f"{_SHOWS}; the other number hides it",
            "anonymity.answer_list": "somebody",
        },
    ),
    Switch(
        "keeps_anonymity",
        False,
        {
            "anonymity.two": _SHOWS,
            "anonymity.connection": f"{_SHOWS}; the other number shows it",
            "anonymity.answer_list": "somebody",
            "anonymity.read_back": "2 as 1",
        },
    ),
    Switch(
        "lists_voters",
        False,
        {
            "anonymity.one": _HIDES,
            "anonymity.omitted": _HIDES,
            "anonymity.connection": f"{_HIDES}; the other number hides it",
        },
    ),
    Switch(
        "documented_send_errors",
        True,
        {
            "send.no_question": "400 400",
            "send.two_questions": "400 400",
            "send.few_answers": "400 400",
            "send.many_answers": "400 400",
            "send.unknown_chat": "400 403",
            "send.no_right": "400 403",
        },
    ),
    Switch("access_denied_code", "403", {"stop.vote": "403 403"}),
    Switch("scope_status", 403, {"call.scope": "403 insufficient_scope"}),
    Switch(
        "any_template_id",
        True,
        {"duplicate.any_text": "the first message", "duplicate.upper_case": "the first message"},
    ),
    Switch("template_ids_by_chat", True, {"duplicate.other_chat": "another message"}),
    Switch(
        "message_template_ids",
        False,
        {"message.template_id": "another message", "message.uuid": "another value"},
    ),
    Switch("keeps_vote_id", True, {"duplicate.vote_id": "that of the first"}),
    Switch("exact_entities", True, {"read.module_case": "400 ATTACH_NOT_FOUND"}),
    Switch(
        "numeric_counters",
        True,
        {
            "read.counters": "a number",
            "vote.counters": "a number for the answer, a number for the other",
        },
    ),
    Switch("checks_ballot_first", True, {"vote.broken_change": "leaves the first"}),
    Switch("refuses_extra_answers", True, {"vote.radio": "200 []"}),
    Switch("stops_at_once", True, {"stop.same_second": "does not count"}),
    Switch(
        "partial_lists",
        True,
        {"read.many_unknown": "200, a result", "read.many_poisoned": "200, a result"},
    ),
    Switch("documented_active_flag", True, {"connector.active_n": "switches off"}),
    Switch("offline_extended", False, {"events.extended": "not there", "events.get": "403 WRONG_LICENSE"}),
    Switch("auth_connector", False, {"events.sources": "not there"}),
    Switch("exact_references", True, {"batch.reference_in_text": "left as it is"}),
    Switch("oldest_first", True, {"chat.history_order": "oldest first"}),
    Switch("newest_page", True, {"chat.history_unread": "the newest page"}, differs=False),
)

UNSEEN = {
    "refresh_grace": Unseen(60.0, "it would spend the connection's refresh token"),
    "hidden_history": Unseen(True, "the account of the run is in its chat from the first message on"),
    "collapse_messages": Unseen(True, "it would need messages of a customer in an open line"),
    "https_required": Unseen(True, "no call through a webhook over plain http is answered: exit status 2"),
}
