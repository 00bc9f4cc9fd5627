"""Who gets Ctrl-C: the demo alone, and not the make that has started it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def own_terminal() -> Iterator[None]:
    """Take the terminal's signals for this process.

    Ctrl-C goes to all processes of the group that has the terminal. Make would end with an error,
    whatever the demo returns.
    """
    terminal = _shared_terminal()
    if terminal is None:
        yield
        return
    group = os.getpgrp()
    os.setpgid(0, 0)
    # Ctrl-Z would stop the demo alone, and its shell would wait for make.
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    _give(terminal, os.getpgrp())
    try:
        yield
    finally:
        _give(terminal, group)


def _shared_terminal() -> int | None:
    """Return the terminal if this process has it together with the one that started it."""
    try:
        terminal = sys.stdin.fileno()
        has_it = os.tcgetpgrp(terminal) == os.getpgrp()
    except (OSError, ValueError):
        return None
    return terminal if has_it and os.getpgrp() != os.getpid() else None


def _give(terminal: int, group: int) -> None:
    # A process that is not in the terminal's group is stopped when it changes that group.
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.tcsetpgrp(terminal, group)
    signal.signal(signal.SIGTTOU, before)
