"""What a connection reaches: portal, user and scopes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import Bitrix24Error, Bitrix24ExpiredTokenError
from airflow_provider_b24.rest import php
from airflow_provider_b24.rest.redaction import REGISTRY

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.rest.client import Bitrix24Client

#: What each scope is for, in the provider's own jobs.
SCOPES = {"vote": "polls", "im": "chats", "imopenlines": "open lines"}


def check_connection(make_client: Callable[[], Bitrix24Client | None], *, portal: str) -> tuple[bool, str]:
    """Return whether the connection works, and a description of what it reaches.

    :param make_client: returns a client that never spends a refresh token; None when the application
        has no access token yet.
    :param portal: the portal's address.
    """
    try:
        client = make_client()
        return True, _untried(portal, "has no access token yet") if client is None else _describe(client)
    except Bitrix24ExpiredTokenError:
        return True, _untried(portal, "has an access token that has expired")
    except Bitrix24Error as error:
        return False, str(error)


def _describe(client: Bitrix24Client) -> str:
    answers = client.call_batch({"user": "profile", "scopes": "scope"})
    answers.raise_for_errors()
    user, scopes = answers.results["user"], answers.results["scopes"]
    return f"Portal {client.portal}, user {_user(user)}. {_missing(scopes)}"


def _user(profile: Any) -> str:
    with php.promised("a user", method="profile"):
        row = php.as_row(profile)
        name = " ".join(filter(None, (php.as_text(row.get(key)) for key in ("NAME", "LAST_NAME"))))
        administrator = ", administrator" if php.as_bool(row.get("ADMIN")) else ""
        user = f"{name or 'without a name'} (id {php.as_id(row.get('ID'))}{administrator})"
    return REGISTRY.redact_and_truncate(user)


def _missing(scopes: Any) -> str:
    with php.promised("a list of scopes", method="scope"):
        granted = set(map(php.as_text, php.as_list(scopes)))
    missing = [f"{scope} (for {purpose})" for scope, purpose in SCOPES.items() if scope not in granted]
    if missing:
        return f"Missing scopes: {', '.join(missing)}."
    return f"The scopes {', '.join(SCOPES)} are all there."


def _untried(portal: str, state: str) -> str:
    return (
        f"The application for {portal} {state}. The first task that calls the portal refreshes it; "
        "this test does not, because a refresh token can be spent only once."
    )
