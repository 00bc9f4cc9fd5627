"""Which methods may be sent a second time when nobody knows whether the first was executed.

A method is safe when executing it twice leaves the portal as executing it once does. Methods that
are not named here are safe only when their last word says that they read. A caller who knows better
says so, for one call with ``hook.call(..., repeatable=True)``, or for a method in every call and batch
of the process with :func:`declare`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Last words of methods that only read, in lower case.
READ_VERBS = frozenset(
    {
        "get", "getmany", "getwithvoted", "getanswervoted", "getlastid", "getcount", "list", "listwithcount",
        "fields", "search", "status", "current", "download", "count", "profile", "scope", "info", "time",
        "methods", "types",
    }
)  # fmt: skip

#: Exact names, in lower case: True is safe, False is not, whatever the last word says.
METHODS: dict[str, bool] = {
    # Stopping, resuming or recalling twice ends where once ends.
    "vote.attachedvote.stop": True,
    "vote.attachedvote.resume": True,
    "vote.attachedvote.recall": True,
    # A ballot that the portal finds broken erases the earlier vote: only the polls layer, which has
    # checked it against a fresh read, may repeat it.
    "vote.attachedvote.vote": False,
    # Upserts and flags.
    "imconnector.register": True,
    "imconnector.unregister": True,
    "imconnector.activate": True,
    "imconnector.connector.data.set": True,
    "imconnector.chat.name.set": True,
    "imconnector.set.error": True,
    "imconnector.send.status.delivery": True,
    "imconnector.send.status.reading": True,
    # The same text for the same message id.
    "imconnector.update.messages": True,
    "imconnector.delete.messages": True,
    # No de-duplication on the portal's side.
    "imconnector.send.messages": False,
    "imopenlines.crm.message.add": False,
    "im.message.add": False,
    # Reads that take what they read away.
    "event.offline.get": False,
}

#: The only form of templateId by which the portal recognises a repeated poll.
TEMPLATE_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")

#: Methods that answer with a file instead of JSON.
BINARY_METHODS = frozenset({"vote.attachedvote.download"})


def declare(method: str, *, repeatable: bool) -> None:
    """Say of a method that this table does not know, or knows wrongly, whether it may be repeated.

    :param method: the method's name, for example ``crm.deal.update``.
    """
    METHODS[method.lower()] = repeatable


def is_read_only(method: str) -> bool:
    """Say whether a method only reads, so that nobody can tell in which order calls of it ran."""
    name = method.lower()
    return name not in METHODS and name.rsplit(".", 1)[-1] in READ_VERBS


def is_repeatable(method: str, params: Mapping[str, Any]) -> bool:
    """Say whether a call may be repeated although it may have been executed."""
    name = method.lower()
    if name == "vote.integration.im.send":
        return TEMPLATE_ID.fullmatch(str(params.get("templateId") or "")) is not None
    return METHODS[name] if name in METHODS else is_read_only(name)
