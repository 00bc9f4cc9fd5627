"""A push from a file, over the tries of its task."""

from __future__ import annotations

import errno
import json
import os
import time
from contextlib import suppress
from copy import copy
from copy import deepcopy as copy_deeply
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.exceptions import (
    Bitrix24DeliveryError,
    Bitrix24Error,
    Bitrix24LockTimeoutError,
    Bitrix24OutcomeUnknownError,
    Bitrix24PushIncompleteError,
    Bitrix24PushStateError,
    Bitrix24ValidationError,
)
from airflow_provider_b24.open_lines.pushing import verification
from airflow_provider_b24.operators.open_lines import Bitrix24SendConnectorMessagesOperator
from tests.support.dag_runs import set_rendered
from tests.support.mutations import REMOVED, mutated, paths_in
from tests.support.storage import in_memory_storage

from .test_idempotency import Store

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("impatient")]

SEND = "imconnector.send.messages"


class Killed(BaseException):
    """The process ends."""


class Night:
    """A task that pushes a file, try after try.

    :param memory: ``report``, ``store`` or ``none``: where it notes what it delivers.
    """

    def __init__(self, portal: Emulator, application: str, folder: Path, memory: str) -> None:
        self.portal = portal
        self.line = next(iter(portal.lines)).id
        portal.lines.install_connector("shop", self.line)
        self.path = folder / "messages.jsonl"
        self.report_path = folder / "reports" / "night.jsonl"
        self.store = Store()
        self.memory = memory
        self.options: dict[str, Any] = {"if_undelivered": "report"}
        self._application = application
        self.instance = SimpleNamespace(
            dag_id="d", task_id="t", run_id="r", map_index=-1, max_tries=5, try_number=0
        )
        self.pushed: Any = None
        self.instance.xcom_push = self._keep

    def _keep(self, *, key: str, value: Any) -> None:
        self.pushed = value

    def write(self, *rows: Any) -> None:
        self.path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    def run(self) -> dict[str, Any]:
        """Run the next try."""
        self.instance.try_number += 1
        context: Any = {"ti": self.instance}
        if self.memory in ("store", "both"):
            context["task_state_store"] = self.store
        given: dict[str, Any] = {"path": str(self.path)}
        if self.memory in ("report", "both"):
            given["report_path"] = str(self.report_path)
        given |= self.options
        operator = Bitrix24SendConnectorMessagesOperator(
            task_id="t", bitrix24_conn_id=self._application, connector="shop", line=self.line, **given
        )
        return operator.execute(context)

    def clear(self) -> None:
        """Do what Airflow does when a person clears the task."""
        self.instance.max_tries = self.instance.try_number + 5

    def begin_run(self, run_id: str) -> None:
        """Begin another run of the DAG."""
        self.instance.run_id, self.instance.try_number = run_id, 0

    @property
    def report(self) -> list[dict[str, Any]]:
        lines = self.report_path.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    @property
    def journals(self) -> list[Path]:
        return list(self.report_path.parent.glob("night.jsonl.????????????????.journal"))

    @property
    def texts(self) -> list[str]:
        return [message.text for message in self.portal.lines.messages(self.line)]


def row(number: int, *, person: str = "p1", **fields: Any) -> dict[str, Any]:
    return {
        "user": {"id": person, "name": "Ann"},
        "message": {"id": f"m{number}", "text": f"Text {number}", **fields},
        "chat": {"id": person},
    }


@pytest.fixture(autouse=True)
def short_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """A portal that ends its requests at once."""
    monkeypatch.setattr(verification, "REQUEST_SECONDS", 0.0)


@pytest.fixture(params=["report", "store"])
def night(request: pytest.FixtureRequest, portal: Emulator, application: str, tmp_path: Path) -> Night:
    return Night(portal, application, tmp_path, request.param)


@pytest.fixture
def reported(portal: Emulator, application: str, tmp_path: Path) -> Night:
    return Night(portal, application, tmp_path, "report")


def die_after(night: Night, monkeypatch: pytest.MonkeyPatch, requests: int, *, executed: bool) -> None:
    """Run a try whose process ends at a request, before or after the portal executes it."""
    from airflow_provider_b24.rest.client import Bitrix24Client

    call, seen = Bitrix24Client.call, []

    def dying(self: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        if method != SEND or len(seen) < requests:
            seen.extend([method] * (method == SEND))
            return call(self, method, *args, **kwargs)
        if executed:
            call(self, method, *args, **kwargs)
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Bitrix24Client, "call", dying)
        night.run()


