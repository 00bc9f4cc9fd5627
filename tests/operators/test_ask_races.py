"""What happens to an ask at the same moment as something else; docs/asking.md lists the outcomes."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG

from airflow_provider_b24.asks.ask import Ask
from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_b24.operators.ask import Bitrix24AskOperator
from airflow_provider_b24.triggers.ask import Bitrix24AskTrigger
from tests.support.dag_runs import instance, xcom

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.crowd import Crowd

pytestmark = pytest.mark.slow


def ask_dag(crowd: Crowd, **options: Any) -> DAG:
    given = {"chat_id": crowd.chat, "question": "Deploy?", "answers": ["Yes", "No"], "poll_interval": 0.05}
    with DAG(f"races_{crowd.chat}_{time.time_ns()}", schedule=None) as dag:
        Bitrix24AskOperator(task_id="ask", **given | options)
    return dag


def before_stop(crowd: Crowd, act: Callable[[], Any]) -> None:
    """Do something when the task asks the portal to stop the poll, just before the portal does it."""
    polls, stop = crowd.portal.portal.polls, crowd.portal.portal.polls.stop

    def act_and_stop(poll: Any) -> None:
        act()
        stop(poll)

    polls.stop = act_and_stop  # type: ignore[method-assign]


def is_open(crowd: Crowd) -> bool:
    return not crowd.portal.polls()[0].is_finished(crowd.portal.portal.clock() + 1)


@pytest.mark.usefixtures("impatient")
def test_who_joins_the_chat_while_everybody_is_waited_for_must_vote_too(
    crowd: Crowd, run_dag: Callable[..., Any]
) -> None:
    was_open = []

    def one_joins_and_votes_last() -> None:
        # Not before the members were read for the first time.
        crowd.wait_until(lambda: crowd.portal.requests.count("im.chat.user.list") > 0)
        newcomer = crowd.portal.add_user("Eve")
        crowd.portal.add_member(crowd.chat, newcomer)
        for person, answer in enumerate(["Yes", "No", "Yes", "No"]):
            crowd.vote(person, answer)
        time.sleep(0.5)
        was_open.append(is_open(crowd))
        crowd.portal.vote(crowd.message_id, user_id=newcomer, answers=["No"])

    crowd.when_asked(one_joins_and_votes_last)
    run = run_dag(ask_dag(crowd, rule="everybody"))

    assert was_open == [True]
    assert xcom(run, "ask")["chosen_options"] == ["No"]
    assert xcom(run, "ask")["counted"] == {"Yes": 2, "No": 3}


@pytest.mark.usefixtures("impatient")
def test_who_leaves_the_chat_after_voting_does_not_count_among_everybody(
    crowd: Crowd, run_dag: Callable[..., Any]
) -> None:
    def one_votes_and_leaves() -> None:
        crowd.wait_until(lambda: crowd.portal.requests.count("im.chat.user.list") > 0)
        crowd.vote(0, "No")
        crowd.portal.remove_member(crowd.chat, crowd.ids[0])
        for person, answer in ((1, "Yes"), (2, "No"), (3, "Yes")):
            crowd.vote(person, answer)

    crowd.when_asked(one_votes_and_leaves)
    run = run_dag(ask_dag(crowd, rule="everybody"))
    audit = xcom(run, "ask")

    assert audit["chosen_options"] == ["Yes"]
    assert audit["who_counted"] == crowd.ids[1:]
    assert [person["name"] for person in audit["voters"]["No"]] == ["Ann", "Cid"]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("named", [False, True])
def test_the_vote_of_who_leaves_the_chat_counts_by_every_other_rule(
    crowd: Crowd, run_dag: Callable[..., Any], named: bool
) -> None:
    def one_votes_and_leaves() -> None:
        crowd.vote(0, "No")
        crowd.portal.remove_member(crowd.chat, crowd.ids[0])
        crowd.vote(1, "No")

    crowd.when_asked(one_votes_and_leaves)
    voters = crowd.ids[:3] if named else None
    run = run_dag(ask_dag(crowd, rule={"quorum": 2}, voters=voters))

    assert xcom(run, "ask")["counted"] == {"Yes": 0, "No": 2}


def test_a_vote_in_the_second_of_the_stop_counts(crowd: Crowd, run_dag: Callable[..., Any]) -> None:
    portal, late = crowd.portal.portal, []
    stop = portal.polls.stop

    def stop_and_vote_soon(poll: Any) -> None:
        # The portal's clock stands still, so that the second of the stop lasts as long as the test needs.
        moment = float(int(time.time()))
        portal.clock = lambda: moment
        stop(poll)
        late.append(threading.Timer(0.5, vote))
        late[0].start()

    def vote() -> None:
        crowd.vote(1, "Yes")
        portal.clock = time.time

    portal.polls.stop = stop_and_vote_soon  # type: ignore[method-assign]
    crowd.when_asked(lambda: crowd.vote(0, "No"))
    run = run_dag(ask_dag(crowd))
    late[0].join()
    audit = xcom(run, "ask")

    assert audit["counted"] == {"Yes": 1, "No": 1}
    # Of the first vote, nothing changes.
    assert audit["chosen_options"] == ["No"]
    assert crowd.portal.polls()[0].is_finished(time.time())


@pytest.mark.usefixtures("impatient")
def test_a_vote_between_the_deadline_and_the_stop_is_a_decision(
    crowd: Crowd, run_dag: Callable[..., Any]
) -> None:
    before_stop(crowd, lambda: crowd.vote(0, "Yes"))
    run = run_dag(ask_dag(crowd, response_timeout=0.3, defaults="No"))
    audit = xcom(run, "ask")

    assert (audit["chosen_options"], audit["decided_by"], audit["timedout"]) == (["Yes"], "votes", False)


@pytest.mark.usefixtures("impatient")
def test_a_vote_after_the_stop_is_refused_and_changes_nothing(
    crowd: Crowd, run_dag: Callable[..., Any]
) -> None:
    run = run_dag(ask_dag(crowd, response_timeout=0.3, defaults="No"))
    crowd.portal.portal.clock = lambda: time.time() + 2
    with pytest.raises(ValueError, match=r".+"):
        crowd.vote(0, "Yes")

    assert xcom(run, "ask")["chosen_options"] == ["No"]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("rule", "first", "chosen"),
    [
        ("first_vote", ["Yes"], ["Yes"]),
        ({"first_to": 2}, ["Yes", "Yes"], ["Yes"]),
        ({"quorum": 2}, ["Yes", "Yes"], ["No"]),
    ],
)
def test_a_vote_that_is_changed_between_the_decision_and_the_stop(
    crowd: Crowd, run_dag: Callable[..., Any], rule: Any, first: list[str], chosen: list[str]
) -> None:
    def vote() -> None:
        for person, answer in enumerate(first):
            crowd.vote(person, answer)

    def change() -> None:
        for person in range(len(first)):
            crowd.vote(person, "No")

    crowd.when_asked(vote)
    before_stop(crowd, change)
    run = run_dag(ask_dag(crowd, rule=rule, allow_revote=True))

    assert xcom(run, "ask")["chosen_options"] == chosen
    assert xcom(run, "ask")["counted"] == {"Yes": 0, "No": len(first)}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("at_the_stop", [False, True])
def test_a_poll_that_is_deleted_fails_its_task_without_an_answer(
    crowd: Crowd, run_dag: Callable[..., Any], at_the_stop: bool
) -> None:
    def delete() -> None:
        crowd.portal.portal.chats.delete(crowd.portal.portal.chats.message(crowd.message_id))

    if at_the_stop:
        before_stop(crowd, delete)
    else:
        crowd.when_asked(delete, after=0.2)
    run = run_dag(ask_dag(crowd, response_timeout=0.5 if at_the_stop else 20, defaults="No"))

    assert instance(run, "ask").state == "failed"
    assert xcom(run, "ask") is None


@pytest.mark.usefixtures("impatient")
def test_votes_that_come_while_airflow_answers_change_nothing(
    crowd: Crowd, run_dag: Callable[..., Any]
) -> None:
    dag = ask_dag(crowd, airflow_required_action=True)
    task = dag.get_task("ask")
    resume, answer = task.execute_complete, {"chosen_options": ["No"], "responded_by_user": None}
    # Airflow resumes the task with this event; the trigger's own event is not delivered then.
    object.__setattr__(task, "execute_complete", lambda context, event: resume(context, answer))
    crowd.when_asked(lambda: crowd.vote(0, "Yes"))
    before_stop(crowd, lambda: crowd.vote(1, "Yes"))
    audit = xcom(run_dag(dag), "ask")

    assert (audit["chosen_options"], audit["decided_by"]) == (["No"], "airflow")
    assert audit["counted"] == {"Yes": 2, "No": 0}


@pytest.mark.asyncio
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("answered_already", [False, True])
async def test_a_decision_in_the_chat_answers_the_required_action_unless_airflow_was_first(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch, answered_already: bool
) -> None:
    answers = []

    def update(*, ti_id: Any, chosen_options: list[str], params_input: dict[str, Any]) -> None:
        answers.append((str(ti_id), chosen_options, params_input))
        if answered_already:
            raise RuntimeError("409: the Required Action has a response already")

    monkeypatch.setattr("airflow.sdk.execution_time.hitl.update_hitl_detail_response", update)
    sent = await asyncio.to_thread(
        lambda: Bitrix24Hook().polls.send(chat_id=crowd.chat, question="Q?", answers=["Yes", "No"])
    )
    task_instance = "01900000-0000-7000-8000-000000000001"
    ask = Ask(
        sent["message_id"], crowd.chat, "Q?", "first_vote", None, [], time.time(),
        required_action_id=task_instance,
    )  # fmt: skip
    await asyncio.to_thread(crowd.vote, 0, "No")
    trigger = Bitrix24AskTrigger(bitrix24_conn_id="bitrix24_default", ask=ask.to_dict(), poll_interval=0.02)
    event = await asyncio.wait_for(anext(trigger.run()), 20)

    assert event.payload["status"] == "decided"
    assert answers == [(task_instance, ["No"], {})]
