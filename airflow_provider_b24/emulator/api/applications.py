"""Checks of methods that only an application may call, and of what its portal's plan includes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_b24.emulator.php.api_error import ApiError

if TYPE_CHECKING:
    from airflow_provider_b24.emulator.api.call import Call


def require_application(call: Call) -> None:
    """Refuse webhooks.

    :raises ApiError: a webhook calls.
    """
    if not call.by_application:
        raise ApiError("WRONG_AUTH_TYPE", "Current authorization type is denied for this method", 403)


def require_administrator(call: Call) -> None:
    """Refuse webhooks, and users without administrator rights.

    :raises ApiError: another one calls.
    """
    require_application(call)
    if not call.user.admin:
        raise ApiError("ACCESS_DENIED", "Access denied!", 403)


def denied(reason: str) -> ApiError:
    """Return the refusal of a user without administrator rights."""
    return ApiError("ACCESS_DENIED", f"Access denied! {reason}", 403)


def require_feature(*, included: bool, feature: str) -> None:
    """Refuse what the portal's plan does not include.

    :raises ApiError: it is not included.
    """
    if not included:
        text = f"This feature is not enabled for the current license: {feature}"
        raise ApiError("WRONG_LICENSE", text, 403)


def auth_connector(call: Call) -> str:
    """Return the source key of a call; it divides the queue of offline events.

    :raises ApiError: there is one, and the plan does not include it.
    """
    included = not call.auth_connector or call.portal.quirks.auth_connector
    require_feature(included=included, feature="auth_connector")
    return call.auth_connector
