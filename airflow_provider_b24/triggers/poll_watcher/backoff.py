"""How long a portal has been giving no answers, when to ask again, and when to say so. Pure."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds until the log is told again, for the first time and at most; each time four times as long.
_FIRST_SILENCE = 60.0
_LONGEST_SILENCE = 3600.0


class Trouble:
    """Failures in a row.

    :param base: seconds that the first pause may last; it doubles each time.
    :param longest: seconds that a pause may last.
    """

    def __init__(self, *, base: float, longest: float, random_: Callable[[], float] = random.random) -> None:
        self._base = base
        self._longest = longest
        self._random = random_
        self._failures = 0
        self._began: float | None = None
        self._lasting_since: float | None = None
        self._silence = _FIRST_SILENCE
        self._silent_until = 0.0

    def failed(self, now: float, *, lasting: bool) -> float:
        """Take note of a failure and return how many seconds to wait before asking again.

        :param lasting: whether it is one that does not pass by itself.
        """
        self._began = now if self._began is None else self._began
        self._lasting_since = (
            (now if self._lasting_since is None else self._lasting_since) if lasting else None
        )
        self._failures += 1
        # The exponent is bounded: an outage of days must not overflow.
        longest: float = min(self._base * 2.0 ** min(self._failures - 1, 30), self._longest)
        return longest * (0.5 + self._random() / 2)

    def is_worth_a_word(self, now: float) -> bool:
        """Say whether to tell the log: at the first failure, and then less and less often."""
        if self._failures == 1:
            self._silence = _FIRST_SILENCE
        elif now < self._silent_until:
            return False
        else:
            self._silence = min(self._silence * 4, _LONGEST_SILENCE)
        self._silent_until = now + self._silence
        return True

    def lasted(self, now: float) -> float:
        """Return for how long there has been nothing but failures that do not pass by themselves."""
        return 0.0 if self._lasting_since is None else now - self._lasting_since

    def over(self, now: float) -> float | None:
        """Take note of an answer; return how long there was none, or None when there was no trouble."""
        lasted = None if self._began is None else now - self._began
        self._failures, self._began, self._lasting_since = 0, None, None
        return lasted
