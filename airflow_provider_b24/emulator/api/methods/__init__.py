"""The REST methods, a module for each family; importing this registers them all."""

from airflow_provider_b24.emulator.api.methods import (
    batch,
    event_offline,
    events,
    im_chats,
    im_messages,
    im_users,
    imconnector,
    imopenlines,
    imopenlines_config,
    options,
    rest,
    users,
    vote_attached,
    vote_send,
)

__all__ = [
    "batch",
    "event_offline",
    "events",
    "im_chats",
    "im_messages",
    "im_users",
    "imconnector",
    "imopenlines",
    "imopenlines_config",
    "options",
    "rest",
    "users",
    "vote_attached",
    "vote_send",
]
