"""One HTTP reply, before it is sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.emulator.api.call import RawBody
from airflow_provider_b24.emulator.php import json_text

if TYPE_CHECKING:
    from airflow_provider_b24.emulator.php.api_error import ApiError

JSON = "application/json; charset=utf-8"
HTML = "text/html; charset=utf-8"

NGINX_PAGE = (
    "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
    "<center><h1>{title}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)


@dataclass(slots=True)
class Reply:
    """Status, body and headers; ``dropped`` closes the connection in place of all that."""

    status: int
    content: bytes
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    error: str = ""
    dropped: bool = False


def from_body(body: dict[str, Any] | RawBody, *, status: int = 200) -> Reply:
    """Return the reply of a method."""
    if isinstance(body, RawBody):
        disposition = {"Content-Disposition": f"attachment;filename={body.filename}"}
        return Reply(status, body.content, body.content_type, disposition)
    return Reply(status, json_text.encode(body).encode(), error=str(body.get("error", "")))


def from_error(error: ApiError) -> Reply:
    """Return the reply of a refusal."""
    return from_body(error.body(), status=error.status)


def page(status: int, title: str) -> Reply:
    """Return a page of the front server, which speaks no JSON."""
    text = NGINX_PAGE.format(title=f"{status} {title}")
    return Reply(status, text.encode(), HTML)
