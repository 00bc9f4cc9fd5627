"""Who may speak to the emulator: programs of this machine, and the emulator's own page.

A web page of another site can make a browser on this machine send requests here. Its requests carry the
site's name as ``Host`` (DNS rebinding) or as ``Origin``.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Scope

_AUTHORITY = re.compile(
    r"(?:\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<name>[^\s:/@\[\]]+))(?::[0-9]{1,5})?", re.IGNORECASE
)


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is this machine's loopback."""
    with contextlib.suppress(ValueError):
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    return False


@lru_cache(maxsize=64)
def is_loopback_authority(authority: str) -> bool:
    """Return whether a ``Host`` header names this machine, with any port or none."""
    found = _AUTHORITY.fullmatch(authority)
    return found is not None and is_loopback(found["ipv6"] or found["name"])


def has_loopback_host(scope: Scope) -> bool:
    """Return whether a request was sent to this machine's own name."""
    hosts = _values(scope, b"host")
    return len(hosts) == 1 and is_loopback_authority(hosts[0])


def has_foreign_origin(scope: Scope) -> bool:
    """Return whether a page of another site, be it on another port, makes the browser send a request."""
    own = [f"{scope['scheme']}://{host}" for host in _values(scope, b"host")]
    return any(origin not in own for origin in _values(scope, b"origin"))


def _values(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]
