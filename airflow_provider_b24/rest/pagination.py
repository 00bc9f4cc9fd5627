"""The items of a list method, page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import (
    Bitrix24Error,
    Bitrix24ListIncompleteError,
    Bitrix24ValidationError,
    Outcome,
)
from airflow_provider_b24.rest import php

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.rest.response import Response

#: Rows of a full page.
PAGE_SIZE = 50
#: By these names a row is known again.
_ID_NAMES = ("ID", "id")


def paginate(
    request: Callable[[str, dict[str, Any]], Response], method: str, params: Mapping[str, Any] | None
) -> Iterator[Any]:
    """Yield every item of a list method.

    Some methods ignore ``start``, leave ``next`` out before the end, or always say ``total`` 50. So a full
    page without ``next`` is followed by one more request, a page that comes again is not yielded, and what
    came is compared with ``total``.

    :param request: calls a method with parameters.
    :param method: the list method.
    :param params: its parameters; ``start`` is the row to begin with.
    :raises Bitrix24ValidationError: when ``start`` is not a row's number.
    :raises Bitrix24ListIncompleteError: when fewer rows came than there are.
    :raises Bitrix24Error: also when the method answers with no list, or with several.
    """
    given = dict(params or {})
    reading = _Reading(method, _first_row(method, given))
    while reading.start is not None:
        page = {**given, "start": reading.start} if reading.start else given
        yield from reading.take(request(method, page))


def items_of(result: Any) -> list[Any] | None:
    """Return the list in a list method's result, wrapped in an object or not; None when it holds none.

    :param result: the reply's ``result``.
    """
    if isinstance(result, list):
        return result
    if not isinstance(result, Mapping):
        return None
    if not result:
        return []
    if isinstance(result.get("items"), list):
        return php.as_list(result["items"])
    if php.is_list(result):
        return php.as_list(result)
    lists = [php.as_list(value) for value in result.values() if php.is_list(value)]
    return lists[0] if len(lists) == 1 else None


class _Reading:
    """How far a list is read.

    :param method: the list method.
    :param start: the row to begin with.
    """

    def __init__(self, method: str, start: int) -> None:
        #: The row with which the next page begins; None is the end.
        self.start: int | None = start
        self._method = method
        self._end = start
        self._page: list[Any] = []
        #: Whether the last page said that another one follows.
        self._is_promised = False

    def take(self, response: Response) -> list[Any]:
        """Return the rows of a page that are new, and find out whether another one follows.

        :param response: the reply with the page.
        """
        rows = items_of(response.result)
        if rows is None:
            raise _no_list(self._method)
        came_again = self._is_same_page(rows, response)
        if came_again and self._is_promised and _total(response) != self._end:
            raise self._incomplete(_total(response))
        new = [] if came_again else rows
        self._end += len(new)
        self._page = new
        self.start = self._next_start(new, response)
        return new

    def _next_start(self, rows: list[Any], response: Response) -> int | None:
        """Return where the next page begins; None at the end of a list that is complete."""
        self._is_promised = self._goes_on(response)
        if rows and self._is_promised:
            return response.next
        if rows and self._may_go_on(rows, response):
            return self._end
        if self._is_promised or (_total(response) or 0) > self._end:
            raise self._incomplete(_total(response))
        return None

    def _may_go_on(self, rows: list[Any], response: Response) -> bool:
        """Say whether a page without ``next`` may not be the last one."""
        total = _total(response)
        if total is not None and total > self._end:
            return True
        # Some methods always say 50.
        is_counted = total == self._end and self._end > PAGE_SIZE
        return len(rows) >= PAGE_SIZE and not is_counted

    def _is_same_page(self, rows: list[Any], response: Response) -> bool:
        """Say whether a page came again: the method ignores ``start``."""
        if not rows:
            return False
        ids = _ids(rows)
        if ids is not None:
            # By id: a row that changes meanwhile, or comes in another order, is the same row.
            return ids == _ids(self._page)
        if rows != self._page:
            return False
        if any(_id(row) is not None for row in rows):
            return True
        # Rows without an id may be alike; then the server must say that this is another page.
        is_last = response.next is None and _total(response) == self._end + len(rows)
        return not (is_last or self._goes_on(response))

    def _goes_on(self, response: Response) -> bool:
        return response.next is not None and response.next > (self.start or 0)

    def _incomplete(self, total: int | None) -> Bitrix24ListIncompleteError:
        whole = f"{total}" if total is not None else "more"
        return Bitrix24ListIncompleteError(
            f"{self._method} gave {self._end} of {whole} rows and then no new ones",
            method=self._method,
            outcome=Outcome.UNKNOWN,
        )


def _first_row(method: str, params: dict[str, Any]) -> int:
    start = params.get("start", 0)
    if isinstance(start, bool) or not str(start).isdecimal():
        raise Bitrix24ValidationError(
            "params.start", f"must be the number of the row to begin with, not {start!r}", method=method
        )
    return int(start)


def _total(response: Response) -> int | None:
    """Return how many rows the server counts; None where it does not count."""
    total = response.total
    return total if total is not None and total > 0 else None


def _ids(rows: list[Any]) -> set[str] | None:
    """Return the ids of a page; None where they do not tell its rows apart."""
    ids = {found for found in map(_id, rows) if found is not None}
    return ids if len(ids) == len(rows) else None


def _id(row: Any) -> str | None:
    if not isinstance(row, Mapping):
        return None
    return next((str(row[name]) for name in _ID_NAMES if name in row), None)


def _no_list(method: str) -> Bitrix24Error:
    return Bitrix24Error(
        f"{method} answers with no list, or with several, so it has no items to paginate",
        method=method,
        outcome=Outcome.UNKNOWN,
        advice="Call it with hook.call and take what you need from the result.",
    )
