"""Control characters, which let a text from outside forge lines of a log or steer a terminal."""

from __future__ import annotations

import re

#: Escape sequences of terminals: colours and moves of the cursor; titles and links; all others.
_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)"
    r"|\x1b[ -/]*[0-~]"
)
#: C0 and C1, line and paragraph separators, and lone surrogates, which no log can be written with.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
#: They reverse the order in which a text is shown.
_BIDI_CONTROLS = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def without_controls(text: str) -> str:
    """Return a text that a log and a terminal show as one line, and as it is.

    :param text: a text from outside; its control characters become spaces, its escape sequences nothing.
    """
    return _CONTROLS.sub(" ", _BIDI_CONTROLS.sub("", _ESCAPES.sub("", text)))
