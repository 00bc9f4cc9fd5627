"""What is sent when a fault fires."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_b24.emulator.api.limits import operating_error, query_error
from airflow_provider_b24.emulator.http.http_reply import HTML, Reply, from_error, page
from airflow_provider_b24.emulator.php.api_error import ApiError

if TYPE_CHECKING:
    from airflow_provider_b24.emulator.state.faults import Fault

MAINTENANCE = (
    "<!DOCTYPE html><html><head><title>Bitrix24</title></head>"
    "<body><h1>Something went wrong</h1></body></html>"
)

_PAGES = {"status_502": (502, "Bad Gateway"), "status_504": (504, "Gateway Time-out")}


def executes(fault: Fault) -> bool:
    """Whether the portal does what was asked although the fault fires."""
    if fault.kind in {"slow", "drop_after"}:
        return True
    return bool(fault.details.get("executed", False))


def broken(fault: Fault, reply: Reply | None, path: str) -> Reply:
    """Return what goes out in place of the reply, which is None if nothing was executed."""
    plain = _plain(fault, path)
    if plain is not None:
        return plain
    content = b"" if reply is None else reply.content
    if fault.kind == "truncated":
        return Reply(200, content[: len(content) // 2] or b'{"result":')
    if fault.kind == "oversize":
        return _oversize(fault, content)
    return Reply(200, b"")


def _plain(fault: Fault, path: str) -> Reply | None:
    """Return the replies that do not depend on what the portal said."""
    if fault.kind.startswith("drop"):
        return Reply(0, b"", dropped=True)
    if fault.kind in _PAGES:
        return page(*_PAGES[fault.kind])
    if fault.kind == "html":
        return Reply(200, MAINTENANCE.encode(), HTML)
    if fault.kind == "reply":
        return Reply(int(fault.details["status"]), str(fault.details["body"]).encode())
    if fault.kind == "redirect":
        location = str(fault.details["location"]).rstrip("/") + path
        return Reply(302, b"", HTML, {"Location": location})
    errors = {
        "status_503_limit": query_error,
        "operating_limit": operating_error,
        "expired_token": _expired,
    }
    return from_error(errors[fault.kind]()) if fault.kind in errors else None


def _expired() -> ApiError:
    return ApiError("expired_token", "The access token provided has expired", 401)


def _oversize(fault: Fault, content: bytes) -> Reply:
    padding = max(int(fault.details["bytes"]) - len(content), 0)
    return Reply(200, (content or b"{}")[:-1].rstrip() + b" " * padding + b"}")
