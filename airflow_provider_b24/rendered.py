"""Values that a template has rendered to text."""

from __future__ import annotations

import ast
import json
from typing import Any


def literal(text: str) -> Any:
    """Return the list or mapping that a template has rendered to text, or the text itself.

    :param text: JSON, or the text of a Python literal, as Jinja renders it.
    """
    if not text.lstrip().startswith(("{", "[")):
        return text
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
    return text
