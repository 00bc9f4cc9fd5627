"""The rows of a run as a table for people, and as JSON for a bug report. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.conformance.runner import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_provider_b24.conformance.runner import Row

_HEAD = ("", "what is looked at", "what we hold true", "what this portal does", "what depends on it")
_MARKS = {Verdict.HOLDS: "ok", Verdict.DIFFERS: "DIFFERS", Verdict.UNCLEAR: "?", Verdict.NOT_TRIED: "-"}
#: The exit status: nothing differs, something does, or something that was tried could not be told.
OK, DIFFERENT, NOT_RUN = 0, 1, 2


def table(rows: Iterable[Row]) -> str:
    """Return the rows as a table in Markdown, which is readable as it is.

    :param rows: the rows.
    """
    lines = [_HEAD, *map(_cells, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    rule = [("-" * width) for width in widths]
    return "\n".join(_line(line, widths) for line in [lines[0], rule, *lines[1:]])


def advice(rows: Iterable[Row]) -> str:
    """Return what the provider does where a portal differs; empty when nothing does.

    :param rows: the rows.
    """
    different = [row for row in rows if row.verdict is Verdict.DIFFERS]
    return "\n".join(f"{row.probe.id}: {row.probe.otherwise}" for row in different)


def summary(rows: Sequence[Row], *, left_behind: int) -> str:
    """Return one line on a run.

    :param rows: the rows.
    :param left_behind: how many things could not be removed.
    """
    counts = {verdict: sum(row.verdict is verdict for row in rows) for verdict in Verdict}
    text = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    removed = f"; {left_behind} things could not be removed from the portal" if left_behind else ""
    return f"{text}{removed}."


def exit_status(rows: Iterable[Row]) -> int:
    """Return 0 when all is as held, 1 when something differs, 2 when something could not be told.

    :param rows: the rows.
    """
    verdicts = {row.verdict for row in rows}
    if Verdict.DIFFERS in verdicts:
        return DIFFERENT
    known = Verdict.HOLDS in verdicts and Verdict.UNCLEAR not in verdicts
    return OK if known else NOT_RUN


def as_json(rows: Iterable[Row], *, facts: Mapping[str, Any]) -> str:
    """Return the rows as JSON.

    :param rows: the rows.
    :param facts: what else the report says.
    """
    entries = [
        {
            "id": row.probe.id,
            "title": row.probe.title,
            "held": list(row.probe.holds),
            "found": row.found,
            "verdict": str(row.verdict),
        }
        for row in rows
    ]
    return json.dumps({**facts, "rows": entries}, indent=2, ensure_ascii=False)


def _cells(row: Row) -> tuple[str, ...]:
    probe = row.probe
    return _MARKS[row.verdict], f"{probe.title} ({probe.id})", probe.held, row.found, probe.depends


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |"
