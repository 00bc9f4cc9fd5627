"""Which of the differences between real portals this portal has."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Quirks:
    """Switches for what differs between real portals.

    Each default is what the published source does; where documentation and source differ, the switch
    is the documentation's way.

    ``documented_errors``: failed vote, recall and getMany answer 400 or 403 as the
    documentation says, and not ``{"result": []}`` as the published source does.
    ``internal_error_suffix``: newer cores end texts with " (internal error)".
    ``language``: ``en`` or ``ru``; portals send texts in their own language.
    ``refresh_grace``: seconds for which a used refresh token still works.
    ``https_required``: refuse webhooks over plain HTTP, as the cloud does.
    ``nested_register_errors``: imconnector.register fails inside ``result``, as documented.
    ``read_denied_code``: the error code of a poll that the caller may not read: documented is a name;
    the published source sends ``"0"``, and older cores the number 0.
    ``anonymous_number``: the ANONYMITY that hides the voters: 2, or 1 as documented; the other shows them.
    ``keeps_anonymity``: False on a portal that stores every ANONYMITY that it does not know as public.
    ``lists_voters``: False on a portal that names the voters of no poll.
    ``documented_send_errors``: refused polls have the codes ``400`` and ``403``, as documented.
    ``access_denied_code``: the code of a vote in a stopped poll and of a stop by another user:
    ``510``, or ``403`` (with the status 403) as documented.
    ``scope_status``: the status of ``insufficient_scope``: 401, or 403 as documented.
    ``any_template_id``: every template id is honoured, as documented, and not only a UUID of version 4.
    ``template_ids_by_chat``: a template id stands for one message in each chat.
    ``message_template_ids``: False on a portal that ignores TEMPLATE_ID of im.message.add.
    ``keeps_vote_id``: a repeated send returns the vote that is in the chat, and not an unused one.
    ``exact_entities``: module and entity type are compared case-sensitively, as PostgreSQL does.
    ``numeric_counters``: counters are numbers in every reply.
    ``checks_ballot_first``: a broken ballot leaves the earlier vote alone.
    ``refuses_extra_answers``: several answers to a radio question are refused.
    ``stops_at_once``: in the second of the stop no vote is counted any more.
    ``partial_lists``: getMany leaves out polls that it does not find.
    ``documented_active_flag``: ACTIVE "N" of imconnector.activate deactivates.
    ``exact_references``: a batch resolves ``$result[key]`` only where it is the whole value.
    ``oldest_first``: im.dialog.messages.get returns the newest page with its oldest message first.
    ``newest_page``: im.dialog.messages.get without LAST_ID and FIRST_ID returns the newest page, as
    documented, also where the caller has unread messages.
    ``hidden_history``: who is added to a chat does not see its earlier messages.
    ``offline_extended``: the plan lets an application reserve offline events, and not only remove them.
    ``auth_connector``: the plan lets an application divide its offline events by source keys.
    ``collapse_messages``: the offline queue keeps the last message of a conversation alone, as it keeps
    the last state of a CRM item; by the published source it keeps each message.
    """

    documented_errors: bool = False
    internal_error_suffix: bool = False
    language: str = "en"
    refresh_grace: float = 0.0
    https_required: bool = False
    nested_register_errors: bool = False
    read_denied_code: str | int = "ATTACH_READ_ACCESS_DENIED"
    anonymous_number: int = 2
    keeps_anonymity: bool = True
    lists_voters: bool = True
    documented_send_errors: bool = False
    access_denied_code: str = "510"
    scope_status: int = 401
    any_template_id: bool = False
    template_ids_by_chat: bool = False
    message_template_ids: bool = True
    keeps_vote_id: bool = False
    exact_entities: bool = False
    numeric_counters: bool = False
    checks_ballot_first: bool = False
    refuses_extra_answers: bool = False
    stops_at_once: bool = False
    partial_lists: bool = False
    documented_active_flag: bool = False
    exact_references: bool = False
    oldest_first: bool = False
    newest_page: bool = False
    hidden_history: bool = False
    offline_extended: bool = True
    auth_connector: bool = True
    collapse_messages: bool = False
