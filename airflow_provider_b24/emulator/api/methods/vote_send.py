"""vote.Integration.Im.send: a poll into a chat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.emulator.api import engine, poll_draft
from airflow_provider_b24.emulator.api.call import Call, InFlight
from airflow_provider_b24.emulator.api.registry import method
from airflow_provider_b24.emulator.php.api_error import ApiError
from airflow_provider_b24.emulator.state.uuids import DuplicateInFlightError, is_valid

if TYPE_CHECKING:
    from airflow_provider_b24.emulator.api.poll_draft import PollDraft
    from airflow_provider_b24.emulator.state.chats import Chat
    from airflow_provider_b24.emulator.state.polls import Poll


@method("vote.Integration.Im.send", scope="vote", engine=True)
def send(call: Call) -> object:
    """Save the vote, then add the message: what fails in between leaves an orphan vote."""
    portal = call.portal
    chat_id = engine.integer(call, "chatId")
    draft = poll_draft.read(portal, engine.array(call, "IM_MESSAGE_VOTE_DATA"))
    poll = draft.save(portal, call.user.id)
    chat = _writable_chat(call, chat_id)
    template_id = call.params.get("templateId")
    try:
        earlier = portal.uuids.claim(template_id)
    except DuplicateInFlightError:
        raise ApiError("0", portal.say("poll.not_created")) from None
    if earlier is not None:
        return {"messageId": earlier, "voteId": poll.vote_id}
    return InFlight(lambda: _post(call, chat, draft, poll, template_id))


def _writable_chat(call: Call, chat_id: int) -> Chat:
    chat = call.portal.chats.get(chat_id)
    if chat is None:
        raise ApiError("CHAT_ID", call.portal.say("chat.not_created"))
    if not chat.can_write(call.user.id):
        raise ApiError("CANCELED", call.portal.say("chat.no_write"))
    return chat


def _post(call: Call, chat: Chat, draft: PollDraft, poll: Poll, template_id: object) -> dict[str, Any]:
    portal = call.portal
    message = portal.chats.post(
        chat,
        author_id=call.user.id,
        text=draft.question.text,
        uuid=template_id if is_valid(template_id) else None,
        params=draft.component_params(poll),
    )
    portal.polls.attach(poll, message.id, chat_id=chat.id)
    portal.uuids.settle(template_id, message.id)
    return {"messageId": message.id, "voteId": poll.vote_id}
