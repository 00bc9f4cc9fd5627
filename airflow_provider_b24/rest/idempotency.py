"""Which methods are idempotent: they may be sent again after an attempt whose outcome is unknown.

A method is idempotent when executing it twice leaves the portal as executing it once does. A method
that is not named here is idempotent only when its last word says that it reads. A caller who knows more
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

#: Exact names, in lower case, whatever the last word says.
IDEMPOTENT: dict[str, bool] = {
    # Stopping, resuming or recalling twice ends where once ends.
    "vote.attachedvote.stop": True,
    "vote.attachedvote.resume": True,
    "vote.attachedvote.recall": True,
    # A ballot that the portal refuses erases the earlier vote: only the polls layer, which has checked
    # the ballot against a fresh read, may send it again.
    "vote.attachedvote.vote": False,
    # Upserts and flags.
    "imconnector.register": True,
    "imconnector.unregister": True,
    "imconnector.activate": True,
    "imconnector.connector.data.set": True,
    "imconnector.chat.name.set": True,
    "imconnector.set.error": True,
    "user.option.set": True,
    "app.option.set": True,
    "imconnector.send.status.delivery": True,
    "imconnector.send.status.reading": True,
    # The same text for the same message id.
    "imconnector.update.messages": True,
    "imconnector.delete.messages": True,
    # No de-duplication on the portal's side.
    "imconnector.send.messages": False,
    "imopenlines.crm.message.add": False,
    "im.message.add": False,
    # It removes, or reserves, what it reads.
    "event.offline.get": False,
    # Of named events, or of a whole reservation: twice is as once.
    "event.offline.clear": True,
    "event.unbind": True,
    "events": True,
}

#: The only form of templateId by which the portal recognises a repeated poll.
TEMPLATE_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def declare(method: str, *, repeatable: bool) -> None:
    """Say of a method that this table does not know, or knows wrongly, whether it is idempotent.

    :param method: the method's name, for example ``crm.deal.update``.
    :param repeatable: whether it may be sent again after an attempt whose outcome is unknown.
    """
    IDEMPOTENT[method.lower()] = repeatable


def is_read_only(method: str) -> bool:
    """Say whether a method only reads, so that the order of its calls does not matter.

    :param method: the method's name.
    """
    name = method.lower()
    return name not in IDEMPOTENT and name.rsplit(".", 1)[-1] in READ_VERBS


def is_idempotent(method: str, params: Mapping[str, Any]) -> bool:
    """Say whether a call may be sent again after an attempt whose outcome is unknown.

    :param method: the method's name.
    :param params: its parameters: a poll with a template id may be sent again.
    """
    name = method.lower()
    if name == "vote.integration.im.send":
        return TEMPLATE_ID.fullmatch(str(params.get("templateId") or "")) is not None
    return IDEMPOTENT[name] if name in IDEMPOTENT else is_read_only(name)
