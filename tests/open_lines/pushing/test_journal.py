"""What a push notes, and what a later try reads of it."""

from __future__ import annotations

import json
import os
import resource
import signal
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_b24.exceptions import (
    Bitrix24LockTimeoutError,
    Bitrix24OutcomeUnknownError,
    Bitrix24PushStateError,
)
from airflow_provider_b24.open_lines.pushing import log_files
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
            # The process of the earlier one has ended.
            for log in opened:
                log.close()
            opened.append(FileLog(str(tmp_path / "a" / "night.journal")))
            return opened[-1]

        request.addfinalizer(lambda: [log.close() for log in opened])
        return another
    in_memory_storage()
    return lambda: ObjectLog(f"memory://journal{tmp_path}/night.journal")


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


def test_the_journal_of_another_task_is_refused(log: Any) -> None:
    journal = written(log())
    journal.record([message(1)])
    journal.close()
    other = LineJournal(log(), TaskRun(("d", "t", "another", "-1"), 3))
    with pytest.raises(Bitrix24PushStateError, match=r"line 2: .* another task; nothing was sent"):
        other.recall(MessageIndex(), SOURCE)


def test_rows_that_are_no_messages_or_known_already_are_not_noted(log: Any) -> None:
    journal = written(log())
    journal.record([message(1, valid=False), message(2, is_new=False)])
    journal.close()
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
    # A killed process has written half a line, and not yet how long the journal is.
    whole = path.read_bytes()
    last = whole.rindex(b'{"row"')
    path.write_bytes(whole[:-5].replace(b"%016d" % len(whole), b"%016d" % last))

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
    assert len([json.loads(line) for line in path.read_bytes().splitlines()]) == 4


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


# Damaged and planted journals


@pytest.fixture
def night(tmp_path: Path) -> Path:
    """Return a journal with two messages."""
    path = tmp_path / "night.journal"
    journal = written(FileLog(str(path)))
    journal.record([message(1), message(2)])
    journal.sending(InFlight({message(3).key: 5.0}, {"k": Conversation(1, 2)}))
    journal.close()
    return path


def recall(path: Path, *, number: int = 2) -> InFlight:
    later = LineJournal(FileLog(str(path)), replace(NIGHT, number=number))
    try:
        return later.recall(MessageIndex(), SOURCE)
    finally:
        later.close()


@pytest.mark.parametrize("kept", [0.05, 0.3, 0.5, 0.9, 0.999])
def test_a_journal_that_was_cut_is_refused_by_name(night: Path, kept: float) -> None:
    whole = night.read_bytes()
    night.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(Bitrix24PushStateError, match=r"night\.journal, line 1: .*nothing was sent"):
        recall(night)


def test_an_empty_journal_of_an_earlier_try_is_no_memory(night: Path) -> None:
    night.write_bytes(b"")
    with pytest.raises(Bitrix24OutcomeUnknownError, match="nothing was sent"):
        recall(night)
    # The next try does not take the journal of this one for a memory.
    with pytest.raises(Bitrix24OutcomeUnknownError, match="nothing was sent"):
        recall(night, number=3)


def test_a_journal_of_another_version_is_refused(night: Path) -> None:
    night.write_bytes(night.read_bytes().replace(b'"journal": 2', b'"journal": 9'))
    with pytest.raises(Bitrix24PushStateError, match="line 1: is not the first line of a journal of this"):
        recall(night)


@given(st.data())
def test_a_journal_with_other_bytes_raises_typed_errors_only(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("journal") / "night.journal"
    journal = written(FileLog(str(path)))
    journal.record([message(1), message(2)])
    journal.sending(InFlight({message(3).key: 5.0}, {"k": Conversation(1, 2)}))
    journal.close()
    whole = bytearray(path.read_bytes())
    start = data.draw(st.integers(0, len(whole) - 1))
    other = data.draw(st.binary(min_size=1, max_size=40) | st.just(b"\0" * 30))
    whole[start : start + data.draw(st.integers(0, 40))] = other
    path.write_bytes(bytes(whole))
    with suppress(Bitrix24PushStateError, Bitrix24OutcomeUnknownError):
        recall(path)


@pytest.mark.parametrize("kind", ["link", "fifo", "directory"])
def test_a_planted_journal_is_refused_and_left_as_it_is(tmp_path: Path, kind: str) -> None:
    path, victim = tmp_path / "night.journal", tmp_path / "victim"
    victim.write_text("mine")
    if kind == "link":
        path.symlink_to(victim)
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(Bitrix24PushStateError, match="a link, or no regular file"):
        recall(path)
    assert victim.read_text() == "mine"


# Other targets, and other processes


def test_what_was_sent_to_another_target_was_not_sent_here(log: Any) -> None:
    here, there = (replace(NIGHT, target=("portal", "shop", line)) for line in ("1", "2"))
    first = written(log(), there)
    first.record([message(1)])
    first.sending(InFlight({message(2).key: 5.0}))
    second = LineJournal(log(), here)
    assert second.recall(MessageIndex(), SOURCE).moments == {}
    assert second.known(0, message(1).key) is None
    again = LineJournal(log(), there)
    assert again.recall(MessageIndex(), SOURCE).moments == {message(2).key: 5.0}
    assert again.known(0, message(1).key)


def test_an_older_try_stops_when_a_newer_one_wants_the_journal(
    night: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_files, "LOCK_SECONDS", 0.0)
    older = written(FileLog(str(night)))
    older.check_owner()
    with pytest.raises(Bitrix24LockTimeoutError, match="An earlier try of this task still works"):
        recall(night)
    with pytest.raises(Bitrix24PushStateError, match="A newer try of this task has begun"):
        older.check_owner()
    older.close()
    assert recall(night).moments == {message(3).key: 5.0}


def test_an_older_try_stops_when_a_newer_one_has_begun_in_object_storage() -> None:
    in_memory_storage()
    url = f"memory://owner-{id(in_memory_storage)}/night.journal"
    older = written(ObjectLog(url))
    older.check_owner()
    written(ObjectLog(url))
    with pytest.raises(Bitrix24PushStateError, match="A newer try of this task has begun"):
        older.check_owner()
