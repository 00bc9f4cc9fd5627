"""vote.Integration.Im.send: a poll into a chat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.emulator.api import engine, poll_draft
from airflow_provider_b24.emulator.api.call import Call, InFlight
from airflow_provider_b24.emulator.api.registry import method
from airflow_provider_b24.emulator.php.api_error import ApiError
from airflow_provider_b24.emulator.state.uuids import DuplicateInFlightError

if TYPE_CHECKING:
    from airflow_provider_b24.emulator.api.poll_draft import PollDraft
    from airflow_provider_b24.emulator.state.chats import Chat
    from airflow_provider_b24.emulator.state.polls import Poll
    from airflow_provider_b24.emulator.state.portal import Portal


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
        earlier = portal.uuids.claim(template_id, chat_id=chat_id)
    except DuplicateInFlightError:
        raise _not_created(call, "0", "poll.not_created") from None
    if earlier is not None:
        return {"messageId": earlier, "voteId": _repeated_vote_id(portal, earlier, poll)}
    return InFlight(lambda: _post(call, chat, draft, poll, template_id))


def _writable_chat(call: Call, chat_id: int) -> Chat:
    chat = call.portal.chats.get(chat_id)
    if chat is None:
        raise _not_created(call, "CHAT_ID", "chat.not_created")
    if not chat.can_write(call.user.id):
        raise _not_created(call, "CANCELED", "chat.no_write")
    return chat


def _not_created(call: Call, code: str, key: str) -> ApiError:
    """Return the refusal of a poll whose message was not added; documented is one code for all reasons."""
    return ApiError("403" if call.portal.quirks.documented_send_errors else code, call.portal.say(key))


def _repeated_vote_id(portal: Portal, message_id: int, unused: Poll) -> int:
    """Return the vote id of a repeated send: the server names the vote that it has just saved."""
    kept = portal.polls.by_message(message_id) if portal.quirks.keeps_vote_id else None
    return (kept or unused).vote_id


def _post(call: Call, chat: Chat, draft: PollDraft, poll: Poll, template_id: object) -> dict[str, Any]:
    portal = call.portal
    message = portal.chats.post(
        chat,
        author_id=call.user.id,
        text=draft.question.text,
        uuid=template_id if portal.uuids.accepts(template_id) else None,
        params=draft.component_params(poll),
    )
    portal.polls.attach(poll, message.id, chat_id=chat.id)
    portal.uuids.record(template_id, message.id, chat_id=chat.id)
    return {"messageId": message.id, "voteId": poll.vote_id}
