"""The refusal of a call, as the REST API reports it."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """A refusal: becomes ``{"error": code, "error_description": description, **extra}``."""

    def __init__(
        self, code: str | int, description: str, status: int = 400, extra: dict[str, Any] | None = None
    ) -> None:
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = description
        self.status = status
        self.extra = extra or {}

    def body(self) -> dict[str, Any]:
        """Return the reply's body."""
        return {"error": self.code, "error_description": self.description, **self.extra}
