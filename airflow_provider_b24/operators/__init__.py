"""Operators: polls, open lines, chats, and any REST method."""
