"""Bitrix24's error codes: one row a code.

A row says which error a user can catch, whether the portal executed the call, and how a retry is made.
One code can come with several HTTP statuses (documentation and server differ), so the code decides and
the status helps only where a code says nothing. Codes are compared in lower case.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from airflow_provider_b24 import exceptions as e
from airflow_provider_b24.exceptions import Outcome

_NOT = Outcome.NOT_EXECUTED
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500


class RetryKind(StrEnum):
    """How a call that failed with a code is retried.

    ``BY_OUTCOME`` with backoff, where the outcome allows it; ``RATE_LIMIT`` with backoff, more often;
    ``AFTER_RESET`` when the portal resets the method's operating time; ``REFRESH`` after the access token
    was refreshed; ``REREAD`` after another host's refresh token was read; ``NEVER`` not at all.
    """

    BY_OUTCOME = "by outcome"
    RATE_LIMIT = "rate limit"
    AFTER_RESET = "after reset"
    REFRESH = "refresh"
    REREAD = "reread"
    NEVER = "never"


@dataclass(frozen=True)
class ErrorCode:
    """What one code means.

    :param code: the code, in lower case.
    :param error: the type of error that it becomes.
    :param executed: whether the portal executed the call, whatever the status; None: the status decides.
    :param without_status: the same inside a batch, where a command has no status.
    :param retry: how a retry is made.
    :param method: the method, in lower case, for which this row holds; ``name.*`` is all methods whose
        name starts so; empty: all others.
    """

    code: str
    error: type[e.Bitrix24ApiError]
    executed: Outcome | None = None
    without_status: Outcome = Outcome.REFUSED
    retry: RetryKind = RetryKind.BY_OUTCOME
    method: str = ""


#: Sources: the pages' tables of errors, the modules' source, and the OAuth server's answers.
ERROR_CODES = (
    # Authentication
    ErrorCode("no_auth_found", e.Bitrix24AuthError),
    ErrorCode("invalid_token", e.Bitrix24AuthError, retry=RetryKind.REFRESH),
    ErrorCode("invalid_credentials", e.Bitrix24AuthError),
    ErrorCode("authorization_error", e.Bitrix24AuthError),
    ErrorCode("application_not_found", e.Bitrix24AuthError),
    ErrorCode("error_oauth", e.Bitrix24AuthError),
    ErrorCode("not_installed", e.Bitrix24AuthError),
    ErrorCode("payment_required", e.Bitrix24PlanError),
    ErrorCode("expired_token", e.Bitrix24ExpiredTokenError, executed=_NOT, retry=RetryKind.REFRESH),
    ErrorCode("invalid_grant", e.Bitrix24TokenRefreshError, retry=RetryKind.REREAD),
    ErrorCode("invalid_client", e.Bitrix24TokenRefreshError),
    ErrorCode("wrong_client", e.Bitrix24TokenRefreshError),
    ErrorCode("invalid_scope", e.Bitrix24ScopeError),
    ErrorCode("wrong_auth_type", e.Bitrix24AuthTypeError),
    # Rights
    ErrorCode("access_denied", e.Bitrix24AccessDeniedError),
    ErrorCode("access_error", e.Bitrix24AccessDeniedError),
    ErrorCode("user_access_error", e.Bitrix24AccessDeniedError),
    ErrorCode("accessexception", e.Bitrix24AccessDeniedError),
    ErrorCode("wrong_license", e.Bitrix24PlanError),
    ErrorCode("insufficient_scope", e.Bitrix24ScopeError),
    ErrorCode("403", e.Bitrix24AccessDeniedError),
    ErrorCode("510", e.Bitrix24AccessDeniedError),
    ErrorCode("attach_read_access_denied", e.Bitrix24PollAccessError),
    ErrorCode("canceled", e.Bitrix24ChatAccessError),
    # What is not there
    ErrorCode("error_method_not_found", e.Bitrix24MethodNotFoundError),
    ErrorCode("error_manifest_is_not_available", e.Bitrix24NotFoundError),
    ErrorCode("attach_not_found", e.Bitrix24PollNotFoundError),
    ErrorCode("chat_id", e.Bitrix24ChatNotFoundError),
    ErrorCode("user_not_found", e.Bitrix24NotFoundError),
    ErrorCode("error_event_not_found", e.Bitrix24NotFoundError),
    # Parameters
    ErrorCode("100", e.Bitrix24ArgumentError),
    ErrorCode("error_argument", e.Bitrix24ArgumentError),
    ErrorCode("invalid_request", e.Bitrix24ArgumentError, method="oauth/token"),
    ErrorCode("missing_required_param", e.Bitrix24ArgumentError),
    ErrorCode("argumentnullexception", e.Bitrix24ArgumentError),
    ErrorCode("invalid_format", e.Bitrix24ArgumentError),
    ErrorCode("config_id_empty", e.Bitrix24ArgumentError),
    ErrorCode("params_error", e.Bitrix24ArgumentError),
    ErrorCode("user_id_empty", e.Bitrix24ArgumentError),
    ErrorCode("chat_id_empty", e.Bitrix24ArgumentError),
    ErrorCode("dialog_id_empty", e.Bitrix24ArgumentError),
    ErrorCode("chat_type", e.Bitrix24ArgumentError),
    ErrorCode("find_short", e.Bitrix24ArgumentError),
    ErrorCode("code_empty", e.Bitrix24ArgumentError),
    ErrorCode("connector", e.Bitrix24ArgumentError),
    ErrorCode("line", e.Bitrix24ArgumentError),
    ErrorCode("messages", e.Bitrix24ArgumentError),
    # Limits
    ErrorCode("query_limit_exceeded", e.Bitrix24RateLimitError, executed=_NOT, retry=RetryKind.RATE_LIMIT),
    ErrorCode(
        "operation_time_limit", e.Bitrix24OperatingLimitError, executed=_NOT, retry=RetryKind.AFTER_RESET
    ),
    ErrorCode("overload_limit", e.Bitrix24OverloadError, executed=_NOT, retry=RetryKind.NEVER),
    # The portal itself
    ErrorCode("internal_server_error", e.Bitrix24ServerError, without_status=Outcome.UNKNOWN),
    ErrorCode("error_unexpected_answer", e.Bitrix24ServerError, without_status=Outcome.UNKNOWN),
    ErrorCode("error_core", e.Bitrix24ServerError, without_status=Outcome.UNKNOWN),
    ErrorCode("portal_deleted", e.Bitrix24PortalError),
    # "Https required", and nothing else.
    ErrorCode("invalid_request", e.Bitrix24HttpsRequiredError),
    # Batches
    ErrorCode("error_batch_length_exceeded", e.Bitrix24BatchError),
    ErrorCode("error_batch_method_not_allowed", e.Bitrix24BatchError),
    # Chat messages
    ErrorCode("message_empty", e.Bitrix24MessageError),
    ErrorCode("message_id_error", e.Bitrix24MessageError),
    ErrorCode("cant_edit_message", e.Bitrix24MessageError),
    ErrorCode("attach_error", e.Bitrix24MessageError),
    ErrorCode("access_error", e.Bitrix24ChatAccessError, method="im.message.add"),
    ErrorCode("im_not_installed", e.Bitrix24MessageError),
    # Open lines
    ErrorCode("not_active_line", e.Bitrix24LineNotActiveError),
    ErrorCode("imconnector_no_correct_provider", e.Bitrix24ConnectorError),
    ErrorCode("imconnector_could_not_get_provider_object", e.Bitrix24ConnectorError),
    ErrorCode("imconnector_not_specified_correct_command", e.Bitrix24ConnectorError),
    ErrorCode("imconnector_not_specified_correct_connector", e.Bitrix24ConnectorError),
    ErrorCode("imconnector_not_all_the_required_data", e.Bitrix24ConnectorError),
    ErrorCode("provider_unsupported_type_incoming_message", e.Bitrix24ConnectorError),
    ErrorCode("connector_proxy_no_add_user", e.Bitrix24ConnectorError),
    ErrorCode("connector_proxy_no_user_im", e.Bitrix24ConnectorError),
    ErrorCode("application_registration_error", e.Bitrix24ConnectorError),
    ErrorCode("application_registration_error_point", e.Bitrix24ConnectorError),
    ErrorCode("application_unregistration_error", e.Bitrix24ConnectorError),
    ErrorCode("general_connector_registration_error", e.Bitrix24ConnectorError),
    ErrorCode("connector_id_required", e.Bitrix24ConnectorError),
    ErrorCode("name_required", e.Bitrix24ConnectorError),
    ErrorCode("icon_required", e.Bitrix24ConnectorError),
    ErrorCode("no_application_id", e.Bitrix24ConnectorError),
    ErrorCode("no_placement_handler", e.Bitrix24ConnectorError),
    ErrorCode("chat_renaming_failed", e.Bitrix24OpenLineError),
    ErrorCode("invalid_session_id", e.Bitrix24OpenLineError),
    ErrorCode("chat_not_in_crm", e.Bitrix24CrmChatError),
    ErrorCode("crm_chat_empty_crm_data", e.Bitrix24CrmChatError),
    ErrorCode("message_add_error", e.Bitrix24MessageError),
    # The engine answers these for many things; the method says which thing it is.
    ErrorCode("0", e.Bitrix24PollRejectedError, method="vote.integration.im.send"),
    ErrorCode("", e.Bitrix24PollRejectedError, method="vote.integration.im.send"),
    ErrorCode("400", e.Bitrix24PollRejectedError, method="vote.integration.im.send"),
    ErrorCode("403", e.Bitrix24PollRejectedError, method="vote.integration.im.send"),
    ErrorCode("400", e.Bitrix24BallotRejectedError, method="vote.attachedvote.vote"),
    # "Attach read access denied", which has no code of its own in the source.
    ErrorCode("0", e.Bitrix24PollAccessError, method="vote.attachedvote.*"),
    # "The poll is inactive", as documented and as the source has it.
    ErrorCode("403", e.Bitrix24PollFinishedError, method="vote.attachedvote.vote"),
    ErrorCode("510", e.Bitrix24PollFinishedError, method="vote.attachedvote.vote"),
)

_ROWS = {(row.method, row.code): row for row in ERROR_CODES}

_STATUS_TYPES: dict[int, type[e.Bitrix24ApiError]] = {
    401: e.Bitrix24AuthError,
    403: e.Bitrix24AccessDeniedError,
    404: e.Bitrix24NotFoundError,
    _TOO_MANY_REQUESTS: e.Bitrix24LimitError,
}


def find(code: str, *, method: str = "") -> ErrorCode | None:
    """Return the row of a code, or None when the code is not known.

    :param code: the code as the portal wrote it.
    :param method: the method that answered; some codes mean another thing for some methods.
    """
    name = method.lower()
    names = (name, f"{name.rpartition('.')[0]}.*", "")
    return next((row for name in names if (row := _ROWS.get((name, code.lower())))), None)


def retry_kind(code: str) -> RetryKind:
    """Return how a call that failed with a code is retried.

    :param code: the code as the portal wrote it; empty when there is none.
    """
    row = find(code)
    return row.retry if row is not None else RetryKind.BY_OUTCOME


def outcome_of(code: str, *, status: int | None) -> Outcome:
    """Return whether the portal executed a call that it answered with an error.

    :param code: the code as the portal wrote it; empty when there is none.
    :param status: the HTTP status; None inside a batch.
    """
    row = find(code)
    if row is not None and row.executed is not None:
        return row.executed
    if status is None:
        return row.without_status if row is not None else Outcome.REFUSED
    if status == _TOO_MANY_REQUESTS:
        return Outcome.NOT_EXECUTED
    return Outcome.UNKNOWN if status >= _SERVER_ERROR else Outcome.REFUSED


def error_type(*, method: str, code: str, status: int | None) -> type[e.Bitrix24ApiError]:
    """Return the type of error for a code that a method answered.

    :param method: the REST method.
    :param code: the code as the portal wrote it; empty when there is none.
    :param status: the HTTP status; None inside a batch.
    """
    row = find(code, method=method)
    if row is not None:
        return row.error
    if status is not None and status >= _SERVER_ERROR:
        return e.Bitrix24ServerError
    if method.lower().startswith("vote."):
        return _STATUS_TYPES.get(status or 0, e.Bitrix24PollError)
    if method.lower().startswith(("imconnector.", "imopenlines.")) and status == 400:
        return e.Bitrix24OpenLineError
    return _STATUS_TYPES.get(status or 0, e.Bitrix24ApiError)
