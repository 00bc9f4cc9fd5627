"""Posting a message that must not stand in a chat twice."""

from __future__ import annotations

import hashlib
import html
import re
import uuid
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.chats.messages import read_history
from airflow_provider_b24.exceptions import Bitrix24ArgumentError, Bitrix24OutcomeUnknownError

if TYPE_CHECKING:
    from airflow_provider_b24.chats.messages import ChatMessage
    from airflow_provider_b24.rest.client import Bitrix24Client

ADD = "im.message.add"
_LINK = re.compile(r"\[url=([^\]]*)\].*?\[/url\]", re.IGNORECASE | re.DOTALL)
_LINK_MARK = re.compile(r"\[/?url\]", re.IGNORECASE)
_BREAK = re.compile(r"\[br\]|<br ?/?>|#br#|\r\n?", re.IGNORECASE)
_MENTION = re.compile(r"\[user=(\d+)[^\]]*\]", re.IGNORECASE)


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
