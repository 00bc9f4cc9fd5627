"""Figures, goals, and the printed table."""

from __future__ import annotations

from dataclasses import dataclass, field

OURS = "ours"


@dataclass(frozen=True)
class Figure:
    """The result of one contender.

    :param text: the figures as text.
    :param met: whether the goal is met; None without a goal.
    """

    text: str
    met: bool | None = None


@dataclass
class Row:
    """One scenario.

    :param name: what the contenders do.
    :param goal: the provider's goal.
    :param figures: the figures, by the contender's name.
    """

    name: str
    goal: str
    figures: dict[str, Figure] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        """Whether the provider reaches its goal; None without a goal."""
        ours = self.figures.get(OURS)
        return None if ours is None else ours.met


def markdown(rows: list[Row], peers: list[str]) -> str:
    """Return the rows as a Markdown table with aligned columns."""
    head = ["", "goal", OURS, "met", *peers]
    lines = [head, *(_cells(row, peers) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    shown = [_line([cell.ljust(width) for cell, width in zip(line, widths, strict=True)]) for line in lines]
    rule = _line(["-" * width for width in widths])
    return "\n".join([shown[0], rule, *shown[1:]])


def _cells(row: Row, peers: list[str]) -> list[str]:
    met = {True: "yes", False: "NO", None: "-"}[row.met]
    figures = [row.figures.get(name, Figure("-")).text for name in peers]
    return [row.name, row.goal, row.figures.get(OURS, Figure("-")).text, met, *figures]


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
