"""Assets of a Bitrix24 portal, on which other DAGs can be scheduled.

=============================================  =================================================
``bitrix24://HOST/open_lines/LINE/CONNECTOR``  what a connector has pushed into an open line
``bitrix24://HOST/polls/NAME``                 a poll that is decided, under a name of your own
=============================================  =================================================
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.ids import positive_number

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from airflow.providers.common.compat.sdk import Context

log = logging.getLogger(__name__)

SCHEME = "bitrix24"
_OPEN_LINES, _POLLS = "open_lines", "polls"
_SHAPES = f"{SCHEME}://HOST/{_OPEN_LINES}/LINE/CONNECTOR or {SCHEME}://HOST/{_POLLS}/NAME"


def connector_asset(*, portal: str, line: int | str, connector: str) -> Any:
    """Return the asset of what a connector pushes into an open line.

    :param portal: the portal's host, ``acme.bitrix24.com``.
    :param line: the open line's number.
    :param connector: the id under which the connector is registered.
    :returns: an ``Asset``, on Airflow 2 a ``Dataset``; put it into the ``outlets`` of the task that pushes.
    """
    number = positive_number(line)
    if number is None:
        raise Bitrix24ValidationError("line", f"must be a positive number, not {line!r}")
    return _asset(portal, _OPEN_LINES, str(number), _part(connector, "connector"))


def poll_asset(*, portal: str, name: str) -> Any:
    """Return the asset of a poll that is decided.

    :param portal: the portal's host, ``acme.bitrix24.com``.
    :param name: a name of your own for the poll: the message of each run is another one.
    :returns: an ``Asset``, on Airflow 2 a ``Dataset``; put it into the ``outlets`` of the task that asks or
        waits.
    """
    return _asset(portal, _POLLS, _part(name, "name"))


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Return a ``bitrix24://`` URI in its one form; Airflow calls it for each asset.

    :param uri: the parts of the URI.
    :raises ValueError: when it names neither a connector nor a poll.
    """
    host = uri.netloc.rpartition("@")[2].lower()
    kind, *names = uri.path.strip("/").split("/")
    is_connector = kind == _OPEN_LINES and len(names) == 2 and positive_number(names[0]) is not None
    is_poll = kind == _POLLS and len(names) == 1
    if not host or not all(names) or not (is_connector or is_poll):
        raise ValueError(f"URI format {SCHEME}:// must be {_SHAPES}")
    path = "/".join(["", kind, *(quote(unquote(name), safe="") for name in names)])
    return uri._replace(scheme=SCHEME, netloc=host, path=path, query="", fragment="")


def create_asset(*, uri: str, extra: dict[str, Any] | None = None) -> Any:
    """Return an asset for a ``bitrix24://`` URI.

    :param uri: the URI.
    :param extra: what is stored with the asset.
    """
    return _asset_type()(uri=sanitize_uri(urlsplit(uri)).geturl(), extra=extra)


def describe_outlets(context: Context, operator: Any, report: dict[str, Any]) -> None:
    """Put the counts of a push into the events of the task's ``bitrix24://`` assets.

    :param context: the running task's context.
    :param operator: the task.
    :param report: the report, as the task returns it.
    """
    events: Any = context.get("outlet_events")
    if events is None:
        return
    counts = {name: report[name] for name in ("accepted", "rejected", "unknown", "report_path")}
    for outlet in getattr(operator, "outlets", None) or []:
        if str(getattr(outlet, "uri", "")).startswith(f"{SCHEME}://"):
            events[outlet].extra.update(counts)


def _asset(portal: str, *parts: str) -> Any:
    host = (urlsplit(portal).netloc if "://" in portal else portal).strip("/").lower()
    if not host or "/" in host or "@" in host:
        raise Bitrix24ValidationError("portal", f"must be the portal's host, not {portal!r}")
    return _asset_type()(uri=f"{SCHEME}://{host}/" + "/".join(parts))


def _part(value: str, path: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Bitrix24ValidationError(path, "must be text, and not blank")
    return quote(value.strip(), safe="")


def _asset_type() -> Any:
    try:
        return import_module("airflow.sdk").Asset
    except ImportError:
        return import_module("airflow.datasets").Dataset
