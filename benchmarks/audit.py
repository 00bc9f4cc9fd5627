"""What Airflow says was done, against what the portal knows: a pure comparison."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FINAL = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})


@dataclass(frozen=True)
class Poll:
    """A poll of the portal."""

    question: str
    is_finished: bool


@dataclass(frozen=True)
class Task:
    """A task instance of Airflow's database."""

    name: str
    state: str | None
    tries: int = 1


@dataclass(frozen=True)
class Evidence:
    """What both sides say.

    :param expected: the answer that people gave, by question.
    :param polls: the portal's polls.
    :param decisions: what the tasks returned, by question.
    :param calls: for each call that was to be made, what it was to return.
    :param replies: what the tasks returned, by the number of the call.
    :param messages: the ids of the messages that were to be pushed.
    :param delivered: how often the portal has each message.
    :param told: what the reports say of each message.
    :param tasks: all task instances.
    :param leaks: the files with a secret, and which secret it is.
    :param refused: how many requests the portal refused with a 503.
    :param requests: how many requests the portal got.
    """

    expected: Mapping[str, str]
    polls: Iterable[Poll]
    decisions: Mapping[str, str | None]
    calls: Mapping[int, str] = field(default_factory=dict)
    replies: Mapping[int, str] = field(default_factory=dict)
    messages: Iterable[str] = ()
    delivered: Mapping[str, int] = field(default_factory=dict)
    told: Mapping[str, str] = field(default_factory=dict)
    tasks: Iterable[Task] = ()
    leaks: Iterable[str] = ()
    refused: int = 0
    requests: int = 0


@dataclass(frozen=True)
class Finding:
    """One row of the audit.

    :param what: what was looked at.
    :param bad: how many are not as they must be; None when it is a figure without a goal.
    :param text: the figures.
    """

    what: str
    bad: int | None
    text: str

    @property
    def met(self) -> bool:
        """Whether nothing is bad."""
        return not self.bad


def audit(evidence: Evidence) -> list[Finding]:
    """Return all rows; the run is right when each is met.

    :param evidence: what both sides say.
    """
    return [
        *_asks(evidence),
        _calls(evidence),
        *_messages(evidence),
        *_tasks(list(evidence.tasks)),
        _leaks(list(evidence.leaks)),
        Finding("refused with a 503", None, f"{evidence.refused} of {evidence.requests} requests"),
    ]


def is_right(findings: Iterable[Finding]) -> bool:
    """Say whether all rows are met."""
    return all(finding.met for finding in findings)


def lines(findings: Iterable[Finding]) -> list[str]:
    """Return the rows as a Markdown table."""
    rows = [[one.what, one.text, "-" if one.bad is None else "yes" if one.met else "NO"] for one in findings]
    table = [["", "found", "met"], *rows]
    widths = [max(len(row[column]) for row in table) for column in range(3)]
    shown = [
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |"
        for row in table
    ]
    return [shown[0], f"|{'|'.join('-' * (width + 2) for width in widths)}|", *shown[1:]]


def _asks(evidence: Evidence) -> list[Finding]:
    polls = list(evidence.polls)
    asked = Counter(poll.question for poll in polls)
    never = sum(asked[question] == 0 for question in evidence.expected)
    doubled = sum(number - 1 for number in asked.values() if number > 1)
    strange = sum(question not in evidence.expected for question in asked)
    right = sum(evidence.decisions.get(question) == answer for question, answer in evidence.expected.items())
    missing = sum(evidence.decisions.get(question) is None for question in evidence.expected)
    wrong = len(evidence.expected) - right - missing
    still_open = sum(not poll.is_finished for poll in polls)
    return [
        Finding(
            "every poll asked once",
            never + doubled + strange,
            f"{len(polls)} polls: {doubled} doubled, {never} never asked",
        ),
        Finding(
            "every decision right",
            wrong + missing,
            f"{right} of {len(evidence.expected)}: {wrong} wrong, {missing} missing",
        ),
        Finding("every poll closed", still_open, f"{still_open} open"),
    ]


def _calls(evidence: Evidence) -> Finding:
    right = sum(evidence.replies.get(number) == reply for number, reply in evidence.calls.items())
    return Finding(
        "every call answered right", len(evidence.calls) - right, f"{right} of {len(evidence.calls)}"
    )


def _messages(evidence: Evidence) -> list[Finding]:
    messages = list(evidence.messages)
    there = [evidence.delivered.get(message, 0) for message in messages]
    told = [evidence.told.get(message) for message in messages]
    accepted = sum(status == "accepted" for status in told)
    doubled = sum(count > 1 for count in there)
    silent = sum(status is None for status in told)
    # "unknown" says that it may have arrived; whoever reads the report looks it up.
    false = sum(
        (status == "accepted" and count == 0) or (status not in {"accepted", "unknown", None} and count > 0)
        for status, count in zip(told, there, strict=True)
    )
    strange = len(set(evidence.delivered) - set(messages))
    others = Counter(str(status) for status in told if status not in {"accepted", None})
    named = "".join(f", {number} {status}" for status, number in sorted(others.items()))
    return [
        Finding(
            "every message accepted once or reported",
            doubled + silent + strange,
            f"{accepted} of {len(messages)} accepted{named}: {doubled} doubled, {silent} not reported",
        ),
        Finding("every report true", false, f"{false} false"),
    ]


def _tasks(tasks: list[Task]) -> list[Finding]:
    stuck = [task for task in tasks if task.state not in FINAL]
    failed = [task for task in tasks if task.state in FINAL and task.state != "success"]
    retried = sum(task.tries > 1 for task in tasks)
    names = f" ({', '.join(sorted({task.name for task in failed}))})" if failed else ""
    return [
        Finding("no task stuck", len(stuck), f"{len(stuck)} of {len(tasks)}; {retried} were retried"),
        Finding("no task failed", len(failed), f"{len(failed)}{names}"),
    ]


def _leaks(leaks: list[str]) -> Finding:
    return Finding("no secret in a log", len(leaks), "; ".join(leaks) or "none")
