"""The poll sensor in its three modes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowSensorTimeout, AirflowSkipException, TaskDeferred

from airflow_provider_b24.exceptions import (
    Bitrix24Error,
    Bitrix24PollNotFoundError,
    Bitrix24PollUndecidedError,
    Bitrix24ValidationError,
)
from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_b24.operators.polls import Bitrix24SendPollOperator
from airflow_provider_b24.sensors.polls import Bitrix24PollSensor
from airflow_provider_b24.triggers.polls import Bitrix24PollTrigger
from tests.support.dag_runs import instance, set_rendered, xcom

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_b24.emulator import Emulator
    from tests.support.crowd import Crowd

pytestmark = pytest.mark.usefixtures("impatient")

MODES: dict[str, dict[str, Any]] = {
    "poke": {"mode": "poke", "deferrable": False},
    "reschedule": {"mode": "reschedule", "deferrable": False},
    "deferrable": {"deferrable": True},
}
every_mode = pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
GONE = 987654


@pytest.fixture
def message_id(portal: Emulator, hook: Bitrix24Hook) -> int:
    """A poll in a chat with two people besides the sender."""
    people = [portal.add_user(name) for name in ("Ann", "Bob")]
    chat = portal.add_chat("Team", members=[1, *people])
    sent = hook.polls.send(chat_id=chat, question="Deploy?", answers=["Yes", "No"], allow_revote=True)
    return sent["message_id"]


def people_of(portal: Emulator, message_id: int) -> list[int]:
    return portal.chat(portal.poll(message_id).chat_id).members[1:]


def vote(portal: Emulator, message_id: int, *people: int, answer: str = "Yes") -> None:
    for person in people:
        portal.vote(message_id, user_id=person, answers=[answer])


def reads_of(portal: Emulator) -> int:
    """Return how often the poll was read, from a worker or from a triggerer."""
    from_triggerer = portal.requests.count_commands("vote.AttachedVote.getMany")
    return portal.requests.count("vote.AttachedVote.get") + from_triggerer


def wait_dag(name: str, poll: Any, **options: Any) -> DAG:
    given = {"poll_interval": 0.02, "timeout": 20, "retries": 2, "retry_delay": timedelta(0)} | options
    with DAG(name, schedule=None) as dag:
        Bitrix24PollSensor(task_id="wait", poll=poll, **given)
    return dag


@pytest.fixture
def after_reads(portal: Emulator) -> Iterator[Callable[..., None]]:
    """Do something as soon as the poll has been read so many times."""
    threads: list[threading.Thread] = []
    ended = threading.Event()

    def arrange(reads: int, act: Callable[[], Any]) -> None:
        begin = reads_of(portal)

        def work() -> None:
            while reads_of(portal) < begin + reads and not ended.is_set():
                time.sleep(0.002)
            act()

        threads.append(threading.Thread(target=work))
        threads[-1].start()

    yield arrange
    ended.set()
    for thread in threads:
        thread.join()


@every_mode
def test_a_poll_that_is_decided_already_ends_the_wait_at_the_first_read(
    portal: Emulator, message_id: int, run_dag: Callable[..., Any], mode: dict[str, Any]
) -> None:
    portal.stop_poll(message_id)
    portal.requests.clear()

    run = run_dag(wait_dag("decided", message_id, **mode))

    assert run.state == "success"
    assert xcom(run, "wait")["is_finished"]
    assert portal.requests.count("vote.AttachedVote.get") == 1


@pytest.mark.parametrize("mode", [MODES["poke"], MODES["deferrable"]], ids=["poke", "deferrable"])
@pytest.mark.parametrize("rule", ["stopped", "first_vote", {"quorum": 2}, {"quorum": "2"}])
def test_the_wait_ends_when_the_rule_decides_and_returns_the_poll(
    *,
    portal: Emulator,
    message_id: int,
    run_dag: Callable[..., Any],
    after_reads: Callable[..., None],
    mode: dict[str, Any],
    rule: Any,
) -> None:
    people = people_of(portal, message_id)

    def decide() -> None:
        if rule == "stopped":
            portal.stop_poll(message_id)
        else:
            vote(portal, message_id, *people[: 1 if rule == "first_vote" else 2])

    after_reads(2, decide)

    run = run_dag(wait_dag("rules", message_id, rule=rule, **mode))

    poll = xcom(run, "wait")
    assert run.state == "success"
    assert poll["message_id"] == message_id
    assert poll["is_finished"] is (rule == "stopped")
    assert poll["voters"] == {"stopped": 0, "first_vote": 1}.get(str(rule), 2)


def test_a_quorum_that_is_not_met_keeps_waiting(portal: Emulator, message_id: int) -> None:
    vote(portal, message_id, people_of(portal, message_id)[0])

    first_read = Bitrix24PollSensor(task_id="wait", poll=message_id, rule={"quorum": 2}).poke({})

    assert not first_read.is_done
    assert first_read.xcom_value is None


def test_reschedule_mode_waits_until_the_poll_is_decided(
    portal: Emulator, message_id: int, run_dag: Callable[..., Any], after_reads: Callable[..., None]
) -> None:
    after_reads(2, lambda: portal.stop_poll(message_id))

    run = run_dag(wait_dag("reschedule", message_id, **MODES["reschedule"]))

    assert run.state == "success"
    assert xcom(run, "wait")["is_finished"]


@every_mode
def test_a_timeout_fails_the_task_without_a_retry(
    portal: Emulator, message_id: int, run_dag: Callable[..., Any], mode: dict[str, Any]
) -> None:
    run = run_dag(wait_dag("timeout", message_id, **{**mode, "timeout": 0.05}))

    assert instance(run, "wait").state == "failed"
    assert instance(run, "wait").try_number == 1


@every_mode
@pytest.mark.parametrize("option", ["soft_fail", "never_fail"])
def test_a_timeout_skips_the_task_when_it_fails_softly(
    portal: Emulator, message_id: int, run_dag: Callable[..., Any], mode: dict[str, Any], option: str
) -> None:
    run = run_dag(wait_dag("timeout_soft", message_id, **{**mode, "timeout": 0.05, option: True}))

    assert instance(run, "wait").state == "skipped"


def test_a_timeout_is_airflows_own_exception() -> None:
    sensor = Bitrix24PollSensor(task_id="wait", poll=1, rule={"quorum": 3}, timeout=90)

    with pytest.raises(AirflowSensorTimeout, match=r"90 s .*quorum"):
        sensor.execute_complete({}, {"status": "timeout"})


@every_mode
def test_a_deleted_poll_fails_the_task_without_waiting(
    portal: Emulator, run_dag: Callable[..., Any], mode: dict[str, Any]
) -> None:
    run = run_dag(wait_dag("deleted", GONE, **{**mode, "retries": 0}))

    assert instance(run, "wait").state == "failed"
    assert portal.requests.count("vote.AttachedVote.get") == 1


@every_mode
@pytest.mark.parametrize("option", ["soft_fail", "never_fail"])
def test_a_deleted_poll_skips_the_task_when_it_fails_softly(
    portal: Emulator, run_dag: Callable[..., Any], mode: dict[str, Any], option: str
) -> None:
    run = run_dag(wait_dag("deleted_soft", GONE, **{**mode, option: True}))

    assert instance(run, "wait").state == "skipped"


@pytest.mark.parametrize("mode", [MODES["poke"], MODES["deferrable"]], ids=["poke", "deferrable"])
@pytest.mark.parametrize(
    ("options", "state"),
    [({}, "failed"), ({"soft_fail": True}, "skipped"), ({"never_fail": True}, "skipped")],
)
def test_a_poll_that_is_deleted_while_it_is_waited_for_ends_the_wait(
    *,
    portal: Emulator,
    hook: Bitrix24Hook,
    message_id: int,
    run_dag: Callable[..., Any],
    after_reads: Callable[..., None],
    mode: dict[str, Any],
    options: dict[str, Any],
    state: str,
) -> None:
    after_reads(2, lambda: hook.call("im.message.delete", {"MESSAGE_ID": message_id}))

    run = run_dag(wait_dag("deleted_later", message_id, **{**mode, "retries": 0, **options}))

    assert instance(run, "wait").state == state


@every_mode
def test_a_poll_that_is_stopped_too_early_fails_the_task_with_its_own_type(
    portal: Emulator, message_id: int, mode: dict[str, Any]
) -> None:
    portal.stop_poll(message_id)
    sensor = Bitrix24PollSensor(task_id="wait", poll=message_id, rule={"quorum": 2}, **mode)

    with pytest.raises(Bitrix24PollUndecidedError, match="0 of 2"):
        sensor.poke({})


@every_mode
def test_a_poll_that_is_stopped_too_early_skips_the_task_when_it_fails_softly(
    portal: Emulator, message_id: int, run_dag: Callable[..., Any], mode: dict[str, Any]
) -> None:
    portal.stop_poll(message_id)

    run = run_dag(wait_dag("early", message_id, rule={"quorum": 2}, soft_fail=True, **mode))

    assert instance(run, "wait").state == "skipped"


@pytest.mark.parametrize("mode", [MODES["poke"], MODES["deferrable"]], ids=["poke", "deferrable"])
@pytest.mark.parametrize("kind", ["status_502", "html", "drop_before", "status_503_limit", "operating_limit"])
def test_a_portal_that_is_down_or_limited_for_a_while_is_waited_for(
    *,
    portal: Emulator,
    message_id: int,
    run_dag: Callable[..., Any],
    mode: dict[str, Any],
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Without a bucket, which would slow this host down for a while after a 503.
    fields = portal.connection() | {"extra": {"plan": "self_hosted"}}
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", json.dumps(fields))
    portal.faults.add(kind, method="vote.AttachedVote.get", times=26)
    portal.stop_poll(message_id)

    run = run_dag(wait_dag("down", message_id, **mode))

    assert instance(run, "wait").state == "success"
    assert instance(run, "wait").try_number == 1


@pytest.mark.parametrize("mode", [MODES["poke"], MODES["deferrable"]], ids=["poke", "deferrable"])
def test_a_portal_that_stays_down_ends_as_a_timeout(
    portal: Emulator, message_id: int, run_dag: Callable[..., Any], mode: dict[str, Any]
) -> None:
    portal.faults.add("status_502", method="vote.AttachedVote.get", times=None)

    run = run_dag(wait_dag("stays_down", message_id, **{**mode, "timeout": 0.05}))

    assert instance(run, "wait").state == "failed"
    assert instance(run, "wait").try_number == 1


def deferred(sensor: Bitrix24PollSensor) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as deferral:
        sensor.execute({})
    return deferral.value


def trigger_of(deferral: TaskDeferred) -> Bitrix24PollTrigger:
    assert isinstance(deferral.trigger, Bitrix24PollTrigger)
    return deferral.trigger


def test_the_trigger_gets_what_it_needs_and_a_deadline_that_outlives_restarts(
    portal: Emulator, message_id: int
) -> None:
    before = time.time()
    sensor = Bitrix24PollSensor(
        task_id="wait",
        poll={"message_id": str(message_id), "vote_id": 7, "chat_id": 1},
        rule="first_vote",
        poll_interval=3,
        timeout=timedelta(minutes=5),
        deferrable=True,
    )

    deferral = deferred(sensor)
    trigger = trigger_of(deferral)

    assert trigger.bitrix24_conn_id == "bitrix24_default"
    assert trigger.poll == {"message_id": message_id}
    assert trigger.rule == {"quorum": 1}
    assert trigger.poll_interval == 3.0
    assert trigger.deadline is not None
    assert before + 300 <= trigger.deadline <= time.time() + 300
    assert deferral.method_name == "execute_complete"
    assert deferral.timeout is not None
    assert timedelta(minutes=4) < deferral.timeout <= timedelta(minutes=5)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 10.0),
        ({"poll_interval": 3}, 3.0),
        ({"poke_interval": 7}, 7.0),
        ({"poke_interval": timedelta(minutes=1)}, 60.0),
        ({"poll_interval": 3, "poke_interval": 7}, 7.0),
        ({"default_args": {"poke_interval": 30}}, 30.0),
        ({"default_args": {"poll_interval": 4}}, 4.0),
        ({"default_args": {"poke_interval": 30}, "poll_interval": 3}, 30.0),
    ],
)
def test_the_interval_is_poke_interval_or_else_poll_interval(
    options: dict[str, Any], expected: float
) -> None:
    assert Bitrix24PollSensor(task_id="wait", poll=1, **options).poke_interval == expected


@pytest.mark.parametrize("mode", [MODES["poke"], MODES["deferrable"]], ids=["poke", "deferrable"])
def test_an_interval_of_zero_is_allowed(
    portal: Emulator,
    message_id: int,
    run_dag: Callable[..., Any],
    after_reads: Callable[..., None],
    mode: dict[str, Any],
) -> None:
    after_reads(3, lambda: portal.stop_poll(message_id))

    run = run_dag(wait_dag("zero", message_id, **{**mode, "poll_interval": 0}))

    assert run.state == "success"


@pytest.mark.parametrize("deferrable", ["True", "False"])
def test_the_default_of_deferrable_is_airflows_setting(deferrable: str) -> None:
    code = (
        "from airflow_provider_b24.sensors.polls import Bitrix24PollSensor\n"
        "print('is', Bitrix24PollSensor(task_id='wait', poll=1).deferrable)"
    )
    env = os.environ | {"AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": deferrable}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60)

    assert f"is {deferrable}" in done.stdout, done.stderr


@every_mode
@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"rule": "majority"}, "rule"),
        ({"rule": {"quorum": 0}}, "rule.quorum"),
        ({"rule": {"quorum": 1, "of": 2}}, "rule"),
        ({"poll": {"vote_id": 7}}, "poll"),
        ({"poll": "the latest"}, "poll"),
        ({"poll": None}, "poll"),
    ],
)
def test_bad_input_is_refused_before_anything_is_asked(
    portal: Emulator, mode: dict[str, Any], options: dict[str, Any], path: str
) -> None:
    sensor = Bitrix24PollSensor(task_id="wait", poll=1, **mode)
    set_rendered(sensor, options)

    with pytest.raises(Bitrix24ValidationError) as refusal:
        sensor.execute({"ti": FirstTry()})  # type: ignore[typeddict-item]
    assert refusal.value.path == path
    assert len(portal.requests) == 0


class FirstTry:
    """A task instance that was never rescheduled."""

    def get_first_reschedule_date(self, context: Any) -> None:
        return None


@pytest.mark.parametrize("option", ["soft_fail", "never_fail"])
def test_a_skip_names_the_error_as_its_cause(portal: Emulator, option: str) -> None:
    sensor = Bitrix24PollSensor(task_id="wait", poll=GONE, deferrable=True, **{option: True})

    with pytest.raises(AirflowSkipException, match="ATTACH_NOT_FOUND") as skip:
        sensor.execute({})
    assert isinstance(skip.value.__cause__, Bitrix24PollNotFoundError)


def test_an_error_of_the_trigger_is_raised_in_its_own_type_with_code_and_advice() -> None:
    error = Bitrix24PollNotFoundError(
        method="vote.AttachedVote.get", code="ATTACH_NOT_FOUND", description="Attach not found", status=400
    )
    event = {"status": "error", "error": error.to_dict()}

    with pytest.raises(Bitrix24PollNotFoundError) as raised:
        Bitrix24PollSensor(task_id="wait", poll=1).execute_complete({}, event)
    assert str(raised.value) == str(error)
    assert (raised.value.code, raised.value.status) == ("ATTACH_NOT_FOUND", 400)
    assert raised.value.advice == Bitrix24PollNotFoundError.advice


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ({}, Bitrix24Error),
        ({"soft_fail": True}, AirflowSkipException),
        ({"never_fail": True}, AirflowSkipException),
    ],
)
def test_an_error_of_the_trigger_skips_the_task_when_it_fails_softly(
    option: dict[str, Any], expected: type[Exception]
) -> None:
    sensor = Bitrix24PollSensor(task_id="wait", poll=1, **option)
    event = {"status": "error", "error": Bitrix24PollNotFoundError(code="ATTACH_NOT_FOUND").to_dict()}

    with pytest.raises(expected):
        sensor.resume_execution("execute_complete", {"event": event}, {})


def test_a_trigger_timeout_of_airflow_is_a_sensor_timeout() -> None:
    sensor = Bitrix24PollSensor(task_id="wait", poll=1)

    with pytest.raises(AirflowSensorTimeout):
        sensor.resume_execution("__fail__", {"error": "Trigger timeout"}, {})


@every_mode
def test_one_sensor_waits_for_each_of_many_polls_by_mapping(
    portal: Emulator, run_dag: Callable[..., Any], mode: dict[str, Any]
) -> None:
    chats = [portal.add_chat(f"Team {number}") for number in range(3)]
    with DAG("mapped", schedule=None) as dag:
        send = Bitrix24SendPollOperator.partial(
            task_id="send", question="Deploy?", answers=["Yes", "No"]
        ).expand(chat_id=chats)
        Bitrix24PollSensor.partial(task_id="wait", poll_interval=0.02, timeout=20, **mode).expand(
            poll=send.output
        )
    stop_all_when_sent(portal, 3)

    run = run_dag(dag)

    assert run.state == "success"
    assert [xcom(run, "wait", i)["message_id"] for i in range(3)] == [
        xcom(run, "send", i)["message_id"] for i in range(3)
    ]


def stop_all_when_sent(portal: Emulator, number: int) -> None:
    def work() -> None:
        deadline = time.monotonic() + 30
        while len(portal.polls()) < number and time.monotonic() < deadline:
            time.sleep(0.005)
        for poll in portal.polls():
            portal.stop_poll(poll.entity_id)

    threading.Thread(target=work, daemon=True).start()


def test_poll_rule_and_connection_are_templated(
    portal: Emulator, message_id: int, run_dag: Callable[..., Any]
) -> None:
    vote(portal, message_id, people_of(portal, message_id)[0])
    with DAG("rendered", schedule=None, params={"poll": message_id, "people": 1}) as dag:
        Bitrix24PollSensor(
            task_id="wait",
            poll="{{ params.poll }}",
            rule={"quorum": "{{ params.people }}"},
            bitrix24_conn_id="bitrix24_{{ 'default' }}",
            timeout=5,
            deferrable=True,
        )

    assert xcom(run_dag(dag), "wait")["voters"] == 1


# Rules that count people, and stopping


@every_mode
@pytest.mark.parametrize("rule", ["everybody", {"first_to": 2}, {"majority": 3}])
def test_each_rule_decides_in_every_mode(
    crowd: Crowd, run_dag: Callable[..., Any], mode: dict[str, Any], rule: Any
) -> None:
    sent = Bitrix24Hook().polls.send(chat_id=crowd.chat, question="Q?", answers=["Yes", "No"])

    def vote_of_everybody() -> None:
        for person in range(4):
            crowd.vote(person, "Yes")

    crowd.when_asked(vote_of_everybody, after=0.3)
    run = run_dag(wait_dag(f"rules_{time.time_ns()}", sent, rule=rule, **mode))

    assert instance(run, "wait").state == "success"
    assert xcom(run, "wait")["voters"] >= 2


@every_mode
def test_named_people_decide_and_others_do_not(
    crowd: Crowd, run_dag: Callable[..., Any], mode: dict[str, Any]
) -> None:
    sent = Bitrix24Hook().polls.send(chat_id=crowd.chat, question="Q?", answers=["Yes", "No"])
    crowd.vote(0, "Yes")
    crowd.when_asked(lambda: crowd.vote(1, "No"), after=0.5)
    run = run_dag(wait_dag(f"named_{time.time_ns()}", sent, rule={"everybody": [crowd.ids[1]]}, **mode))

    # The poll may have been read just before the vote that the list of voters shows.
    assert xcom(run, "wait")["voters"] >= 1


@every_mode
def test_a_decided_poll_is_stopped_at_the_end(
    crowd: Crowd, run_dag: Callable[..., Any], mode: dict[str, Any]
) -> None:
    sent = Bitrix24Hook().polls.send(chat_id=crowd.chat, question="Q?", answers=["Yes", "No"])
    crowd.when_asked(lambda: crowd.vote(0, "Yes"), after=0.3)
    run = run_dag(wait_dag(f"stop_{time.time_ns()}", sent, rule="first_vote", stop_at_end=True, **mode))

    assert xcom(run, "wait")["is_finished"] is True
    assert crowd.portal.polls()[0].is_finished(crowd.portal.portal.clock() + 1)


@every_mode
def test_a_poll_is_stopped_at_the_timeout(
    crowd: Crowd, run_dag: Callable[..., Any], mode: dict[str, Any]
) -> None:
    sent = Bitrix24Hook().polls.send(chat_id=crowd.chat, question="Q?", answers=["Yes", "No"])
    run = run_dag(
        wait_dag(f"late_{time.time_ns()}", sent, rule="first_vote", stop_at_end=True, timeout=0.4, **mode)
    )

    assert instance(run, "wait").state == "failed"
    assert crowd.portal.polls()[0].is_finished(crowd.portal.portal.clock() + 1)


@every_mode
def test_a_poll_that_can_not_be_decided_any_more_is_stopped(
    crowd: Crowd, run_dag: Callable[..., Any], mode: dict[str, Any]
) -> None:
    sent = Bitrix24Hook().polls.send(chat_id=crowd.chat, question="Q?", answers=["Yes", "No"])

    def split() -> None:
        for person, answer in enumerate(["Yes", "No", "Yes", "No"]):
            crowd.vote(person, answer)

    crowd.when_asked(split, after=0.3)
    options = {"rule": {"majority": 4}, "stop_at_end": True}
    run = run_dag(wait_dag(f"split_{time.time_ns()}", sent, **options, **mode))

    assert instance(run, "wait").state == "failed"
    assert crowd.portal.polls()[0].is_finished(crowd.portal.portal.clock() + 1)


@pytest.mark.asyncio
async def test_a_trigger_that_is_ended_by_a_person_stops_its_poll(crowd: Crowd) -> None:
    import asyncio

    sent = await asyncio.to_thread(
        lambda: Bitrix24Hook().polls.send(chat_id=crowd.chat, question="Q?", answers=["Yes", "No"])
    )
    trigger = Bitrix24PollTrigger(bitrix24_conn_id="bitrix24_default", poll=sent, stop_at_end=True)
    await trigger.on_kill()

    assert crowd.portal.polls()[0].is_finished(crowd.portal.portal.clock() + 1)


def test_everybody_needs_the_chat(crowd: Crowd) -> None:
    with pytest.raises(Bitrix24ValidationError, match="needs the poll's chat"):
        Bitrix24PollSensor(task_id="wait", poll=5, rule="everybody").poke({})
