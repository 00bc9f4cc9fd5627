"""What the later tries of an ask owe to the earlier ones."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG, BaseNotifier
from airflow.sdk.exceptions import AirflowSkipException

from airflow_provider_b24.exceptions import Bitrix24ServerError
from airflow_provider_b24.operators.ask import Bitrix24AskOperator
from airflow_provider_b24.polls.api import PollsApi
from tests.support.dag_runs import clear_and_run, instance, xcom

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.crowd import Crowd

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("impatient")]

RETRIES: dict[str, Any] = {"retries": 2, "retry_delay": timedelta(0)}


def ask_dag(crowd: Crowd, **options: Any) -> DAG:
    given = {"chat_id": crowd.chat, "question": "Deploy?", "answers": ["Yes", "No"], "poll_interval": 0.05}
    with DAG(f"tries_{crowd.chat}_{time.time_ns()}", schedule=None) as dag:
        Bitrix24AskOperator(task_id="ask", **given | options)
    return dag


def open_polls(crowd: Crowd) -> list[int]:
    """Return the messages of the polls that are not closed."""
    now = crowd.portal.portal.clock() + 1
    return [poll.entity_id for poll in crowd.polls if not poll.is_finished(now)]


@pytest.fixture
def first_wait(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Any], None]], None]:
    """Do something in the first try in place of the wait."""
    wait, calls = Bitrix24AskOperator._wait, []

    def set_up(act: Callable[[Any], None]) -> None:
        def once(self: Any, *given: Any) -> None:
            calls.append(self)
            if len(calls) == 1:
                act(self)
            return wait(self, *given)

        monkeypatch.setattr(Bitrix24AskOperator, "_wait", once)

    return set_up


def broken(_: Any) -> None:
    raise Bitrix24ServerError("the portal is down")


@pytest.mark.parametrize("rule", ["first_vote", {"first_to": 1}])
@pytest.mark.parametrize("method", ["vote.AttachedVote.getWithVoted", "vote.AttachedVote.stop"])
def test_a_retry_of_the_end_keeps_who_was_first(
    crowd: Crowd, run_dag: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, method: str, rule: Any
) -> None:
    end, ends = Bitrix24AskOperator.execute_complete, []

    def end_with_late_votes(self: Any, context: Any, event: Any) -> Any:
        ends.append(event["status"])
        if len(ends) == 1:
            crowd.vote(1, "No")
            crowd.vote(2, "No")
            crowd.portal.faults.add("status_502", method=method, times=4)
        return end(self, context, event)

    monkeypatch.setattr(Bitrix24AskOperator, "execute_complete", end_with_late_votes)
    crowd.when_asked(lambda: crowd.vote(0, "Yes"))
    run = run_dag(ask_dag(crowd, rule=rule, **RETRIES))

    assert instance(run, "ask").try_number == 2
    assert xcom(run, "ask")["counted"] == {"Yes": 1, "No": 2}
    assert xcom(run, "ask")["chosen_options"] == ["Yes"]


def test_a_cleared_task_closes_the_poll_that_waited_for_a_retry(
    crowd: Crowd, run_dag: Callable[..., Any], first_wait: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_b24.operators import ask as module

    # Of the first try, which fails, a retry seems to follow; a person clears the task before it begins.
    monkeypatch.setattr(module, "will_retry", lambda *_: True)
    first_wait(broken)
    dag = ask_dag(crowd)
    run = run_dag(dag)
    (first,) = open_polls(crowd)

    voter = threading.Thread(target=lambda: vote_in_the_second_poll(crowd))
    voter.start()
    again = clear_and_run(dag, run, "ask")
    voter.join()

    assert again.state == "success"
    assert crowd.polls[0].entity_id == first
    assert (len(crowd.polls), open_polls(crowd)) == (2, [])


def vote_in_the_second_poll(crowd: Crowd) -> None:
    deadline = time.monotonic() + 60
    while len(crowd.polls) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    crowd.portal.vote(crowd.polls[1].entity_id, user_id=crowd.ids[0], answers=["No"])


def test_a_retry_that_is_skipped_closes_the_poll_of_the_try_before(
    crowd: Crowd, run_dag: Callable[..., Any], first_wait: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask, tries = Bitrix24AskOperator._ask_and_wait, []

    def ask_or_skip(self: Any, context: Any) -> Any:
        tries.append(context["ti"].try_number)
        if len(tries) > 1:
            raise AirflowSkipException("nothing to ask any more")
        return ask(self, context)

    monkeypatch.setattr(Bitrix24AskOperator, "_ask_and_wait", ask_or_skip)
    first_wait(broken)
    run = run_dag(ask_dag(crowd, **RETRIES))

    assert instance(run, "ask").state == "skipped"
    assert (len(crowd.polls), open_polls(crowd)) == (1, [])


def test_a_try_that_takes_too_long_leaves_its_poll_to_the_next_try(
    crowd: Crowd, run_dag: Callable[..., Any], first_wait: Any
) -> None:
    first_wait(lambda _: time.sleep(60))
    crowd.when_asked(lambda: crowd.vote(0, "Yes"), after=1)
    run = run_dag(ask_dag(crowd, execution_timeout=timedelta(seconds=6), **RETRIES))

    assert instance(run, "ask").try_number >= 2
    assert xcom(run, "ask")["chosen_options"] == ["Yes"]
    assert (len(crowd.polls), open_polls(crowd)) == (1, [])


def test_a_task_that_is_cleared_while_its_worker_runs_asks_again(
    crowd: Crowd, run_dag: Callable[..., Any], first_wait: Any
) -> None:
    def cleared(operator: Any) -> None:
        # Airflow gives the task another id, sends the process SIGTERM, and runs the task again with the same
        # max_tries. So the process can't write to the store any more.
        operator.on_kill()
        raise Bitrix24ServerError("the process ends")

    first_wait(cleared)
    voter = threading.Thread(target=lambda: vote_in_the_second_poll(crowd))
    voter.start()
    run = run_dag(ask_dag(crowd, **RETRIES))
    voter.join()

    assert instance(run, "ask").state == "success"
    assert xcom(run, "ask")["chosen_options"] == ["No"]
    assert (len(crowd.polls), open_polls(crowd)) == (2, [])


class Told(BaseNotifier):
    """Notes in which tries it was told of a question."""

    def __init__(self, tries: list[int]) -> None:
        super().__init__()
        self.tries = tries

    def notify(self, context: Any) -> None:
        self.tries.append(context["ti"].try_number)


def test_a_signal_after_the_decision_does_not_ask_again(
    crowd: Crowd, run_dag: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    finish, ends = Bitrix24AskOperator._finish, []

    def end_by_signal(self: Any, *given: Any) -> Any:
        ends.append(given)
        if len(ends) == 1:
            # The poll is stopped by then.
            self.on_kill()
            raise Bitrix24ServerError("the process ends")
        return finish(self, *given)

    monkeypatch.setattr(Bitrix24AskOperator, "_finish", end_by_signal)
    crowd.when_asked(lambda: crowd.vote(0, "Yes"))
    run = run_dag(ask_dag(crowd, **RETRIES))

    assert instance(run, "ask").try_number == 2
    assert xcom(run, "ask")["chosen_options"] == ["Yes"]
    assert (len(crowd.polls), open_polls(crowd)) == (1, [])


def test_a_poll_that_was_stopped_by_mistake_and_resumed_is_waited_for_by_the_retry(
    crowd: Crowd, run_dag: Callable[..., Any]
) -> None:
    def stop_and_resume() -> None:
        crowd.portal.stop_poll(crowd.message_id)
        crowd.wait_until(lambda: crowd.portal.requests.count("im.message.add") > 0)
        crowd.portal.resume_poll(crowd.message_id)
        crowd.vote(0, "Yes")

    crowd.when_asked(stop_and_resume, after=0.3)
    run = run_dag(ask_dag(crowd, retries=2, retry_delay=timedelta(seconds=2)))

    assert instance(run, "ask").state == "success"
    assert xcom(run, "ask")["chosen_options"] == ["Yes"]


def test_the_notifiers_tell_of_a_question_that_only_a_retry_could_ask(
    crowd: Crowd, run_dag: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    send, sends = PollsApi.send, []

    def fail_once(self: Any, **given: Any) -> Any:
        sends.append(given)
        return broken(None) if len(sends) == 1 else send(self, **given)

    monkeypatch.setattr(PollsApi, "send", fail_once)
    crowd.when_asked(lambda: crowd.vote(0, "Yes"))
    tries: list[int] = []
    run_dag(ask_dag(crowd, notifiers=Told(tries), **RETRIES))

    assert tries == [2]


def test_the_notifiers_tell_once_of_a_question_whose_wait_is_retried(
    crowd: Crowd, run_dag: Callable[..., Any], first_wait: Any
) -> None:
    first_wait(broken)
    crowd.when_asked(lambda: crowd.vote(0, "Yes"))
    tries: list[int] = []
    run = run_dag(ask_dag(crowd, notifiers=Told(tries), **RETRIES))

    assert instance(run, "ask").try_number == 2
    assert tries == [1]


def test_the_notifiers_tell_of_the_question_of_a_cleared_task(
    crowd: Crowd, run_dag: Callable[..., Any]
) -> None:
    crowd.when_asked(lambda: crowd.vote(0, "Yes"))
    tries: list[int] = []
    dag = ask_dag(crowd, notifiers=Told(tries))
    run = run_dag(dag)
    voter = threading.Thread(target=lambda: vote_in_the_second_poll(crowd))
    voter.start()
    clear_and_run(dag, run, "ask")
    voter.join()

    assert tries == [1, 2]
