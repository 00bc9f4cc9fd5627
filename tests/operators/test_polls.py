"""Operators on polls, each in a DAG that Airflow runs."""

from __future__ import annotations

import json
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG

from airflow_provider_b24.exceptions import Bitrix24AlreadyVotedError, Bitrix24ValidationError
from airflow_provider_b24.operators.polls import (
    Bitrix24CastVoteOperator,
    Bitrix24DownloadPollReportOperator,
    Bitrix24GetPollResultsOperator,
    Bitrix24RecallVoteOperator,
    Bitrix24ResumePollOperator,
    Bitrix24SendPollOperator,
    Bitrix24StopPollOperator,
)
from tests.support.dag_runs import clear_and_run, instance, set_rendered, xcom

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_b24.emulator import Emulator
    from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook

pytestmark = pytest.mark.usefixtures("impatient")

SEND = "vote.Integration.Im.send"
POLL = {"question": "Deploy?", "answers": ["Yes", "No"]}


@pytest.fixture
def chat_id(portal: Emulator) -> int:
    return portal.add_chat("Team")


@pytest.fixture
def sent(hook: Bitrix24Hook, chat_id: int) -> dict[str, int]:
    """A poll that is in the chat already."""
    return hook.polls.send(chat_id=chat_id, **POLL, allow_revote=True)


def fake_context(**fields: Any) -> Any:
    given = {"dag_id": "d", "task_id": "t", "run_id": "r", "map_index": -1, "max_tries": 0, "try_number": 1}
    return {"ti": SimpleNamespace(**given | fields)}


def polls_in(portal: Emulator, chat_id: int) -> list[int]:
    return [poll.entity_id for poll in portal.polls() if poll.chat_id == chat_id]


def send_dag(name: str, chat_id: Any, **options: Any) -> DAG:
    with DAG(name, schedule=None) as dag:
        Bitrix24SendPollOperator(
            task_id="send", chat_id=chat_id, retry_delay=timedelta(0), **{**POLL, **options}
        )
    return dag


def test_a_poll_is_sent_and_its_ids_are_in_xcom(
    portal: Emulator, chat_id: int, run_dag: Callable[..., Any]
) -> None:
    run = run_dag(send_dag("send", f"chat{chat_id}", multiple_choice=True, anonymous=True, allow_revote=True))

    (poll,) = portal.polls()
    assert run.state == "success"
    assert xcom(run, "send") == {"message_id": poll.entity_id, "vote_id": poll.vote_id, "chat_id": chat_id}
    assert poll.is_anonymous
    assert poll.allows_revote
    assert [question.field_type for question in poll.questions.values()] == [1]
    json.dumps(xcom(run, "send"))


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"answers": ["Yes"]}, "answers"),
        ({"answers": "Yes"}, "answers"),
        ({"answers": ["Yes", " "]}, "answers[1]"),
        ({"question": ""}, "question"),
        ({"chat_id": "team"}, "chat_id"),
        ({"chat_id": None}, "chat_id"),
        ({"template_id": "my-poll"}, "template_id"),
        ({"anonymous": "yes"}, "anonymous"),
    ],
)
def test_bad_input_fails_the_task_and_nothing_is_sent(
    portal: Emulator, chat_id: int, options: dict[str, Any], path: str
) -> None:
    task = Bitrix24SendPollOperator(task_id="send", chat_id=chat_id, **POLL)
    set_rendered(task, options)

    with pytest.raises(Bitrix24ValidationError) as refusal:
        task.execute(fake_context())
    assert refusal.value.path == path
    assert len(portal.requests) == 0


def test_airflows_retries_after_lost_replies_leave_one_poll(
    portal: Emulator, chat_id: int, run_dag: Callable[..., Any]
) -> None:
    # More losses than one try of the task survives: its client asks four times.
    portal.faults.add("drop_after", method="vote.Integration.Im.send", times=6)

    run = run_dag(send_dag("send_lost", chat_id, retries=2))

    (message_id,) = polls_in(portal, chat_id)
    assert run.state == "success"
    assert instance(run, "send").try_number == 2
    assert portal.requests.count("vote.Integration.Im.send") == 7
    assert xcom(run, "send")["message_id"] == message_id
    assert xcom(run, "send")["vote_id"] == portal.poll(message_id).vote_id


def test_a_cleared_task_sends_a_new_poll(portal: Emulator, chat_id: int, run_dag: Callable[..., Any]) -> None:
    dag = send_dag("send_cleared", chat_id, retries=2)
    run = run_dag(dag)
    first = xcom(run, "send")["message_id"]

    again = clear_and_run(dag, run, "send")
    third = clear_and_run(dag, run, "send")

    assert (again.state, third.state) == ("success", "success")
    assert len(polls_in(portal, chat_id)) == 3
    assert polls_in(portal, chat_id)[0] == first
    assert polls_in(portal, chat_id)[-1] == xcom(run, "send")["message_id"]


