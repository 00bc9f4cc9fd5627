"""Polls: the questions, what they are attached to, and who has voted."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_provider_b24.emulator.php.json_text import Rendered
    from airflow_provider_b24.emulator.state.chats import Chats
    from airflow_provider_b24.emulator.state.context import PortalContext
    from airflow_provider_b24.emulator.state.people import User

IM_MODULE = "im"
IM_ENTITY = "Bitrix\\Vote\\Attachment\\ImMessageConnector"
BLOG_MODULE = "blog"
BLOG_ENTITY = "Bitrix\\Vote\\Attachment\\BlogPostConnector"

PUBLIC = 1
ANONYMOUS = 2
ALLOW_REVOTE = 1
RADIO = 0
CHECKBOX = 1

YEAR = 365 * 86_400


@dataclass(slots=True)
class Answer:
    """One option of a question."""

    id: int
    text: str
    reaction: str = ""
    counter: int = 0


@dataclass(slots=True)
class Question:
    """One question; a chat poll has exactly one."""

    id: int
    text: str
    field_type: int
    answers: dict[int, Answer]
    counter: int = 0


@dataclass(slots=True)
class Choice:
    """One answer that a user chose."""

    id: int
    event_question_id: int
    question_id: int
    answer_id: int


@dataclass(slots=True)
class Poll:
    """A vote together with its attachment to a message or a feed post.

    ``attach_id`` is 0 until the message is there: the vote is saved first.
    """

    vote_id: int
    author_id: int
    questions: dict[int, Question]
    anonymity: int
    options: int
    created: int
    date_end: int
    attach_id: int = 0
    module_id: str = IM_MODULE
    entity_type: str = IM_ENTITY
    entity_id: int = 0
    chat_id: int | None = None
    uid: str = ""
    stop_announced: bool = False
    anonymous_number: int = ANONYMOUS
    events: dict[int, list[Choice]] = field(default_factory=dict)
    # Grows with every change: what was rendered before is then stale.
    version: int = 0
    rendered: dict[int, tuple[tuple[object, ...], Rendered]] = field(default_factory=dict)

    @property
    def allows_revote(self) -> bool:
        """Whether a vote may be changed or taken back."""
        return bool(self.options & ALLOW_REVOTE)

    @property
    def is_anonymous(self) -> bool:
        """Whether voters are hidden: only 2 does that, whatever the documentation says of 1.

        A switch of the portal makes it the documented number.
        """
        return self.anonymity == self.anonymous_number

    def is_finished(self, now: float) -> bool:
        """Whether the end has come."""
        return self.date_end <= int(now)

    def takes_votes(self, now: float) -> bool:
        """Whether votes are counted: in the second of the end they still are."""
        return self.created <= int(now) <= self.date_end


class Polls:
    """All polls, by attachment, by what they are attached to, and by the uid of their page."""

    def __init__(self, context: PortalContext, chats: Chats) -> None:
        self._context = context
        self._chats = chats
        self._key = secrets.token_bytes(32)
        self._by_attach: dict[int, Poll] = {}
        self._by_entity: dict[tuple[str, str, int], Poll] = {}
        self._by_uid: dict[str, Poll] = {}
        chats.on_delete(self.remove_by_message)

    def __iter__(self) -> Iterator[Poll]:
        return iter(list(self._by_attach.values()))

    def __len__(self) -> int:
        return len(self._by_attach)

    def save(
        self, author_id: int, questions: Iterable[Question], *, anonymity: int = PUBLIC, options: int = 0
    ) -> Poll:
        """Store a vote that is attached to nothing yet; no method finds it until it is attached."""
        now, quirks = int(self._context.clock()), self._context.quirks
        known = quirks.keeps_anonymity or anonymity < ANONYMOUS
        return Poll(
            vote_id=self._context.ids.next("vote"),
            author_id=author_id,
            questions={question.id: question for question in questions},
            anonymity=anonymity if known else PUBLIC,
            anonymous_number=quirks.anonymous_number,
            options=options,
            created=now,
            date_end=now + 10 * YEAR,
        )

    def attach(
        self,
        poll: Poll,
        entity_id: int,
        *,
        chat_id: int | None = None,
        module_id: str = IM_MODULE,
        entity_type: str = IM_ENTITY,
    ) -> Poll:
        """Attach a saved vote to a message or a post."""
        poll.attach_id = self._context.ids.next("attach")
        poll.module_id, poll.entity_type, poll.entity_id = module_id, entity_type, entity_id
        poll.chat_id = chat_id
        poll.uid = secrets.token_hex(8)
        self._by_attach[poll.attach_id] = poll
        self._by_entity[_entity(module_id, entity_type, entity_id)] = poll
        self._by_uid[poll.uid] = poll
        return poll

    def new_question(
        self, text: str, answers: Iterable[tuple[str, str]], *, field_type: int = RADIO
    ) -> Question:
        """Make a question of texts and reactions, with ids of its own."""
        ids = self._context.ids
        options = [Answer(ids.next("answer"), option, reaction) for option, reaction in answers]
        return Question(ids.next("question"), text, field_type, {option.id: option for option in options})

    def by_attach(self, attach_id: int) -> Poll | None:
        """Find by attachId."""
        return self._by_attach.get(attach_id)

    def by_entity(self, module_id: str, entity_type: str, entity_id: int) -> Poll | None:
        """Find by what the poll is attached to; case-insensitive, as MySQL is."""
        found = self._by_entity.get(_entity(module_id, entity_type, entity_id))
        if found is None or not self._context.quirks.exact_entities:
            return found
        return found if (found.module_id, found.entity_type) == (module_id, entity_type) else None

    def by_message(self, message_id: int) -> Poll | None:
        """Find by chat message."""
        return self.by_entity(IM_MODULE, IM_ENTITY, message_id)

    def by_uid(self, uid: str) -> Poll | None:
        """Find by the uid that ends resultUrl."""
        return self._by_uid.get(uid)

    def by_signed(self, signed: str) -> Poll | None:
        """Find by signedAttachId, or by the uid that ends resultUrl."""
        number, dot, _ = signed.partition(".")
        if not dot:
            return self.by_uid(signed)
        poll = self._by_attach.get(int(number)) if number.isascii() and number.isdigit() else None
        if poll is None or not hmac.compare_digest(self.sign(poll).encode(), signed.encode()):
            return None
        return poll

    def sign(self, poll: Poll) -> str:
        """Return the signedAttachId, which only this portal can make."""
        number = str(poll.attach_id)
        return f"{number}.{hmac.new(self._key, number.encode(), hashlib.sha256).hexdigest()}"

    def remove_by_message(self, message_id: int) -> None:
        """Remove the poll of a message that was deleted."""
        poll = self.by_message(message_id)
        if poll is not None:
            del self._by_entity[_entity(poll.module_id, poll.entity_type, poll.entity_id)]
            del self._by_attach[poll.attach_id]
            del self._by_uid[poll.uid]

    def can_read(self, poll: Poll, user: User) -> bool:
        """Whether this user sees the poll: chat access, or any employee for a feed post."""
        if poll.chat_id is None:
            return not user.external
        chat = self._chats.get(poll.chat_id)
        return chat is not None and chat.can_read(user.id)

    def can_edit(self, poll: Poll, user: User) -> bool:
        """Whether this user may stop and resume: only the author, while the chat is readable."""
        return poll.author_id == user.id and self.can_read(poll, user)

    def stop(self, poll: Poll) -> None:
        """End a poll now; the first time, a notice is posted in the chat."""
        with self._context.lock:
            poll.date_end = int(self._context.clock()) - self._context.quirks.stops_at_once
            poll.version += 1
            chat = None if poll.chat_id is None else self._chats.get(poll.chat_id)
            if chat is not None and not poll.stop_announced:
                poll.stop_announced = True
                self._chats.post(chat, author_id=0, text=self._context.say("poll.stopped_notice"))

    def resume(self, poll: Poll) -> None:
        """Open a poll again: for a year, not for the ten that it had."""
        with self._context.lock:
            poll.date_end = int(self._context.clock()) + YEAR
            poll.version += 1


def _entity(module_id: str, entity_type: str, entity_id: int) -> tuple[str, str, int]:
    return module_id.lower(), entity_type.lower(), entity_id
