"""The open lines of a portal, and how to find one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import Bitrix24LineNotFoundError
from airflow_provider_b24.ids import parse_line
from airflow_provider_b24.rest import php

if TYPE_CHECKING:
    from airflow_provider_b24.rest.client import Bitrix24Client

_LIST = "imopenlines.config.list.get"
#: The largest page that the portal sends.
_PAGE = 200
#: How many lines an error lists.
_MAX_SHOWN = 20


@dataclass(frozen=True)
class Line:
    """One open line."""

    id: int
    name: str
    active: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the line as JSON values."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.id} ({self.name!r}{'' if self.active else ', switched off'})"


def read_lines(client: Bitrix24Client) -> list[Line]:
    """Return all open lines that the connection's user sees."""
    lines: dict[int, Line] = {}
    while True:
        page = _read_page(client, offset=len(lines))
        known = len(lines)
        lines |= {line.id: line for line in page}
        # A portal that does not know offsets sends the same page again.
        if len(page) < _PAGE or len(lines) == known:
            return list(lines.values())


def find_line(client: Bitrix24Client, line: Any) -> Line:
    """Return the line of a number or of an exact name; digits are a number.

    :raises Bitrix24LineNotFoundError: when there is none, or several have the name; it lists the candidates.
    """
    wanted = parse_line(line)
    lines = read_lines(client)
    found = [item for item in lines if wanted in (item.id, item.name.strip())]
    if len(found) == 1:
        return found[0]
    if found:
        text = f"{len(found)} open lines have the name {wanted!r}: {_shown(found)}"
        raise client.refusal(Bitrix24LineNotFoundError, _LIST, text)
    what = f"with the {'number' if isinstance(wanted, int) else 'name'} {wanted!r}"
    text = f"there is no open line {what}; the portal has {_shown(lines) or 'none'}"
    raise client.refusal(Bitrix24LineNotFoundError, _LIST, text)


def _read_page(client: Bitrix24Client, *, offset: int) -> list[Line]:
    fields = {
        "select": ["ID", "LINE_NAME", "ACTIVE"],
        "order": {"ID": "ASC"},
        "limit": _PAGE,
        "offset": offset,
    }
    rows = client.call(_LIST, {"PARAMS": fields})
    with php.promised("a list of open lines", method=_LIST, conn_id=client.conn_id):
        return [_line(row) for row in php.as_rows(rows)]


def _line(row: dict[str, Any]) -> Line:
    return Line(php.as_id(row.get("ID")), php.as_text(row.get("LINE_NAME")), php.as_bool(row.get("ACTIVE")))


def _shown(lines: list[Line]) -> str:
    more = f" and {len(lines) - _MAX_SHOWN} more" if len(lines) > _MAX_SHOWN else ""
    return ", ".join(map(str, lines[:_MAX_SHOWN])) + more
