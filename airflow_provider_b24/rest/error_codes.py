"""Bitrix24's error codes, and the type of error that each becomes.

One code can come with several HTTP statuses (documentation and server differ), so the code decides
and the status only helps out. Codes are compared in lower case.
"""

from __future__ import annotations

from airflow_provider_b24 import exceptions as e

#: Sources: the pages' tables of errors, the modules' source, and the OAuth server's answers.
TYPES: dict[str, type[e.Bitrix24ApiError]] = {
    # Authentication
    "no_auth_found": e.Bitrix24AuthError,
    "invalid_token": e.Bitrix24AuthError,
    "invalid_credentials": e.Bitrix24AuthError,
    "authorization_error": e.Bitrix24AuthError,
    "application_not_found": e.Bitrix24AuthError,
    "error_oauth": e.Bitrix24AuthError,
    "not_installed": e.Bitrix24AuthError,
    "payment_required": e.Bitrix24AccessDeniedError,
    "expired_token": e.Bitrix24ExpiredTokenError,
    "invalid_grant": e.Bitrix24TokenRefreshError,
    "invalid_client": e.Bitrix24TokenRefreshError,
    "wrong_client": e.Bitrix24TokenRefreshError,
    "invalid_scope": e.Bitrix24ScopeError,
    "wrong_auth_type": e.Bitrix24AuthTypeError,
    # Rights
    "access_denied": e.Bitrix24AccessDeniedError,
    "access_error": e.Bitrix24AccessDeniedError,
    "user_access_error": e.Bitrix24AccessDeniedError,
    "insufficient_scope": e.Bitrix24ScopeError,
    "403": e.Bitrix24AccessDeniedError,
    "510": e.Bitrix24AccessDeniedError,
    "attach_read_access_denied": e.Bitrix24AccessDeniedError,
    "canceled": e.Bitrix24ChatAccessError,
    # What is not there
    "error_method_not_found": e.Bitrix24MethodNotFoundError,
    "error_manifest_is_not_available": e.Bitrix24NotFoundError,
    "attach_not_found": e.Bitrix24PollNotFoundError,
    "chat_id": e.Bitrix24ChatNotFoundError,
    "user_not_found": e.Bitrix24NotFoundError,
    "error_event_not_found": e.Bitrix24NotFoundError,
    # Parameters
    "100": e.Bitrix24ArgumentError,
    "error_argument": e.Bitrix24ArgumentError,
    "invalid_request": e.Bitrix24ArgumentError,
    "missing_required_param": e.Bitrix24ArgumentError,
    "params_error": e.Bitrix24ArgumentError,
    "user_id_empty": e.Bitrix24ArgumentError,
    "chat_id_empty": e.Bitrix24ArgumentError,
    "dialog_id_empty": e.Bitrix24ArgumentError,
    "chat_type": e.Bitrix24ArgumentError,
    "find_short": e.Bitrix24ArgumentError,
    "code_empty": e.Bitrix24ArgumentError,
    "connector": e.Bitrix24ArgumentError,
    "line": e.Bitrix24ArgumentError,
    "messages": e.Bitrix24ArgumentError,
    # Limits
    "query_limit_exceeded": e.Bitrix24RateLimitError,
    "operation_time_limit": e.Bitrix24OperatingLimitError,
    "overload_limit": e.Bitrix24OverloadError,
    # The portal itself
    "internal_server_error": e.Bitrix24ServerError,
    "error_unexpected_answer": e.Bitrix24ServerError,
    "error_core": e.Bitrix24ServerError,
    "portal_deleted": e.Bitrix24PortalError,
    # Batches
    "error_batch_length_exceeded": e.Bitrix24BatchError,
    "error_batch_method_not_allowed": e.Bitrix24BatchError,
    # Chat messages
    "message_empty": e.Bitrix24MessageError,
    "message_id_error": e.Bitrix24MessageError,
    "cant_edit_message": e.Bitrix24MessageError,
    "attach_error": e.Bitrix24MessageError,
    "im_not_installed": e.Bitrix24MessageError,
    # Open lines
    "not_active_line": e.Bitrix24LineNotActiveError,
    "imconnector_no_correct_provider": e.Bitrix24ConnectorError,
    "imconnector_could_not_get_provider_object": e.Bitrix24ConnectorError,
    "imconnector_not_specified_correct_command": e.Bitrix24ConnectorError,
    "imconnector_not_specified_correct_connector": e.Bitrix24ConnectorError,
    "imconnector_not_all_the_required_data": e.Bitrix24ConnectorError,
    "provider_unsupported_type_incoming_message": e.Bitrix24ConnectorError,
    "connector_proxy_no_add_user": e.Bitrix24ConnectorError,
    "connector_proxy_no_user_im": e.Bitrix24ConnectorError,
    "application_registration_error": e.Bitrix24ConnectorError,
    "application_registration_error_point": e.Bitrix24ConnectorError,
    "application_unregistration_error": e.Bitrix24ConnectorError,
    "general_connector_registration_error": e.Bitrix24ConnectorError,
    "connector_id_required": e.Bitrix24ConnectorError,
    "name_required": e.Bitrix24ConnectorError,
    "icon_required": e.Bitrix24ConnectorError,
    "no_application_id": e.Bitrix24ConnectorError,
    "no_placement_handler": e.Bitrix24ConnectorError,
    "chat_renaming_failed": e.Bitrix24OpenLineError,
    "invalid_session_id": e.Bitrix24OpenLineError,
    "chat_not_in_crm": e.Bitrix24CrmChatError,
    "crm_chat_empty_crm_data": e.Bitrix24CrmChatError,
    "message_add_error": e.Bitrix24MessageError,
}

#: The engine answers these for many things; the method says which thing it is.
_METHOD_TYPES: dict[tuple[str, str], type[e.Bitrix24ApiError]] = {
    ("vote.integration.im.send", "0"): e.Bitrix24PollRejectedError,
    ("vote.integration.im.send", ""): e.Bitrix24PollRejectedError,
    ("vote.integration.im.send", "400"): e.Bitrix24PollRejectedError,
    ("vote.integration.im.send", "403"): e.Bitrix24PollRejectedError,
    ("vote.attachedvote.vote", "400"): e.Bitrix24BallotRejectedError,
    # "The poll is inactive", as documented and as the source has it.
    ("vote.attachedvote.vote", "403"): e.Bitrix24PollFinishedError,
    ("vote.attachedvote.vote", "510"): e.Bitrix24PollFinishedError,
}

_STATUS_TYPES: dict[int, type[e.Bitrix24ApiError]] = {
    401: e.Bitrix24AuthError,
    403: e.Bitrix24AccessDeniedError,
    404: e.Bitrix24NotFoundError,
    429: e.Bitrix24LimitError,
}
_SERVER_ERROR = 500


def error_type(*, method: str, code: str, status: int | None) -> type[e.Bitrix24ApiError]:
    """Return the type of error for a code that a method answered."""
    code = code.lower()
    known = _METHOD_TYPES.get((method.lower(), code)) or TYPES.get(code)
    if known is not None:
        return known
    if status is not None and status >= _SERVER_ERROR:
        return e.Bitrix24ServerError
    if method.lower().startswith("vote."):
        return _STATUS_TYPES.get(status or 0, e.Bitrix24PollError)
    if method.lower().startswith(("imconnector.", "imopenlines.")) and status == 400:
        return e.Bitrix24OpenLineError
    return _STATUS_TYPES.get(status or 0, e.Bitrix24ApiError)
