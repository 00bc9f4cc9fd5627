"""What a push notes, and what a later try reads of it."""

from __future__ import annotations

import json
import resource
import signal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_b24.open_lines.pushing.journal import (
    InFlight,
    LineJournal,
    TaskRun,
)
from airflow_provider_b24.open_lines.pushing.log_files import FileLog, LineLog, ObjectLog
from airflow_provider_b24.open_lines.pushing.message_index import (
    Conversation,
    MessageIndex,
    conversation_key,
    message_key,
)
from airflow_provider_b24.open_lines.pushing.outgoing import OutgoingMessage, report_line
from airflow_provider_b24.open_lines.pushing.source import ListSource
from airflow_provider_b24.open_lines.pushing.store_journal import Failures
from airflow_provider_b24.open_lines.report import Delivery, DeliveryStatus
from tests.support.storage import in_memory_storage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NIGHT = TaskRun(("d", "t", "r", "-1"), 3)
SOURCE = ListSource([{}])
TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20)


def message(number: int, status: DeliveryStatus = DeliveryStatus.ACCEPTED, **fields: Any) -> OutgoingMessage:
    delivery = Delivery(f"m{number}", status, (), 7 if status is DeliveryStatus.ACCEPTED else None, 8)
    return OutgoingMessage(
        number, number, message_key("c", f"m{number}"), chat="c", user="u", delivery=delivery, **fields
    )


@pytest.fixture(params=["file", "objects"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Return a maker of logs at one place."""
    if request.param == "file":
        opened: list[FileLog] = []

        def another() -> FileLog:
            opened.append(FileLog(str(tmp_path / "a" / "night.journal")))
            return opened[-1]

        request.addfinalizer(lambda: [log.close() for log in opened])
        return another
    in_memory_storage()
    return lambda: ObjectLog(f"memory://journal-{id(request)}/night.journal")


def written(log: LineLog, task: TaskRun = NIGHT) -> LineJournal:
    journal = LineJournal(log, task)
    journal.recall(MessageIndex(), SOURCE)
    return journal


def test_a_later_try_knows_what_is_delivered_and_what_is_in_flight(log: Any) -> None:
    journal = written(log())
    journal.record([message(1), message(2, DeliveryStatus.REJECTED)])
    journal.sending(InFlight({message(3).key: 5.0, message(4).key: 6.0}, {"k": Conversation(1, 2)}))
    journal.record([message(3)])

    index, later = MessageIndex(), LineJournal(log(), NIGHT)
    in_flight = later.recall(index, SOURCE)

    assert in_flight.moments == {message(4).key: 6.0}
    assert in_flight.conversations == {"k": Conversation(1, 2)}
    first, second = later.known(0, message(1).key), later.known(0, message(2).key)
    assert first and second
    assert (first.status, first.chat_id, first.run) == ("accepted", 7, 3)
    assert second.status == "rejected"
    assert later.known(0, message(4).key) is None
    assert index.conversation(conversation_key("c", "u")) == Conversation(7, 8)


def test_what_was_unknown_before_it_was_sent_again_is_in_flight(log: Any) -> None:
    journal = written(log())
    journal.record([message(1, DeliveryStatus.UNKNOWN)])
    journal.sending(InFlight({message(1).key: 5.0}))
    assert LineJournal(log(), NIGHT).recall(MessageIndex(), SOURCE).moments == {message(1).key: 5.0}


def test_the_journal_of_another_task_is_removed(log: Any) -> None:
    written(log()).record([message(1)])
    other = written(log(), TaskRun(("d", "t", "another", "-1"), 3))
    assert other.known(0, message(1).key) is None
    later = LineJournal(log(), NIGHT)
    later.recall(MessageIndex(), SOURCE)
    assert later.known(0, message(1).key) is None


def test_rows_that_are_no_messages_or_known_already_are_not_noted(log: Any) -> None:
    journal = written(log())
    journal.record([message(1, valid=False), message(2, is_new=False)])
    assert [line for line in log().read() if line.startswith(b'{"row"')] == []


def test_many_lines_go_into_several_objects(log: Any) -> None:
    journal = written(log())
    for start in range(0, 6_000, 100):
        journal.record([message(number) for number in range(start, start + 100)])
    later = LineJournal(log(), NIGHT)
    later.recall(MessageIndex(), SOURCE)
    assert later.known(0, message(0).key)
    assert later.known(0, message(5_999).key)


def test_a_line_that_was_cut_off_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "night.journal"
    journal = written(FileLog(str(path)))
    journal.record([message(1), message(2)])
    journal.close()
    path.write_bytes(path.read_bytes()[:-5])

    later = written(FileLog(str(path)))
    assert later.known(0, message(2).key) is None
    later.record([message(2)])
    later.close()
    assert all(json.loads(line) for line in path.read_bytes().splitlines())


@pytest.fixture
def full_disk() -> Iterator[Callable[[int], None]]:
    """Return what limits the size of files, as a full disk does: a write is cut, the next one fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_note_for_which_the_disk_has_no_room_is_an_error_and_leaves_no_half_line(
    tmp_path: Path, full_disk: Callable[[int], None]
) -> None:
    path = tmp_path / "night.journal"
    log = FileLog(str(path))
    journal = written(log)
    before = path.read_bytes()
    full_disk(len(before) + 20)
    with pytest.raises(OSError, match="File too large"):
        journal.sending(InFlight({message(1).key: 5.0}))
    assert path.read_bytes() == before

    full_disk(10_000)
    journal.record([message(1)])
    journal.close()
    assert len([json.loads(line) for line in path.read_bytes().splitlines()]) == 2


@given(TEXTS, TEXTS, TEXTS, st.lists(TEXTS, max_size=2), st.sampled_from(DeliveryStatus))
def test_a_report_line_is_json_whatever_the_ids_are(
    message_id: str, chat: str, user: str, errors: list[str], status: DeliveryStatus
) -> None:
    delivery = Delivery(message_id, status, tuple(errors), None, 3)
    line = report_line(OutgoingMessage(0, 9, "k", chat=chat, user=user, delivery=delivery))
    assert line.count(b"\n") == 1
    assert json.loads(line) == {
        "row": 9, "message_id": message_id, "chat": chat, "user": user, "status": str(status),
        "errors": errors, "chat_id": None, "session_id": 3,
    }  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, 12), st.sampled_from(DeliveryStatus)), max_size=40))
def test_ranges_of_failures_say_what_was_noted_last(noted: list[tuple[int, DeliveryStatus]]) -> None:
    failures, expected = Failures(), dict.fromkeys(range(13), DeliveryStatus.ACCEPTED)
    for place, status in noted:
        failures.set(place, status)
        expected[place] = status
    assert {place: failures.status(place) for place in expected} == expected
    again = Failures(json.loads(json.dumps(failures.ranges)))
    assert {place: again.status(place) for place in expected} == expected
    assert failures.ranges == sorted(failures.ranges)


def test_a_broken_file_is_one_range() -> None:
    failures = Failures()
    for place in range(10_000):
        failures.set(place, DeliveryStatus.REJECTED)
    assert failures.ranges == [[0, 9_999, "rejected"]]
