"""What a test does to a portal without a request: add users and chats, vote, stop polls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.emulator.state import ballots
from airflow_provider_b24.emulator.state.polls import BLOG_ENTITY, BLOG_MODULE, PUBLIC, RADIO

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_provider_b24.emulator.state.chats import Chat, Message
    from airflow_provider_b24.emulator.state.open_lines.lines import Lines
    from airflow_provider_b24.emulator.state.polls import Poll
    from airflow_provider_b24.emulator.state.portal import Portal


class World:
    """What can be done to a portal without a request."""

    def __init__(self, portal: Portal) -> None:
        self.portal = portal

    @property
    def lines(self) -> Lines:
        """The open lines: their connectors, conversations and CRM bindings."""
        return self.portal.lines

    def add_user(self, name: str) -> int:
        """Add a colleague.

        :param name: first and last name.
        :returns: the user id.
        """
        return self.portal.people.add(name).id

    def add_webhook(self, user_id: int) -> str:
        """Make a further incoming webhook, by which DAGs act as this user.

        :param user_id: an employee.
        :returns: the webhook's URL, which may be a connection's password.
        :raises LookupError: there is no such employee.
        """
        with self.portal.lock:
            return self.portal.webhook_url(self.portal.credentials.add_webhook(user_id))

    def set_application(
        self,
        *,
        redirect_uri: str | None = None,
        installed: bool | None = None,
        authorize_at_once: bool | None = None,
    ) -> None:
        """Change the settings of the OAuth application; None leaves one as it is.

        :param redirect_uri: where a person who allows it is sent with a code; empty: the page shows the code.
        :param installed: whether it is installed on the portal.
        :param authorize_at_once: whether a person is sent there without a click.
        """
        with self.portal.lock:
            application = self.portal.credentials.application
            if redirect_uri is not None:
                application.redirect_uri = str(redirect_uri)
            if installed is not None:
                application.installed = bool(installed)
            if authorize_at_once is not None:
                application.authorize_at_once = bool(authorize_at_once)

    def add_chat(self, title: str, members: Iterable[int] = (1,)) -> int:
        """Open a chat.

        :param title: its title.
        :param members: user ids; 1 is the account that DAGs act as.
        :returns: the chat id.
        """
        return self.portal.chats.add(title, members=members).id

    def chat(self, chat_id: int) -> Chat:
        """Return a chat.

        :raises LookupError: there is none.
        """
        chat = self.portal.chats.get(chat_id)
        if chat is None:
            raise LookupError(f"there is no chat {chat_id}")
        return chat

    def add_member(self, chat_id: int, user_id: int) -> None:
        """Put a user into a chat; who is in it stays there.

        :raises LookupError: there is no such chat or user.
        """
        with self.portal.lock:
            chat = self.chat(chat_id)
            if self.portal.people.get(user_id) is None:
                raise LookupError(f"there is no user {user_id}")
            if user_id not in chat.members:
                chat.members.append(user_id)
                if self.portal.quirks.hidden_history and chat.messages:
                    chat.starts[user_id] = chat.messages[-1].id + 1

    def remove_member(self, chat_id: int, user_id: int) -> None:
        """Take a user out of a chat.

        :raises LookupError: there is no such chat, or the user is not in it.
        """
        with self.portal.lock:
            chat = self.chat(chat_id)
            if user_id not in chat.members:
                raise LookupError(f"user {user_id} is not in chat {chat_id}")
            chat.members.remove(user_id)

    def say(self, chat_id: int, user_id: int, text: str, *, reply_to: int | None = None) -> int:
        """Post a message as a user.

        :param chat_id: the chat.
        :param user_id: who writes.
        :param text: the message.
        :param reply_to: the message of the same chat that it replies to.
        :returns: the message id.
        :raises LookupError: there is no such chat.
        :raises ValueError: the user is not in the chat, or the chat has no message to reply to.
        """
        with self.portal.lock:
            chat = self.chat(chat_id)
            if not chat.can_write(user_id):
                raise ValueError(self.portal.say("chat.no_write"))
            if reply_to is not None and not self.portal.chats.holds(chat, reply_to):
                raise ValueError(f"chat {chat_id} has no message {reply_to}")
            return self.portal.chats.post(chat, author_id=user_id, text=text, reply_to=reply_to).id

    def messages(self, chat_id: int) -> list[Message]:
        """Return the messages of a chat, oldest first."""
        return list(self.chat(chat_id).messages)

    def raise_event(self, event: str, data: Any) -> int:
        """Let something happen that the application may be subscribed to.

        :param event: the event's name, for example ``ONCRMDEALUPDATE``.
        :param data: its data.
        :returns: how many subscriptions put it into the queue of offline events.
        """
        with self.portal.lock:
            return self.portal.events.happen(
                event, data, client_id=self.portal.credentials.application.client_id
            )

    def polls(self) -> list[Poll]:
        """Return all polls that can be reached, oldest first."""
        return list(self.portal.polls)

    def poll(self, message_id: int) -> Poll:
        """Return the poll of a message.

        :raises LookupError: there is none.
        """
        poll = self.portal.polls.by_message(message_id)
        if poll is None:
            raise LookupError(f"message {message_id} has no poll")
        return poll

    def vote(self, message_id: int, *, user_id: int, answers: Sequence[str | int]) -> None:
        """Vote as a user.

        :param message_id: the poll's message.
        :param user_id: who votes.
        :param answers: texts or ids of answers.
        :raises LookupError: the message has no poll.
        :raises ValueError: the poll has no such answer, has ended, or the vote is not counted.
        """
        with self.portal.lock:
            poll = self.poll(message_id)
            if not poll.takes_votes(self.portal.clock()):
                raise ValueError(f"the poll of message {message_id} has ended")
            try:
                ballots.cast(self.portal, poll, user_id=user_id, ballot=_ballot(poll, answers))
            except ballots.BallotError as error:
                raise ValueError(self.portal.say(error.key)) from None

    def stop_poll(self, message_id: int) -> None:
        """End a poll, as its author does."""
        self.portal.polls.stop(self.poll(message_id))

    def resume_poll(self, message_id: int) -> None:
        """Open a poll again, as its author does."""
        self.portal.polls.resume(self.poll(message_id))

    def add_feed_post(
        self,
        questions: dict[str, Sequence[str]],
        *,
        author_id: int = 1,
        field_type: int = RADIO,
        anonymity: int = PUBLIC,
        options: int = 0,
    ) -> int:
        """Publish a post of the news feed with a poll.

        :param questions: the answers of each question.
        :param author_id: who publishes it.
        :param field_type: 0 for one answer, 1 for several.
        :param anonymity: 1 for a public poll, 2 for an anonymous one.
        :param options: 1 lets users change their vote.
        :returns: the post id.
        """
        with self.portal.lock:
            polls = self.portal.polls
            rows = [
                polls.new_question(text, [(answer, "") for answer in answers], field_type=field_type)
                for text, answers in questions.items()
            ]
            poll = polls.save(author_id, rows, anonymity=anonymity, options=options)
            post_id = self.portal.ids.next("post")
            polls.attach(poll, post_id, module_id=BLOG_MODULE, entity_type=BLOG_ENTITY)
            return post_id


def _ballot(poll: Poll, answers: Sequence[str | int]) -> dict[str, list[int]]:
    ballot: dict[str, list[int]] = {}
    for wanted in answers:
        matches = [
            (question.id, answer.id)
            for question in poll.questions.values()
            for answer in question.answers.values()
            if wanted in (answer.id, answer.text)
        ]
        if not matches:
            raise ValueError(f"the poll has no answer {wanted!r}")
        question_id, answer_id = matches[0]
        ballot.setdefault(str(question_id), []).append(answer_id)
    return ballot
