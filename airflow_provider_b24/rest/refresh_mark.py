"""What the mark beside the lock of a refresh says: which refresh token is being spent, or was refused."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum

#: By how much the clocks of processes that share a mark may differ, in seconds.
_CLOCK_SKEW = 60.0


class MarkState(StrEnum):
    """What happened to a refresh token."""

    #: It was sent, and its answer was not saved yet; after a crash it never will be.
    SPENDING = "spending"
    #: The OAuth server refused it as spent: somebody else has spent it, or it was revoked.
    REFUSED = "refused"
    #: The same, after an earlier attempt whose answer was lost.
    LOST = "lost"


@dataclass(frozen=True)
class RefreshMark:
    """What is known of one refresh token.

    :param token: its fingerprint.
    :param state: what happened to it.
    :param at: when that was first known, in Unix seconds.
    """

    token: str
    state: MarkState
    at: float

    @classmethod
    def read(cls, text: str) -> RefreshMark | None:
        """Return what a mark's text says; None for none, and for one that can't be read."""
        token, _, rest = text.partition(" ")
        state, _, at = rest.partition(" ")
        with suppress(ValueError):
            seconds = float(at)
            if token and math.isfinite(seconds):
                return cls(token, MarkState(state), seconds)
        return None

    def __str__(self) -> str:
        return f"{self.token} {self.state} {self.at:.3f}"

    def moved(self, seconds: float) -> RefreshMark:
        """Return the mark by a clock that is so many seconds ahead."""
        return replace(self, at=self.at + seconds)

    def is_from_future(self, now: float) -> bool:
        """Say whether a clock was set back since: nobody knows then how old the mark is.

        :param now: Unix seconds.
        """
        return self.at > now + _CLOCK_SKEW

    def age(self, now: float) -> float:
        """Return the seconds since then; 0 when the clock of another host is ahead.

        :param now: Unix seconds.
        """
        return max(now - self.at, 0.0)