def test_a_cleared_task_that_lost_its_poll_finds_it(
    portal: Emulator, chat_id: int, run_dag: Callable[..., Any]
) -> None:
    portal.faults.add("drop_after", method=SEND, times=8)
    dag = send_dag("send_lost_cleared", chat_id, retries=1)
    run = run_dag(dag)
    (message_id,) = polls_in(portal, chat_id)
    assert instance(run, "send").state == "failed"

    found = clear_and_run(dag, run, "send")

    assert found.state == "success"
    assert polls_in(portal, chat_id) == [message_id]
    assert xcom(run, "send")["message_id"] == message_id
    assert xcom(run, "send")["vote_id"] == portal.poll(message_id).vote_id
    # The poll is returned now, so that the next clear is for another one.
    assert clear_and_run(dag, run, "send").state == "success"
    assert len(polls_in(portal, chat_id)) == 2


def test_a_mapped_task_that_lost_its_poll_finds_its_own(
    portal: Emulator, run_dag: Callable[..., Any]
) -> None:
    chats = [portal.add_chat(f"Team {number}") for number in range(2)]
    portal.faults.add("drop_after", method=SEND, times=8)
    with DAG("send_lost_mapped", schedule=None) as dag:
        Bitrix24SendPollOperator.partial(task_id="send", **POLL).expand(chat_id=chats)
    run = run_dag(dag)
    assert [instance(run, "send", index).state for index in range(2)] == ["failed", "failed"]

    for index, chat in enumerate(chats):
        assert clear_and_run(dag, run, "send", index).state == "success"
        assert polls_in(portal, chat) == [xcom(run, "send", index)["message_id"]]


def test_another_run_sends_another_poll(portal: Emulator, chat_id: int, run_dag: Callable[..., Any]) -> None:
    dag = send_dag("send_twice", chat_id)

    sent = {xcom(run_dag(dag), "send")["message_id"] for _ in range(2)}

    assert set(polls_in(portal, chat_id)) == sent
    assert len(sent) == 2


def test_two_tasks_of_a_run_send_two_polls(
    portal: Emulator, chat_id: int, run_dag: Callable[..., Any]
) -> None:
    with DAG("send_two", schedule=None) as dag:
        for name in ("one", "two"):
            Bitrix24SendPollOperator(task_id=name, chat_id=chat_id, **POLL)

    run_dag(dag)

    assert len(polls_in(portal, chat_id)) == 2


def test_a_mapped_send_posts_one_poll_to_each_chat(portal: Emulator, run_dag: Callable[..., Any]) -> None:
    chats = [portal.add_chat(f"Team {number}") for number in range(3)]
    with DAG("send_mapped", schedule=None) as dag:
        Bitrix24SendPollOperator.partial(task_id="send", **POLL).expand(chat_id=chats)

    run = run_dag(dag)

    assert run.state == "success"
    for index, chat in enumerate(chats):
        assert polls_in(portal, chat) == [xcom(run, "send", index)["message_id"]]


def test_retries_of_a_mapped_send_leave_one_poll_for_each_index(
    portal: Emulator, run_dag: Callable[..., Any]
) -> None:
    portal.faults.add("drop_after", method="vote.Integration.Im.send", times=9)
    chat = portal.add_chat("Team")
    with DAG("send_mapped_lost", schedule=None) as dag:
        Bitrix24SendPollOperator.partial(
            task_id="send", chat_id=chat, answers=["Yes", "No"], retries=3, retry_delay=timedelta(0)
        ).expand(question=["Deploy?", "Rest?"])

    run = run_dag(dag)

    assert run.state == "success"
    assert sorted(polls_in(portal, chat)) == sorted(xcom(run, "send", i)["message_id"] for i in range(2))


def test_two_tasks_with_one_template_id_send_one_poll(
    portal: Emulator, chat_id: int, run_dag: Callable[..., Any]
) -> None:
    own = "0c3c5ad6-a1b8-4d4d-9234-f137ef862a77"
    with DAG("send_own", schedule=None) as dag:
        tasks = [
            Bitrix24SendPollOperator(task_id=name, chat_id=chat_id, template_id=own, **POLL)
            for name in ("one", "two")
        ]
        tasks[0] >> tasks[1]

    run = run_dag(dag)

    assert len(polls_in(portal, chat_id)) == 1
    assert xcom(run, "one") == xcom(run, "two")


def test_a_vote_is_cast_and_the_poll_returned(
    portal: Emulator, sent: dict[str, int], run_dag: Callable[..., Any]
) -> None:
    with DAG("cast", schedule=None) as dag:
        Bitrix24CastVoteOperator(task_id="vote", poll=sent, answers=["Yes"])

    run = run_dag(dag)

    assert [a["votes"] for a in xcom(run, "vote")["questions"][0]["answers"]] == [1, 0]
    assert xcom(run, "vote")["is_voted"]
    assert xcom(run, "vote")["message_id"] == sent["message_id"]


