"""The items of a list method, page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import Bitrix24Error, Outcome
from airflow_provider_b24.rest import php

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.rest.response import Response

_MAX_PAGES = 100_000


def paginate(
    request: Callable[[str, dict[str, Any]], Response], method: str, params: Mapping[str, Any] | None
) -> Iterator[Any]:
    """Yield every item of a list method.

    :param request: calls a method with parameters.
    :param method: the list method.
    :param params: its parameters, without ``start``.
    :raises Bitrix24Error: also when the method answers with no list, or with several.
    """
    start = 0
    for _ in range(_MAX_PAGES):
        page = {**(params or {}), "start": start} if start else dict(params or {})
        response = request(method, page)
        items = items_of(response.result)
        if items is None:
            raise _no_list(method)
        yield from items
        if not items or response.next is None or response.next <= start:
            return
        start = response.next


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


def _no_list(method: str) -> Bitrix24Error:
    return Bitrix24Error(
        f"{method} answers with no list, or with several, so it has no items to paginate",
        method=method,
        outcome=Outcome.UNKNOWN,
        advice="Call it with hook.call and take what you need from the result.",
    )
