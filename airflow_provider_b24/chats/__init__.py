"""Bitrix24 chats: messages, members, search by title."""