def test_a_vote_whose_reply_is_lost_is_found_by_the_retry(
    portal: Emulator, hook: Bitrix24Hook, chat_id: int, run_dag: Callable[..., Any]
) -> None:
    sent = hook.polls.send(chat_id=chat_id, **POLL)
    portal.faults.add("drop_after", method="vote.AttachedVote.vote", times=1)
    portal.faults.add("status_502", method="vote.AttachedVote.get", after=1, times=4)
    with DAG("cast_lost", schedule=None) as dag:
        Bitrix24CastVoteOperator(
            task_id="vote", poll=sent, answers="Yes", retries=1, retry_delay=timedelta(0)
        )

    run = run_dag(dag)

    assert run.state == "success"
    assert instance(run, "vote").try_number == 2
    assert xcom(run, "vote")["voters"] == 1


def test_a_second_vote_fails_with_its_own_type(portal: Emulator, hook: Bitrix24Hook, chat_id: int) -> None:
    sent = hook.polls.send(chat_id=chat_id, **POLL)
    vote = Bitrix24CastVoteOperator(task_id="vote", poll=sent, answers="Yes")
    vote.execute(fake_context())

    with pytest.raises(Bitrix24AlreadyVotedError):
        vote.execute(fake_context())


def test_a_vote_is_recalled(
    portal: Emulator, hook: Bitrix24Hook, sent: dict[str, int], run_dag: Callable[..., Any]
) -> None:
    hook.polls.vote(sent, answers="Yes")
    with DAG("recall", schedule=None) as dag:
        Bitrix24RecallVoteOperator(task_id="recall", poll=sent)

    run = run_dag(dag)

    assert xcom(run, "recall")["voters"] == 0
    assert not xcom(run, "recall")["is_voted"]


def test_a_poll_is_stopped_and_resumed(
    portal: Emulator, sent: dict[str, int], run_dag: Callable[..., Any]
) -> None:
    with DAG("switch", schedule=None) as dag:
        stop = Bitrix24StopPollOperator(task_id="stop", poll=sent)
        stop >> Bitrix24ResumePollOperator(task_id="resume", poll=sent)

    run = run_dag(dag)

    assert xcom(run, "stop")["is_finished"]
    assert not xcom(run, "resume")["is_finished"]


def test_results_are_read_with_and_without_voters(
    portal: Emulator, sent: dict[str, int], run_dag: Callable[..., Any]
) -> None:
    person = portal.add_user("Ann")
    portal.chat(sent["chat_id"]).members.append(person)
    portal.vote(sent["message_id"], user_id=person, answers=["No"])
    with DAG("results", schedule=None) as dag:
        Bitrix24GetPollResultsOperator(task_id="bare", poll=sent["message_id"])
        Bitrix24GetPollResultsOperator(task_id="full", poll=sent, with_voters=True)

    run = run_dag(dag)

    (bare,), (full,) = xcom(run, "bare")["questions"], xcom(run, "full")["questions"]
    assert [set(answer) for answer in bare["answers"]] == [{"id", "text", "votes", "percent"}] * 2
    assert [[voter["id"] for voter in answer["voted_by"]] for answer in full["answers"]] == [[], [person]]


def test_a_report_is_saved_to_its_path(
    portal: Emulator, sent: dict[str, int], run_dag: Callable[..., Any], tmp_path: Path
) -> None:
    target = tmp_path / "reports" / "today" / "poll.xls"
    with DAG("report", schedule=None) as dag:
        Bitrix24DownloadPollReportOperator(task_id="save", poll=sent, path=str(target))

    run = run_dag(dag)

    assert xcom(run, "save") == str(target)
    assert b"Deploy?" in target.read_bytes()
    assert [path.name for path in target.parent.iterdir()] == ["poll.xls"]


def test_the_send_operators_output_names_the_poll_for_every_other_operator(
    portal: Emulator, chat_id: int, run_dag: Callable[..., Any]
) -> None:
    with DAG("chain", schedule=None) as dag:
        send = Bitrix24SendPollOperator(task_id="send", chat_id=chat_id, **POLL)
        vote = Bitrix24CastVoteOperator(task_id="vote", poll=send.output, answers="Yes")
        stop = Bitrix24StopPollOperator(task_id="stop", poll=vote.output)
        Bitrix24GetPollResultsOperator(task_id="results", poll=stop.output)
        for name, poll in {
            "by_text": "{{ ti.xcom_pull('stop') }}",
            "by_number": "{{ ti.xcom_pull('send')['message_id'] }}",
            "by_mapping": {"message_id": "{{ ti.xcom_pull('send')['message_id'] }}"},
        }.items():
            stop >> Bitrix24GetPollResultsOperator(
                task_id=name, poll=poll, bitrix24_conn_id="{{ 'bitrix24_default' }}"
            )

    run = run_dag(dag)

    assert run.state == "success"
    for name in ("by_text", "by_number", "by_mapping"):
        assert xcom(run, name) == xcom(run, "results")
    assert xcom(run, "results")["is_finished"]
    assert xcom(run, "results")["voters"] == 1
