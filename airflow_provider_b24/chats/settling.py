"""Posting a message whose reply may be lost: the chat says whether it was posted."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_provider_b24.chats.posting import is_same_text
from airflow_provider_b24.exceptions import Bitrix24Error, Bitrix24OutcomeUnknownError, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.chats.messages import ChatMessage

log = logging.getLogger(__name__)

#: So long a portal may work on a request after its reply is lost, in seconds.
REQUEST_SECONDS = 60.0
#: Requests for one message while each reply is lost and it is not posted.
_MAX_ATTEMPTS = 3


def post_and_settle(
    post: Callable[[], int],
    find: Callable[[], int | None],
    *,
    may_have_posted: bool,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> int:
    """Post a message once: look for it in the chat when it is not known whether it was posted.

    :param post: posts it and returns its id.
    :param find: returns its id when it is in the chat, None when it is not.
    :param may_have_posted: whether an earlier process may have posted it.
    :param clock: returns Unix seconds.
    :param sleep: waits for seconds.
    :raises Bitrix24OutcomeUnknownError: when the chat can't be read, so that nobody can tell.
    """
    if may_have_posted and (posted := _found(find)):
        return posted
    for attempt in range(1, _MAX_ATTEMPTS + 1):
        at = clock()
        try:
            return post()
        except Bitrix24OutcomeUnknownError as error:
            log.warning("The reply to a message is lost; the chat says whether it was posted: %s", error)
            if posted := _after_loss(find, at, error, clock=clock, sleep=sleep):
                return posted
            if attempt == _MAX_ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def is_ours(message: ChatMessage, *, text: str, author_id: int, template_id: str = "") -> bool:
    """Say whether a message in a chat is the one that was posted.

    :param message: the message in the chat.
    :param text: the text as it was sent.
    :param author_id: whose message it is.
    :param template_id: the id that it was sent with; a message with another one is not ours.
    """
    if template_id and message.template_id:
        return message.template_id == template_id
    return message.author_id == author_id and is_same_text(text, message.text)


def _found(find: Callable[[], int | None]) -> int | None:
    try:
        return find()
    except Bitrix24Error as error:
        raise Bitrix24OutcomeUnknownError(
            "An earlier try may have posted the message, and the chat can't be read",
            outcome=Outcome.UNKNOWN,
            conn_id=error.conn_id,
        ) from error


def _after_loss(
    find: Callable[[], int | None],
    at: float,
    lost: Bitrix24OutcomeUnknownError,
    *,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> int | None:
    """Return the id of a message that was posted; waits until its request must have ended."""
    try:
        posted = find()
        if posted is None:
            sleep(max(at + REQUEST_SECONDS - clock(), 0.0))
            posted = find()
    except Bitrix24Error as error:
        log.warning("The chat can't be read: %s", error)
        raise lost from None
    return posted
