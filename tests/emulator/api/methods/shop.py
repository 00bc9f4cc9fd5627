"""A shop's connector, for the tests of imconnector.*."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ...conftest import Caller


class Shop:
    """The application with its connector, switched on for the portal's line."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.line = next(iter(caller.portal.lines)).id

    def params(self, **more: Any) -> dict[str, Any]:
        return {"CONNECTOR": "shop", "LINE": self.line, **more}

    def result(self, method: str, **more: Any) -> Any:
        return self.caller.result(f"imconnector.{method}", self.params(**more), oauth=True)

    def error(self, method: str, **more: Any) -> tuple[int, Any]:
        return self.caller.error(f"imconnector.{method}", self.params(**more), oauth=True)

    def send(self, *rows: Any) -> list[Any]:
        sent = self.result("send.messages", MESSAGES=list(rows))
        assert sent["SUCCESS"] is True
        rows_back: list[Any] = sent["DATA"]["RESULT"]
        return rows_back


def row(outside_id: object = "m1", text: str | None = "hello", **parts: Any) -> dict[str, Any]:
    message = {"id": outside_id, "date": 1_760_000_000} | ({} if text is None else {"text": text})
    made: dict[str, Any] = {
        "user": {"id": "u1", "name": "Maria"},
        "message": message,
        "chat": {"id": "order-1"},
    }
    for part, more in parts.items():
        made[part] = made.get(part, {}) | more
    return made
