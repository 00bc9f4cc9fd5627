"""People of a chat who act while a task waits."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.polls.anonymity import _TITLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator
    from airflow_provider_b24.emulator.state.polls import Poll


class Crowd:
    """People of a chat who act as soon as the poll is there."""

    def __init__(self, portal: Emulator) -> None:
        self.portal = portal
        self.ids = [portal.add_user(name) for name in ("Ann", "Bob", "Cid", "Dan")]
        self.chat = portal.add_chat("Team", members=[1, *self.ids])
        self._threads: list[threading.Thread] = []
        self._ended = threading.Event()
        self.errors: list[BaseException] = []

    @property
    def polls(self) -> list[Poll]:
        """The polls that people see: not those with which the provider looks whether votes are hidden."""
        chats = self.portal.portal.chats
        checks = {chat.id for chat in chats if chat.title == _TITLE}
        return [poll for poll in self.portal.polls() if poll.chat_id not in checks]

    @property
    def message_id(self) -> int:
        return self.polls[0].entity_id

    def vote(self, person: int, *answers: str) -> None:
        self.portal.vote(self.message_id, user_id=self.ids[person], answers=list(answers))

    def texts(self) -> list[str]:
        return [message.text for message in self.portal.messages(self.chat)]

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait in a thread of ``when_asked`` until something has happened, or the test ends."""
        while not condition() and not self._ended.wait(0.02):
            pass

    def when_asked(self, act: Callable[[], Any], *, after: float = 0.0) -> None:
        """Do something once the poll is in the chat, and some seconds have passed."""

        def work() -> None:
            while not self.polls and not self._ended.wait(0.005):
                pass
            if not self._ended.wait(after):
                try:
                    act()
                except BaseException as error:  # noqa: BLE001
                    self.errors.append(error)

        self._threads.append(threading.Thread(target=work))
        self._threads[-1].start()

    def close(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()
        assert self.errors == []
