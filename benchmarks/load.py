"""A load on a distributed Airflow: mapped asks with people who vote, single calls, and pushed messages."""

from __future__ import annotations

import json
import random
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.portal import Portal
    from demo.distributed.cluster import Cluster

_NAMES = ("Ann", "Bob", "Cid", "Dan")
#: Rules, and how many people must vote for one answer until it has won.
_RULES: tuple[tuple[Any, int], ...] = (
    ("first_vote", 1),
    ({"quorum": 3}, 3),
    ("everybody", 4),
    ({"first_to": 2}, 2),
    ({"majority": 4}, 3),
)
_PUSHES = 4
#: Each customer writes so many messages.
_MESSAGES_OF_ONE = 10


@dataclass(frozen=True)
class Size:
    """How much is done."""

    asks: int
    calls: int
    messages: int


@dataclass
class Load:
    """Starts the runs, and knows what must come of them.

    :param cluster: the running Airflow.
    :param portal: the emulated portal.
    :param folder: where the messages and the reports are: a volume that all hosts see.
    :param size: how much is done.
    """

    cluster: Cluster
    portal: Portal
    folder: Path
    size: Size
    runs: dict[str, str] = field(default_factory=dict)
    people: list[int] = field(default_factory=list)

    def prepare(self) -> None:
        """Store the connections, and make the people, the chat and the connector."""
        airflow = self.cluster.airflow
        airflow.add_connection("bitrix24_default", self.portal.webhook)
        airflow.add_connection("bitrix24_app", self.portal.oauth)
        self.people = [self.portal.control("POST", "users", {"name": name})["id"] for name in _NAMES]
        chat = {"title": "Team", "members": [1, *self.people]}
        self._chat = self.portal.control("POST", "chats", chat)["id"]
        self._line = self.portal.install_connector("shop")
        self.folder.mkdir()
        for number in range(_PUSHES):
            self._write_messages(number)

    def start(self) -> None:
        """Start all runs at once."""
        confs: dict[str, dict[str, Any]] = {
            "load_asks": {"chat_id": self._chat, "items": self._questions()},
            "load_calls": {"items": [{"ID": self._whom(number)} for number in range(self.size.calls)]},
            "load_push": {"line": self._line, "items": self._files()},
        }
        for dag_id in confs:
            self.cluster.airflow.wait_for_dag(dag_id)
        for dag_id, conf in confs.items():
            self.runs[dag_id] = self.cluster.airflow.run_dag(dag_id, conf)

    def expected(self) -> dict[str, str]:
        """Return the answer that wins, by question."""
        return {f"Question {number:04}?": "Yes" if number % 2 else "No" for number in range(self.size.asks)}

    def replies(self) -> dict[int, str]:
        """Return whom each call must return."""
        return {number: str(self._whom(number)) for number in range(self.size.calls)}

    def messages(self) -> list[str]:
        """Return the ids of all messages."""
        return [f"m{number}" for number in range(self.size.messages)]

    def reports(self) -> list[Path]:
        """Return the paths of the reports."""
        return [self.folder / f"report{number}.jsonl" for number in range(_PUSHES)]

    def ballots(self, question: str) -> list[tuple[int, str]]:
        """Return who votes how, until the question is decided."""
        number = int(question.split()[1].rstrip("?"))
        voters = self.people[: _RULES[number % len(_RULES)][1]]
        return [(person, self.expected()[question]) for person in voters]

    def _whom(self, number: int) -> int:
        return self.people[number % len(self.people)]

    def _questions(self) -> list[dict[str, Any]]:
        return [
            {"question": text, "rule": _RULES[number % len(_RULES)][0]}
            for number, text in enumerate(self.expected())
        ]

    def _files(self) -> list[dict[str, str]]:
        return [
            {"path": str(self._path(number)), "report_path": str(report)}
            for number, report in enumerate(self.reports())
        ]

    def _path(self, number: int) -> Path:
        return self.folder / f"messages{number}.jsonl"

    def _write_messages(self, number: int) -> None:
        """Write one file; a customer's messages are all in the same one."""
        with self._path(number).open("w", encoding="utf-8") as file:
            for item in range(self.size.messages):
                person = item // _MESSAGES_OF_ONE
                if person % _PUSHES == number:
                    file.write(json.dumps(_message(item, person)) + "\n")


def _message(number: int, person: int) -> dict[str, Any]:
    return {
        "user": {"id": f"u{person}", "name": f"Person{person}"},
        "message": {"id": f"m{number}", "date": 1_760_000_000, "text": f"Message {number}"},
        "chat": {"id": f"c{person}"},
    }


class Voters(threading.Thread):
    """People who vote in every open poll, some seconds after they see it.

    :param load: who votes how.
    :param portal: where they vote.
    :param every: seconds between two looks; in each they decide about a fifth of the open polls.
    """

    def __init__(self, load: Load, portal: Portal, *, every: float = 3.0) -> None:
        super().__init__(daemon=True)
        self._load = load
        self._portal = portal
        self._every = every
        self._random = random.Random(24)
        self._ended = threading.Event()
        self._voted: set[tuple[int, int]] = set()

    def run(self) -> None:
        """Vote until the end."""
        while not self._ended.wait(self._every):
            # While the portal is down nobody can vote.
            for poll in self._portal.evidence()["polls"]:
                if not poll["is_finished"] and self._random.random() < 0.2:
                    self._vote(poll)

    def stop(self) -> None:
        """Stop voting."""
        self._ended.set()
        self.join()

    def _vote(self, poll: dict[str, Any]) -> None:
        for person, answer in self._load.ballots(poll["text"]):
            if (poll["message_id"], person) in self._voted:
                continue
            try:
                vote = {"message_id": poll["message_id"], "user_id": person, "answers": [answer]}
                self._portal.control("POST", "vote", vote)
            except OSError:
                # Down, or decided and closed since it was looked at.
                return
            self._voted.add((poll["message_id"], person))


class Follower:
    """Waits for the end of the runs, and starts what has ended by itself.

    :param load: the started load.
    :param limit: seconds after which a run is stuck.
    """

    def __init__(self, load: Load, *, limit: float) -> None:
        self._load = load
        self._until = time.monotonic() + limit

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for some seconds, or until all runs have ended.

        :param seconds: how long; None: to the limit.
        :returns: whether all runs have ended.
        """
        until = self._until if seconds is None else min(time.monotonic() + seconds, self._until)
        while time.monotonic() < until:
            self._load.cluster.revive()
            if seconds is None and self._has_ended():
                return True
            time.sleep(1.0)
        return self._has_ended()

    def wait_for(self, state: str, *, number: int = 2) -> None:
        """Wait until some task instances are in a state at once, or until all runs have ended.

        :param state: the state.
        :param number: how many.
        """
        while not self.wait(0.0) and time.monotonic() < self._until:
            if self.states().get(state, 0) >= number:
                return
            time.sleep(0.5)

    def states(self) -> dict[str, int]:
        """Return how many task instances are in each state; empty while the database is away."""
        import psycopg2

        query = "select coalesce(state, 'none'), count(*) from task_instance group by 1 order by 1"
        try:
            return {str(state): int(count) for state, count in self._load.cluster.rows(query)}
        except psycopg2.Error:
            return {}

    def _has_ended(self) -> bool:
        import psycopg2

        try:
            rows = self._load.cluster.rows("select state from dag_run")
        except psycopg2.Error:
            return False
        return len(rows) == len(self._load.runs) and all(row[0] in {"success", "failed"} for row in rows)
