"""What ends an ask besides an answer: a person, a signal, a clear; and what does not."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG, BaseNotifier

from airflow_provider_b24.asks.ask import Ask
from airflow_provider_b24.exceptions import Bitrix24ConfigurationError
from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_b24.operators.ask import Bitrix24AskOperator
from airflow_provider_b24.triggers import ask as ask_trigger
from airflow_provider_b24.triggers.ask import Bitrix24AskTrigger
from tests.support.dag_runs import clear_and_run, instance, xcom

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.crowd import Crowd

pytestmark = pytest.mark.usefixtures("impatient")

VOTED = "vote.AttachedVote.getWithVoted"


def ask_dag(crowd: Crowd, **options: Any) -> DAG:
    given = {"chat_id": crowd.chat, "question": "Deploy?", "answers": ["Yes", "No"], "poll_interval": 0.05}
    with DAG(f"ends_{crowd.chat}_{time.time_ns()}", schedule=None) as dag:
        Bitrix24AskOperator(task_id="ask", **given | options)
    return dag


async def sent(crowd: Crowd, **options: Any) -> Ask:
    """Return an ask whose poll is in the chat."""
    poll = await asyncio.to_thread(
        lambda: Bitrix24Hook().polls.send(chat_id=crowd.chat, question="Q?", answers=["Yes", "No"])
    )
    given: dict[str, Any] = {"rule": "first_vote", "voters": None} | options
    return Ask(poll["message_id"], crowd.chat, "Q?", excluded=[], asked_at=time.time(), **given)


def waiting(ask: Ask) -> Bitrix24AskTrigger:
    return Bitrix24AskTrigger(bitrix24_conn_id="bitrix24_default", ask=ask.to_dict(), poll_interval=0.02)


async def counted(crowd: Crowd, run: asyncio.Future[Any]) -> None:
    """Wait until a vote is counted: before that, the poll is read once at most."""

    def reads() -> int:
        return crowd.portal.requests.count_commands("vote.AttachedVote.getMany")

    before = reads()
    while reads() < before + 3 and not run.done():
        await asyncio.sleep(0.01)


def open_polls(crowd: Crowd) -> int:
    return sum(not poll.is_finished(crowd.portal.portal.clock() + 1) for poll in crowd.portal.polls())


@pytest.mark.asyncio
async def test_a_stopped_triggerer_leaves_the_poll_open(crowd: Crowd) -> None:
    trigger = waiting(await sent(crowd))
    run = asyncio.ensure_future(anext(trigger.run()))
    await asyncio.sleep(0.3)
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    await trigger.cleanup()

    assert open_polls(crowd) == 1


@pytest.mark.asyncio
async def test_a_task_that_was_answered_in_airflow_closes_the_poll_itself(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ask_trigger, "_is_answered_in_airflow", lambda _: True)
    await waiting(await sent(crowd, required_action_id="some")).on_kill()

    assert open_polls(crowd) == 1


@pytest.mark.asyncio
async def test_who_voted_is_read_once_half_of_the_votes_are_in(crowd: Crowd) -> None:
    ask = await sent(crowd, rule={"quorum": 4}, voters=crowd.ids)
    run = asyncio.ensure_future(anext(waiting(ask).run()))
    counts = []
    for person, answer in enumerate(["Yes", "No", "Yes", "No"]):
        await asyncio.to_thread(crowd.vote, person, answer)
        await counted(crowd, run)
        counts.append(crowd.portal.requests.count(VOTED))
    event = await asyncio.wait_for(run, 20)

    assert event.payload["status"] == "decided"
    assert counts == [0, 1, 2, 3]


@pytest.mark.asyncio
async def test_an_ask_in_which_everybody_counts_reads_no_voters(crowd: Crowd) -> None:
    ask = await sent(crowd, rule={"quorum": 2})
    run = asyncio.ensure_future(anext(waiting(ask).run()))
    for person in range(2):
        await asyncio.sleep(0.2)
        await asyncio.to_thread(crowd.vote, person, "Yes")
    await asyncio.wait_for(run, 20)

    assert crowd.portal.requests.count(VOTED) == 0


@pytest.mark.asyncio
async def test_an_ask_that_names_nobody_is_counted_without_a_client(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    def count(*_: Any) -> None:
        raise AssertionError("thousands of asks wait; each vote would take a thread and a client")

    monkeypatch.setattr("airflow_provider_b24.asks.progress.AskProgress.count", count)
    monkeypatch.setattr("airflow_provider_b24.asks.progress.AskProgress.act", count)
    ask = await sent(crowd, rule={"quorum": 2})
    run = asyncio.ensure_future(anext(waiting(ask).run()))
    for person in range(2):
        await asyncio.to_thread(crowd.vote, person, "Yes")
        await asyncio.sleep(0.2)

    assert (await asyncio.wait_for(run, 60)).payload["status"] == "decided"


def test_a_worker_that_is_told_to_end_closes_the_poll(crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    task = ask_dag(crowd).get_task("ask")
    monkeypatch.setattr(task, "_ask", asyncio.run(sent(crowd)))
    task.on_kill()

    assert open_polls(crowd) == 0
    assert "This poll is closed" in crowd.texts()[-1]


def test_a_cleared_task_asks_again_with_a_new_poll(crowd: Crowd, run_dag: Callable[..., Any]) -> None:
    dag = ask_dag(crowd, response_timeout=0.3, defaults="No")
    run = run_dag(dag)
    clear_and_run(dag, run, "ask")

    assert len(crowd.portal.polls()) == 2
    assert open_polls(crowd) == 0


def test_an_anonymous_ask_names_nobody(crowd: Crowd, run_dag: Callable[..., Any]) -> None:
    crowd.when_asked(lambda: crowd.vote(0, "Yes"))
    run = run_dag(ask_dag(crowd, anonymous=True))
    audit = xcom(run, "ask")

    assert audit["chosen_options"] == ["Yes"]
    assert (audit["voters"], audit["who_counted"], audit["responded_by_user"]) == (None, None, None)


def test_a_changed_vote_counts_where_people_may_change_it(crowd: Crowd, run_dag: Callable[..., Any]) -> None:
    def vote() -> None:
        crowd.vote(0, "Yes")
        crowd.vote(1, "No")
        crowd.vote(0, "No")
        crowd.vote(2, "Yes")

    crowd.when_asked(vote)
    run = run_dag(ask_dag(crowd, rule={"quorum": 3}, allow_revote=True))

    assert xcom(run, "ask")["counted"] == {"Yes": 1, "No": 2}


def test_notifiers_are_called_once_the_question_is_asked(crowd: Crowd, run_dag: Callable[..., Any]) -> None:
    told = []

    class Told(BaseNotifier):
        def notify(self, context: Any) -> None:
            told.append(context["ti"].task_id)

    run_dag(ask_dag(crowd, response_timeout=0.3, defaults="No", notifiers=Told()))

    assert told == ["ask"]


def test_a_run_of_an_unknown_user_asks_nobody(crowd: Crowd, run_dag: Callable[..., Any]) -> None:
    run = run_dag(ask_dag(crowd, triggering_user_ids={"anna": 2}))

    assert instance(run, "ask").state == "failed"
    assert crowd.portal.polls() == []


def test_an_airflow_that_does_not_say_who_triggered_a_run_is_refused(crowd: Crowd) -> None:
    task = ask_dag(crowd, triggering_user_ids={"anna": 2}).get_task("ask")
    before_3_1: Any = {"ti": SimpleNamespace(try_number=1), "dag_run": SimpleNamespace(run_id="manual")}

    with pytest.raises(Bitrix24ConfigurationError, match=r"triggering_user_ids needs Airflow 3\.1"):
        task.execute(before_3_1)
    assert crowd.portal.polls() == []


def test_several_answers_may_be_chosen_by_one_person(crowd: Crowd, run_dag: Callable[..., Any]) -> None:
    crowd.when_asked(lambda: crowd.vote(0, "Yes", "No"))
    run = run_dag(ask_dag(crowd, multiple_choice=True))

    assert xcom(run, "ask")["chosen_options"] == ["Yes", "No"]


def test_the_vote_of_who_triggered_the_run_does_not_count(crowd: Crowd, run_dag: Callable[..., Any]) -> None:
    def vote() -> None:
        crowd.vote(0, "No")
        crowd.vote(1, "Yes")

    crowd.when_asked(vote)
    run = run_dag(ask_dag(crowd, triggering_user_ids={"dag_test": crowd.ids[0]}))
    audit = xcom(run, "ask")

    assert audit["chosen_options"] == ["Yes"]
    assert audit["who_counted"] == [crowd.ids[1]]


def test_an_ask_waits_in_the_triggerer(
    crowd: Crowd, run_dag: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    deferred, defer = [], Bitrix24AskOperator.defer

    def note(task: Any, **options: Any) -> None:
        deferred.append(type(options["trigger"]))
        defer(task, **options)

    monkeypatch.setattr(Bitrix24AskOperator, "defer", note)
    run_dag(ask_dag(crowd, response_timeout=0.3, defaults="No"))

    assert deferred == [Bitrix24AskTrigger]


def failing_count(crowd: Crowd, times: int) -> None:
    """Let the portal fail while the votes are counted after the stop of a poll that has one vote."""
    crowd.portal.faults.add("status_502", method="vote.AttachedVote.stop", times=times)
    crowd.when_asked(lambda: crowd.vote(0, "Yes"))


#: A client sends a call this many times before a try fails.
CALLS_A_TRY = 4


def test_an_error_of_the_portal_in_the_last_try_closes_the_poll(
    crowd: Crowd, run_dag: Callable[..., Any]
) -> None:
    failing_count(crowd, CALLS_A_TRY)
    run = run_dag(ask_dag(crowd))

    assert instance(run, "ask").state == "failed"
    assert open_polls(crowd) == 0
    assert "Its task has failed in Airflow" in crowd.texts()[-1]


def test_an_error_of_the_portal_leaves_the_poll_open_for_a_retry(
    crowd: Crowd, run_dag: Callable[..., Any]
) -> None:
    failing_count(crowd, CALLS_A_TRY)
    was_open: list[bool] = []
    dag = ask_dag(
        crowd,
        retries=1,
        retry_delay=timedelta(0),
        on_retry_callback=lambda _: was_open.append(open_polls(crowd) == 1),
    )
    run = run_dag(dag)

    assert was_open == [True]
    assert xcom(run, "ask")["chosen_options"] == ["Yes"]
    assert not any("has failed" in text for text in crowd.texts())


def test_the_last_of_several_tries_closes_the_poll(crowd: Crowd, run_dag: Callable[..., Any]) -> None:
    failing_count(crowd, 2 * CALLS_A_TRY)
    run = run_dag(ask_dag(crowd, retries=1, retry_delay=timedelta(0)))

    assert (instance(run, "ask").state, instance(run, "ask").try_number) == ("failed", 2)
    assert (len(crowd.portal.polls()), open_polls(crowd)) == (1, 0)


def test_a_retry_policy_that_fails_the_task_closes_the_poll(
    crowd: Crowd, run_dag: Callable[..., Any]
) -> None:
    from airflow.sdk import RetryDecision, RetryPolicy

    class Never(RetryPolicy):
        def evaluate(self, *_: Any, **__: Any) -> RetryDecision:
            return RetryDecision.fail("enough")

    failing_count(crowd, CALLS_A_TRY)
    run = run_dag(ask_dag(crowd, retries=3, retry_policy=Never()))

    assert instance(run, "ask").state == "failed"
    assert open_polls(crowd) == 0


def test_an_error_between_the_send_and_the_wait_closes_the_poll(
    crowd: Crowd, run_dag: Callable[..., Any]
) -> None:
    crowd.portal.faults.add("status_502", method="vote.AttachedVote.get", times=CALLS_A_TRY)
    run = run_dag(ask_dag(crowd))

    assert instance(run, "ask").state == "failed"
    assert (len(crowd.portal.polls()), open_polls(crowd)) == (1, 0)


def test_a_last_try_that_fails_before_it_asks_closes_the_poll_of_the_try_before(
    crowd: Crowd, run_dag: Callable[..., Any]
) -> None:
    class Broken(BaseNotifier):
        def notify(self, context: Any) -> None:
            raise RuntimeError("no notification")

    rule = "{{ 'first_vote' if ti.try_number == 1 else 'sometimes' }}"
    run = run_dag(ask_dag(crowd, rule=rule, retries=1, retry_delay=timedelta(0), notifiers=Broken()))

    assert instance(run, "ask").try_number == 2
    assert (len(crowd.portal.polls()), open_polls(crowd)) == (1, 0)


def test_a_trigger_that_fails_closes_the_poll(crowd: Crowd) -> None:
    from airflow.sdk.exceptions import TaskDeferralError

    task = ask_dag(crowd).get_task("ask")
    ask = asyncio.run(sent(crowd))
    ti = SimpleNamespace(try_number=1, max_tries=0, task_id="ask", xcom_pull=lambda **_: ask.to_dict())
    context: Any = {"ti": ti, "task": task}
    with pytest.raises(TaskDeferralError):
        task.resume_execution("__fail__", {"error": "Trigger failure"}, context)

    assert open_polls(crowd) == 0


def test_a_failed_task_that_does_not_announce_closes_its_poll_in_silence(
    crowd: Crowd, run_dag: Callable[..., Any]
) -> None:
    failing_count(crowd, CALLS_A_TRY)
    run_dag(ask_dag(crowd, announce=False))

    assert open_polls(crowd) == 0
    assert not any("is closed" in text for text in crowd.texts())


def test_a_poll_that_can_not_be_closed_does_not_hide_the_error_of_the_task(
    crowd: Crowd, run_dag: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    failing_count(crowd, 2 * CALLS_A_TRY)
    run = run_dag(ask_dag(crowd))

    assert instance(run, "ask").state == "failed"
    assert open_polls(crowd) == 1
    assert "The poll stays open" in caplog.text


def test_an_airflow_before_3_3_asks_nobody_in_two_channels(
    crowd: Crowd, run_dag: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_b24.operators import required_action

    monkeypatch.setattr(required_action, "_airflow_version", lambda: "3.2.2")
    run = run_dag(ask_dag(crowd, airflow_required_action=True))

    assert instance(run, "ask").state == "failed"
    assert crowd.portal.polls() == []
