"""What a run says before it begins: what people will see, and what stays. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_b24.conformance.probe import Probe

#: What all probes together post into the chat; a test counts it.
POLLS, MESSAGES, NOTICES = 16, 2, 1


def announcement(tried: Iterable[Probe], *, on_line: bool) -> str:
    """Return what people will see of a run that writes.

    :param tried: the probes that will be tried.
    :param on_line: whether an open line was given.
    """
    lines = [
        f"The people in the chat will see about {POLLS} polls and {MESSAGES} messages that begin with",
        '"Airflow conformance check", for a minute or two, and may get notifications. The connection\'s user',
        "votes in some of the polls. All of them are deleted in the end; those that Bitrix24 does not let",
        f"be deleted are stopped and stay. Bitrix24's own notice of a stopped poll ({NOTICES}) stays.",
        "Two chats are opened in which nobody else is, and left again.",
    ]
    if any(probe.id.startswith("connector.") and probe.writes for probe in tried):
        lines.append("A connector is registered for the application, and removed again.")
        if on_line:
            lines.append("It is switched on for the open line for a moment; no message is sent.")
    return "\n".join(lines)
