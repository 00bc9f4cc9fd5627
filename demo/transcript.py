"""The demo's results as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_WIDTH = 30


def poll_lines(poll: Mapping[str, Any]) -> Iterator[str]:
    """Yield a poll with its votes as a bar chart, and the winner."""
    question = poll["questions"][0]
    longest = max(len(answer["text"]) for answer in question["answers"])
    state = "closed" if poll["is_finished"] else "open"
    yield f"Poll {poll['message_id']}: {question['text']}  ({poll['voters']} people voted, {state})"
    for answer in question["answers"]:
        bar = "█" * round(_WIDTH * answer["percent"] / 100)
        text = f"{answer['text']:<{longest}}"
        yield f"  {text} │{bar:<{_WIDTH}}│ {answer['votes']:>2}  {answer['percent']:>5.1f} %"
    yield f"  Winner: {winner(poll)}"


def ask_lines(audit: Mapping[str, Any], branches: Mapping[str, str]) -> Iterator[str]:
    """Yield a question with its answer, who gave it, and which task ran by it."""
    poll = audit["poll"]
    chosen = audit["chosen_options"][0]
    people = ", ".join(person["name"] for person in (audit["voters"] or {}).get(chosen, []))
    yield f"Ask {poll['message_id']}: {poll['questions'][0]['text']}"
    yield f"  Decided: {chosen} by {people} (rule: {audit['rule']})"
    ran = ", ".join(
        f"{task_id} {state}" for task_id, state in sorted(branches.items()) if task_id != "choose"
    )
    yield f"  Branch: {ran}"


def winner(poll: Mapping[str, Any]) -> str:
    """Return the answer with the most votes, or all answers in a tie."""
    answers = poll["questions"][0]["answers"]
    most = max(answer["votes"] for answer in answers)
    return " and ".join(answer["text"] for answer in answers if answer["votes"] == most)


def report_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield the status of each connector message."""
    counts = ", ".join(f"{report[name]} {name}" for name in ("accepted", "rejected", "unknown"))
    yield f"Connector messages: {counts}"
    for item in report["items"]:
        mark = "✓" if item["status"] == "accepted" else "✗"
        where = f"chat {item['chat_id']}" if item["chat_id"] else "; ".join(item["errors"])
        yield f"  {mark} {item['message_id']:<10} {item['status']:<9} {where}"


def chat_lines(chat: Mapping[str, Any], *, names: Mapping[int, str]) -> Iterator[str]:
    """Yield a chat's messages with their authors."""
    yield f"Chat «{chat['title']}»"
    for message in chat["messages"]:
        author = names.get(message.get("author_id", 0), "Portal")
        first, *rest = str(message["text"]).splitlines() or [""]
        yield f"  {author}: {first}"
        yield from (f"  {'':>{len(author)}}  {line}" for line in rest)
