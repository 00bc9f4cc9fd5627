"""What the OAuth server may answer in place of a new pair of tokens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator


def _pair(access: Any, refresh: Any) -> dict[str, Any]:
    """A reply that looks like a new pair."""
    return {"kind": "reply", "body": json.dumps({"access_token": access, "refresh_token": refresh})}


#: Each is a fault of the emulator before which no refresh token is spent.
FAILURES: dict[str, dict[str, Any]] = {
    "bad gateway": {"kind": "status_502"},
    "gateway timeout": {"kind": "status_504"},
    "no reply": {"kind": "drop_before"},
    "page": {"kind": "html"},
    "forbidden by a proxy": {"kind": "reply", "status": 403, "body": "<html>blocked</html>"},
    "empty": {"kind": "reply"},
    "no JSON": {"kind": "reply", "body": "busy"},
    "half a reply": {"kind": "reply", "body": '{"access_token": "a-tok'},
    "no object": {"kind": "reply", "body": "[]"},
    "no tokens": {"kind": "reply", "body": '{"expires_in": 3600}'},
    "a result": {"kind": "reply", "body": '{"result": true}'},
    "one token": {"kind": "reply", "body": '{"access_token": "a-token-1"}'},
    "numbers": _pair(12345, 67890),
    "lists": _pair(["a-token-1"], ["r-token-1"]),
    "true": _pair(True, True),
    "empty tokens": _pair("", ""),
    "no text": _pair("a-token\r\nX-Header: 1", "r-token-1"),
    "a surrogate": _pair("a-token-\ud800", "r-token-1"),
}


def break_oauth_server(portal: Emulator, name: str, *, times: int | None = None) -> None:
    """Let the OAuth server of the emulator fail in one of these ways from now on."""
    fault = dict(FAILURES[name])
    if fault["kind"] == "reply":
        fault["executed"] = False
    portal.faults.add(**fault, method="oauth.token", times=times)
