"""Posting a message exactly once: after a lost reply, the chat says whether it was posted."""

from __future__ import annotations

import hashlib
import html
import logging
import re
import uuid
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.chats.messages import read_history
from airflow_provider_b24.exceptions import (
    Bitrix24ArgumentError,
    Bitrix24Error,
    Bitrix24OutcomeUnknownError,
    Outcome,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.chats.messages import ChatMessage
    from airflow_provider_b24.rest.client import Bitrix24Client

log = logging.getLogger(__name__)

ADD = "im.message.add"
#: A portal works on a request at most for these seconds after the reply is lost.
REQUEST_SECONDS = 60.0
#: By how much the clocks of worker and portal may differ, in seconds.
CLOCK_SKEW = 300.0
#: Requests for one message while each reply is lost and it is not posted.
_MAX_ATTEMPTS = 3
_LINK = re.compile(r"\[url=([^\]]*)\].*?\[/url\]", re.IGNORECASE | re.DOTALL)
_LINK_MARK = re.compile(r"\[/?url\]", re.IGNORECASE)
_BREAK = re.compile(r"\[br\]|<br ?/?>|#br#|\r\n?", re.IGNORECASE)
_MENTION = re.compile(r"\[user=(\d+)[^\]]*\]", re.IGNORECASE)


def post_and_verify(
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


def post_once(client: Bitrix24Client, params: dict[str, Any], *, own_id: int, since: int | None) -> int:
    """Post a message unless the same account has posted it; return the id of the one message.

    :param client: the connection's client.
    :param params: the parameters of ``im.message.add``.
    :param own_id: the connection's user.
    :param since: the message after which an earlier one counts; None: the newest 50 messages count.
    :raises Bitrix24OutcomeUnknownError: when it is unknown whether the message was posted.
    """
    template_id = "" if since is None else _template_id(params, own_id, since)
    if posted := _find(client, params, own_id=own_id, since=since, template_id=template_id):
        return posted
    try:
        return client.call_for_id(ADD, {**params, **({"TEMPLATE_ID": template_id} if template_id else {})})
    except (Bitrix24OutcomeUnknownError, Bitrix24ArgumentError):
        # The reply was lost, or another process is posting the same message now.
        if posted := _find(client, params, own_id=own_id, since=since, template_id=template_id):
            return posted
        raise


def is_same_text(sent: str, shown: str) -> bool:
    """Say whether a chat shows a text that was sent: the portal rewrites links, breaks and entities.

    :param sent: the text as it was sent.
    :param shown: the text as the portal shows it.
    """
    return _plain(sent) == _plain(shown)


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


def _find(
    client: Bitrix24Client, params: dict[str, Any], *, own_id: int, since: int | None, template_id: str
) -> int | None:
    for message in read_history(client, params["DIALOG_ID"], since=since).messages:
        is_ours = bool(template_id) and message.template_id == template_id
        if is_ours or _is_same_message(message, params, own_id):
            return message.id
    return None


def _is_same_message(message: ChatMessage, params: dict[str, Any], own_id: int) -> bool:
    """Say whether a message is the one to be posted; the same text below another message is another one."""
    if message.author_id != own_id or message.reply_to != params.get("REPLY_ID"):
        return False
    return is_same_text(params["MESSAGE"], message.text)


def _template_id(params: dict[str, Any], own_id: int, since: int) -> str:
    """Return the id by which the portal knows a repeated message, for 31 days, as it does for a poll."""
    parts = (params["DIALOG_ID"], params["MESSAGE"], params.get("REPLY_ID"), own_id, since)
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def _plain(text: str) -> str:
    without_links = _LINK_MARK.sub("", _LINK.sub(r"\1", text))
    return _MENTION.sub(r"[user=\1]", _BREAK.sub("\n", html.unescape(without_links))).strip()
