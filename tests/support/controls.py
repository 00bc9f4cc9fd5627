"""Texts with control characters and terminals' escape sequences."""

from __future__ import annotations

import re

from hypothesis import strategies as st

ESCAPES = [
    "\x1b[31m",
    "\x1b[2J\x1b[H",
    "\x1b]0;title\x07",
    "\x1b]8;;https://evil.example\x1b\\",
    "\x1bc",
    "\x1b(B",
    "\x1bP1$r\x1b\\",
]
FORBIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
HOSTILE_TEXTS = st.lists(
    st.one_of(
        st.text(max_size=8),
        st.text(st.characters(categories=["Cc", "Cf", "Zl", "Zp", "Cs"]), max_size=3),
        st.sampled_from([*ESCAPES, "canary0", "value", "\r\n", "\u202e", "Нет доступа", "🎉"]),
    ),
    max_size=40,
).map("".join)
