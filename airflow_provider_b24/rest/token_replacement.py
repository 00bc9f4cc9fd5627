"""What came in place of an access token that the portal refused."""

from __future__ import annotations

from enum import StrEnum


class TokenReplacement(StrEnum):
    """What came in place of a refused access token."""

    #: Nothing: the credentials have no other token.
    NONE = "none"
    #: The token of another thread, process or host, which may have expired meanwhile.
    TAKEN_OVER = "taken over"
    #: The token that the OAuth server has issued just now.
    REFRESHED = "refreshed"