@pytest.mark.parametrize("executed", [True, False])
@pytest.mark.parametrize("requests", [1, 2])
def test_a_retry_after_a_kill_sends_only_the_rest(
    night: Night, monkeypatch: pytest.MonkeyPatch, requests: int, *, executed: bool
) -> None:
    night.write(*(row(number) for number in range(35)))
    die_after(night, monkeypatch, requests, executed=executed)
    report = night.run()

    assert (report["accepted"], report["rejected"], report["unknown"]) == (35, 0, 0)
    assert night.texts == [f"Text {number}" for number in range(35)]


def test_what_was_in_flight_at_a_kill_is_in_flight_after_a_second_one(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    night.write(*(row(number, person="blocked" if 10 <= number < 20 else "p") for number in range(40)))
    night.portal.lines.reject("blocked")
    die_after(night, monkeypatch, 2, executed=True)
    night.portal.lines.accept("blocked")
    night.clear()
    # The cleared task sends the rejected messages first; those in flight at the first kill come later.
    die_after(night, monkeypatch, 0, executed=True)
    report = night.run()

    assert (report["accepted"], report["rejected"], report["unknown"]) == (40, 0, 0)
    assert sorted(night.texts) == sorted(f"Text {number}" for number in range(40))


def test_a_kill_at_the_first_request_of_new_chats_leaves_its_messages_unknown(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row(number, person=f"p{number}") for number in range(12)]
    for item in rows:
        del item["user"]["name"]
    night.write(*rows)
    die_after(night, monkeypatch, 0, executed=True)
    report = night.run()

    assert (report["accepted"], report["unknown"]) == (2, 10)
    assert sorted(night.texts) == sorted(f"Text {number}" for number in range(12))


def test_a_finished_push_sends_nothing_again(night: Night) -> None:
    night.write(row(1), row(2))
    night.run()
    report = night.run()
    assert report["accepted"] == 2
    assert night.portal.requests.count(SEND) == 1


def test_a_clear_sends_what_was_rejected_and_nothing_else(night: Night) -> None:
    night.write(row(1, person="a"), row(2, person="blocked"), {"user": {}}, row(3, person="c"))
    night.portal.lines.reject("blocked")
    first = night.run()
    night.portal.lines.accept("blocked")
    retried = night.run()
    night.clear()
    cleared = night.run()

    assert (first["accepted"], first["rejected"]) == (2, 2)
    assert (retried["accepted"], retried["rejected"]) == (2, 2)
    assert (cleared["accepted"], cleared["rejected"]) == (3, 1)
    assert sorted(night.texts) == ["Text 1", "Text 2", "Text 3"]


def test_a_clear_sends_a_row_that_was_invalid_and_is_corrected(night: Night) -> None:
    night.write(row(1), row(2, text=""), row(3))
    night.run()
    night.write(row(1), row(2), row(3))
    night.clear()
    assert night.run()["accepted"] == 3
    assert night.texts == ["Text 1", "Text 3", "Text 2"]


def test_a_portal_that_is_away_midway_makes_the_task_retry_and_send_the_rest(night: Night) -> None:
    night.write(*(row(number) for number in range(30)))
    night.portal.faults.add("operating_limit", method=SEND, times=None, after=1)
    with pytest.raises(Bitrix24PushIncompleteError, match="10 accepted, 20 rejected") as caught:
        night.run()
    assert caught.value.transient
    assert caught.value.report["accepted"] == 10
    night.portal.faults.clear()

    assert night.run()["accepted"] == 30
    assert night.texts == [f"Text {number}" for number in range(30)]


def test_unknown_messages_are_verified_by_the_next_try(night: Night) -> None:
    night.write(*(row(number) for number in range(20)))
    night.portal.faults.add("drop_after", method=SEND, after=1)
    for method in ("im.dialog.messages.get", "imopenlines.dialog.get", "im.search.chat.list"):
        night.portal.faults.add("status_502", method=method, times=None)
    assert night.run()["unknown"] == 10
    night.portal.faults.clear()
    if night.memory == "report":
        # The store has no room for the chats of all messages, so that they are searched by name.
        assert night.run()["accepted"] == 20
    else:
        assert night.run()["unknown"] + night.run()["accepted"] >= 20
    assert night.texts == [f"Text {number}" for number in range(20)]


def test_what_a_later_try_finds_missing_is_sent_after_newer_messages_of_its_chat(reported: Night) -> None:
    rows = [row(number) for number in range(20)]
    for item in rows:
        del item["user"]["name"]
    reported.write(*rows)
    reported.portal.faults.add("drop_before", method=SEND)
    assert reported.run()["unknown"] == 10
    assert reported.run()["accepted"] == 20
    assert reported.texts == [f"Text {number}" for number in (*range(10, 20), *range(10))]


def test_nothing_is_sent_that_the_journal_has_no_room_to_note(
    reported: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_b24.open_lines.pushing.log_files import FileLog

    append = FileLog.append

    def full(self: FileLog, lines: bytes) -> None:
        if lines.startswith(b'{"sending"'):
            raise OSError(errno.ENOSPC, "No space left on device")
        append(self, lines)

    reported.write(*(row(number) for number in range(20)))
    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(FileLog, "append", full)
        reported.run()
    assert reported.texts == []
    assert reported.run()["accepted"] == 20


def test_another_run_of_the_dag_begins_anew_at_the_same_report_path(reported: Night) -> None:
    reported.write(row(1))
    reported.run()
    reported.begin_run("another")
    assert reported.run()["accepted"] == 1
    assert reported.texts == ["Text 1", "Text 1"]


def mapped(night: Night, map_index: int) -> Night:
    """Return a mapped task of the same run: other messages, the same path of the report."""
    other = copy(night)
    other.instance = SimpleNamespace(**{**vars(night.instance), "map_index": map_index, "try_number": 0})
    other.path = night.path.with_name(f"messages-{map_index}.jsonl")
    other.write(*(row(100 * map_index + number, person=f"p{map_index}") for number in range(20)))
    return other


def test_mapped_tasks_with_one_report_path_keep_their_journals(
    reported: Night, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = mapped(reported, 1), mapped(reported, 2)
    die_after(first, monkeypatch, 1, executed=True)
    assert "writes its report" not in caplog.text
    assert second.run()["accepted"] == 20
    assert "Another task of this run writes its report to" in caplog.text
    assert first.run()["accepted"] == 20
    assert len(reported.texts) == len(set(reported.texts)) == 40


def test_a_journal_of_another_run_goes_when_it_is_a_month_old(reported: Night) -> None:
    reported.write(row(1))
    reported.run()
    (old,) = reported.journals
    reported.begin_run("another")
    reported.run()
    (recent,) = set(reported.journals) - {old}
    for path, days in ((old, 32), (recent, 30)):
        os.utime(path, (time.time() - days * 86_400,) * 2)
    other = reported.report_path.with_name("night.jsonl.notes.journal")
    other.touch()
    os.utime(other, (0, 0))

    reported.begin_run("a third")
    reported.run()

    assert not old.exists()
    assert recent.exists()
    assert other.exists()


def test_messages_may_change_between_tries_with_a_report(
    reported: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported.write(*(row(number) for number in range(20)))
    die_after(reported, monkeypatch, 1, executed=False)
    reported.write(*(row(number) for number in reversed(range(25))))
    assert reported.run()["accepted"] == 25
    assert sorted(reported.texts) == sorted(f"Text {number}" for number in range(25))


def test_other_messages_than_in_the_earlier_try_are_refused_without_a_report(
    portal: Emulator, application: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = Night(portal, application, tmp_path, "store")
    night.write(*(row(number) for number in range(20)))
    die_after(night, monkeypatch, 1, executed=False)
    night.write(*(row(number) for number in range(1, 20)))
    with pytest.raises(Bitrix24PushStateError, match="are not those of an earlier try"):
        night.run()
    assert portal.requests.count(SEND) == 1


def test_the_store_gets_a_small_value(portal: Emulator, application: str, tmp_path: Path) -> None:
    night = Night(portal, application, tmp_path, "store")
    night.write(*(row(number, person=f"p{number}") for number in range(300)))
    night.run()
    assert len(json.dumps(night.store.values)) < 1_000


@pytest.mark.parametrize("redelivery", ["at_most_once", "at_least_once"])
def test_a_retry_without_a_memory_does_what_redelivery_says(
    portal: Emulator, application: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redelivery: str
) -> None:
    night = Night(portal, application, tmp_path, "none")
    night.options["redelivery"] = redelivery
    night.write(row(1))
    die_after(night, monkeypatch, 0, executed=True)
    if redelivery == "at_least_once":
        night.run()
        assert night.texts == ["Text 1", "Text 1"]
    else:
        with pytest.raises(Bitrix24OutcomeUnknownError, match="Set report_path="):
            night.run()
        assert night.texts == ["Text 1"]


# Where the memory is


def lose_memory(night: Night) -> None:
    """Let the next try run on another machine, or with another store."""
    night.store = Store()
    for path in night.journals:
        path.unlink()


def test_a_retry_that_finds_no_memory_sends_nothing_and_calls_nothing_accepted(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    night.write(*(row(number) for number in range(20)))
    die_after(night, monkeypatch, 1, executed=True)
    lose_memory(night)
    for _ in range(2):
        with pytest.raises(Bitrix24OutcomeUnknownError, match="nothing is known of it"):
            night.run()
    assert len(night.texts) == 20


def test_the_store_comes_before_a_journal_next_to_the_report(
    portal: Emulator, application: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = Night(portal, application, tmp_path, "both")
    night.write(*(row(number) for number in range(30)))
    die_after(night, monkeypatch, 1, executed=True)
    # The retry runs in another pod, which has none of the files.
    night.report_path = tmp_path / "another" / "night.jsonl"
    assert night.run()["accepted"] == 30
    assert night.journals == []
    assert night.texts == [f"Text {number}" for number in range(30)]


def test_a_try_that_fails_before_it_pushes_is_known_to_have_sent_nothing(night: Night) -> None:
    with pytest.raises((FileNotFoundError, Bitrix24ValidationError)):
        night.run()
    night.write(row(1))
    assert night.run()["accepted"] == 1


def test_a_push_to_another_line_sends_and_one_back_does_not(night: Night) -> None:
    night.write(row(1), row(2), row(3))
    assert night.run()["accepted"] == 3
    first, second = night.line, night.portal.lines.add("Sales")
    night.portal.lines.install_connector("shop", second)
    night.clear()
    night.line = second
    assert night.run()["accepted"] == 3
    assert len(night.texts) == 3
    night.clear()
    night.line = first
    assert night.run()["accepted"] == 3
    assert night.portal.requests.count(SEND) == 2


def test_a_push_to_another_portal_sends(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_b24.emulator import Emulator

    night.write(row(1), row(2))
    night.run()
    with Emulator() as other:
        monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_APP", json.dumps(other.connection(auth="oauth")))
        line = next(iter(other.lines)).id
        other.lines.install_connector("shop", line)
        night.line = line
        night.clear()
        assert night.run()["accepted"] == 2
        assert other.requests.count(SEND) == 1


def test_an_older_try_beside_its_retry_stops_at_its_next_request(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_b24.open_lines.pushing import log_files
    from airflow_provider_b24.rest.client import Bitrix24Client

    monkeypatch.setattr(log_files, "LOCK_SECONDS", 0.0)
    night.write(*(row(number) for number in range(60)))
    call, newer = Bitrix24Client.call, copy(night)
    newer.instance = SimpleNamespace(**{**vars(night.instance), "try_number": 1})
    begun: list[Any] = []

    def with_a_retry(self: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        result = call(self, method, *args, **kwargs)
        if method == SEND and not begun:
            begun.append(method)
            # A worker that is cut off from Airflow: its retry begins while it goes on.
            try:
                begun.append(newer.run()["accepted"])
            except Bitrix24LockTimeoutError as error:
                begun.append(error)
        return result

    with monkeypatch.context() as patch, pytest.raises(Bitrix24PushStateError, match="A newer try"):
        patch.setattr(Bitrix24Client, "call", with_a_retry)
        night.run()
    if night.memory == "store":
        assert begun == [SEND, 60]
    else:
        # The older one has held the journal until it stopped.
        assert newer.run()["accepted"] == 60
    assert sorted(night.texts) == sorted(f"Text {number}" for number in range(60))


def test_a_store_with_other_values_raises_typed_errors_and_sends_nothing_twice(
    portal: Emulator, application: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = Night(portal, application, tmp_path, "store")
    night.write(*(row(number) for number in range(20)))
    die_after(night, monkeypatch, 1, executed=True)
    whole, number = night.store.values, night.instance.try_number
    for key, value in whole.items():
        for path in paths_in(value):
            for other in (REMOVED, None, "x", -1, True, 10**30, [], {}, [[1, "x"]], {"x": None}):
                night.store = Store()
                night.store.values = copy_deeply({**whole, key: mutated(value, path, other)})
                night.instance.try_number = number
                with suppress(Bitrix24Error):
                    night.run()
                assert len(night.texts) == len(set(night.texts)), (key, path, other)


# The report


def test_the_report_has_a_line_for_each_row_of_the_file(reported: Night) -> None:
    lines = [json.dumps(row(1)), "no json", json.dumps(row(1)), "", json.dumps(row(2))]
    reported.path.write_text("\n".join(lines), encoding="utf-8")
    report = reported.run()

    assert [(item["row"], item["message_id"], item["status"]) for item in reported.report] == [
        (1, "m1", "accepted"),
        (2, "", "rejected"),
        (3, "m1", "rejected"),
        (5, "m2", "accepted"),
    ]
    assert reported.report[1]["errors"][0].startswith("line 2: is not JSON")
    assert reported.report[2]["errors"] == ["line 3.message.id: 'm1' is the id of line 1 in the same chat"]
    assert report["report_path"] == str(reported.report_path)
    assert reported.report[0]["chat_id"] == report["items"][0]["chat_id"]


@pytest.mark.parametrize("part", ["user", "message", "chat"])
@pytest.mark.parametrize("given", ["file", "list"])
def test_half_a_surrogate_pair_in_an_id_is_written_out_in_the_report(
    reported: Night, caplog: pytest.LogCaptureFixture, part: str, given: str
) -> None:
    broken = row(2)
    broken[part] = {**broken[part], "id": "cut\ud83d"}
    reported.write(row(1), broken, row(3))
    if given == "list":
        reported.options |= {"path": None, "messages": [row(1), broken, row(3)]}
    report = reported.run()

    assert [item["status"] for item in report["items"]] == ["accepted", "rejected", "accepted"]
    json.dumps(report, ensure_ascii=False).encode()
    caplog.text.encode()
    name = {"user": "user", "message": "message_id", "chat": "chat"}[part]
    assert reported.report[1][name] == "cut\\ud83d"


def test_a_large_push_has_its_first_failures_in_xcom(reported: Night) -> None:
    reported.write(*(row(number, text="" if number % 2 else "Hi") for number in range(1002)))
    report = reported.run()
    assert report["truncated"] is True
    assert len(report["items"]) == 100
    assert {item["status"] for item in report["items"]} == {"rejected"}
    assert len(reported.report) == 1002


def test_if_invalid_fail_sends_nothing_and_reports_all_invalid_rows(reported: Night) -> None:
    reported.options["if_invalid"] = "fail"
    reported.write(row(1), row(2, text=""), row(3), {"message": 5})
    with pytest.raises(Bitrix24ValidationError, match=r"line 2\.message: needs text or files; line 4"):
        reported.run()
    assert [item["row"] for item in reported.report] == [2, 4]
    assert reported.texts == []


@pytest.mark.parametrize(
    ("allowed", "fails"), [(0, True), (1, True), (2, False), (0.1, True), (0.2, False), ("0.2", False)]
)
def test_a_threshold_decides_whether_the_task_fails(reported: Night, allowed: Any, fails: bool) -> None:
    reported.options = {"max_undelivered": allowed}
    reported.write(*(row(number, text="" if number < 2 else "Hi") for number in range(10)))
    if fails:
        with pytest.raises(Bitrix24DeliveryError, match="8 accepted, 2 rejected"):
            reported.run()
        assert reported.pushed["rejected"] == 2
    else:
        assert reported.run()["rejected"] == 2
    assert len(reported.report) == 10


@pytest.mark.parametrize("value", [-1, 1.5, "many", None, True])
def test_a_threshold_that_is_none_is_refused_when_the_dag_is_parsed(value: Any) -> None:
    with pytest.raises(Bitrix24ValidationError, match="max_undelivered"):
        Bitrix24SendConnectorMessagesOperator(
            task_id="t", connector="shop", line=1, path="x", max_undelivered=value
        )


@pytest.mark.parametrize("given", [{}, {"messages": [], "path": "x"}])
def test_either_messages_or_a_path_is_needed(given: Any) -> None:
    with pytest.raises(Bitrix24ValidationError, match="give either messages or path"):
        Bitrix24SendConnectorMessagesOperator(task_id="t", connector="shop", line=1, **given)


def test_reports_and_sources_may_be_in_object_storage(
    portal: Emulator, application: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk import ObjectStoragePath

    in_memory_storage()
    night = Night(portal, application, tmp_path, "report")
    folder = f"memory://night-{id(night)}"
    source = ObjectStoragePath(f"{folder}/messages.jsonl")
    source.write_bytes("".join(json.dumps(row(number)) + "\n" for number in range(25)).encode())
    night.path = source  # type: ignore[assignment]
    night.report_path = ObjectStoragePath(f"{folder}/report.jsonl")  # type: ignore[assignment]
    die_after(night, monkeypatch, 1, executed=True)
    assert night.run()["accepted"] == 25
    assert len(night.report_path.read_text().splitlines()) == 25
    assert night.texts == [f"Text {number}" for number in range(25)]


def test_paths_may_be_objects(reported: Night) -> None:
    from airflow.sdk import ObjectStoragePath

    reported.write(row(1))
    for number, kind in enumerate((Path, lambda path: ObjectStoragePath(f"file://{path}"))):
        report_path = kind(reported.report_path.with_name(f"{number}.jsonl"))
        reported.options |= {"path": kind(reported.path), "report_path": report_path}
        reported.begin_run(f"run {number}")
        assert reported.run()["report_path"] == str(report_path)
        assert reported.report_path.with_name(f"{number}.jsonl").exists()


# CSV


def test_a_csv_file_is_pushed_by_its_mapping(reported: Night) -> None:
    reported.path = reported.path.with_suffix(".csv")
    reported.path.write_bytes(
        '\ufeffid;who;text;picture\n1;Анна;"two\nlines";https://x.example/a.png\n2;;Hi;\n3;Bob;Hi;\n'.encode()
    )
    reported.options |= {
        "delimiter": ";",
        "mapping": {
            "message.id": "id",
            "user.id": "who",
            "chat.id": "who",
            "user.name": "who",
            "message.text": "text",
            "user.picture.url": "picture",
            "message.files.url": "picture",
        },
    }
    report = reported.run()
    assert [item["status"] for item in report["items"]] == ["accepted", "rejected", "accepted"]
    assert report["items"][1]["errors"] == ["line 4: needs 'user'", "line 4: needs 'chat'"]
    assert reported.texts == ["two\nlines", "Hi"]


@pytest.mark.parametrize(
    ("mapping", "path"),
    [
        ({"user.id": "nobody"}, "mapping['user.id']"),
        ({"person.id": "id"}, "mapping['person.id']"),
        ({"user": "id"}, "mapping['user']"),
        (None, "mapping"),
    ],
)
def test_a_wrong_mapping_is_refused_and_nothing_is_sent(reported: Night, mapping: Any, path: str) -> None:
    reported.path = reported.path.with_suffix(".csv")
    reported.path.write_text("id,text\n1,Hi\n", encoding="utf-8")
    reported.options["mapping"] = mapping
    with pytest.raises(Bitrix24ValidationError) as caught:
        reported.run()
    assert caught.value.path == path
    assert reported.portal.requests.count() == 0


@pytest.mark.parametrize("choice", ["if_invalid", "redelivery", "if_undelivered"])
def test_a_rendered_choice_that_does_not_exist_is_refused(
    portal: Emulator, application: str, choice: str
) -> None:
    task = Bitrix24SendConnectorMessagesOperator(
        task_id="t", bitrix24_conn_id=application, connector="shop", line=1, messages=[row(1)]
    )
    set_rendered(task, {choice: "perhaps"})
    with pytest.raises(Bitrix24ValidationError, match=choice):
        task.execute({})
    assert portal.requests.count() == 0
