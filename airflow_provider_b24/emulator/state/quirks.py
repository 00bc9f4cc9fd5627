"""Which of the differences between real portals this portal has."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Quirks:
    """Switches for what differs between real portals.

    ``documented_errors``: failed vote, recall and getMany answer 400 or 403 as the
    documentation says, and not ``{"result": []}`` as the published source does.
    ``internal_error_suffix``: newer cores end texts with " (internal error)".
    ``language``: ``en`` or ``ru``; portals send texts in their own language.
    ``refresh_grace``: seconds for which a used refresh token still works.
    ``https_required``: refuse webhooks over plain HTTP, as the cloud does.
    ``nested_register_errors``: imconnector.register fails inside ``result``, as documented.
    ``read_denied_code``: the error code of a poll that the caller may not read: documented is a name;
    the published source sends ``"0"``, and older cores the number 0.
    ``offline_extended``: the plan lets an application reserve offline events, and not only remove them.
    ``auth_connector``: the plan lets an application divide its offline events by source keys.
    ``collapse_messages``: the offline queue keeps the last message of a conversation alone, as it keeps
    the last state of a CRM item; by the published source it keeps each message.
    ``authorize_at_once``: ``/oauth/authorize/`` redirects without a click, as it does for a person who
    has allowed the application before.
    """

    documented_errors: bool = False
    internal_error_suffix: bool = False
    language: str = "en"
    refresh_grace: float = 0.0
    https_required: bool = False
    nested_register_errors: bool = False
    read_denied_code: str | int = "ATTACH_READ_ACCESS_DENIED"
    offline_extended: bool = True
    auth_connector: bool = True
    collapse_messages: bool = False
    authorize_at_once: bool = False
