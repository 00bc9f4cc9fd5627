"""The links that Airflow shows on tasks which send or await a poll."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization

from airflow_provider_b24.links.polls import (
    Bitrix24ChatLink,
    Bitrix24PollResultsLink,
    chat_url,
    push_links,
)
from airflow_provider_b24.operators.polls import Bitrix24SendPollOperator
from airflow_provider_b24.sensors.polls import Bitrix24PollSensor
from tests.support.dag_runs import instance, xcom

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator
    from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook

GET = "vote.AttachedVote.get"
MODES = {
    "poke": {"deferrable": False},
    "reschedule": {"deferrable": False, "mode": "reschedule"},
    "deferrable": {"deferrable": True},
}


def links(run: Any, task_id: str) -> dict[str, Any]:
    """What Airflow stored for its page to show."""
    shown = (Bitrix24PollResultsLink(), Bitrix24ChatLink())
    return {link.name: xcom(run, task_id, key=link.xcom_key) for link in shown}


def send_and_wait(dag_id: str, chat: int, **options: Any) -> DAG:
    with DAG(dag_id, schedule=None) as dag:
        send = Bitrix24SendPollOperator(
            task_id="send", chat_id=chat, question="Deploy?", answers=["Yes", "No"]
        )
        Bitrix24PollSensor(
            task_id="wait", poll=send.output, rule="first_vote", poll_interval=0.05, timeout=10, **options
        )
    return dag


@pytest.fixture
def chat(portal: Emulator, monkeypatch: pytest.MonkeyPatch) -> int:
    """A chat in which a person votes as soon as the sensor has read the poll."""
    can_edit, seen = portal.portal.polls.can_edit, []

    def vote_after_a_read(poll: Any, user: Any) -> bool:
        seen.append(poll)
        if len(seen) > 3 and not poll.events:
            portal.vote(poll.entity_id, user_id=2, answers=["Yes"])
        return can_edit(poll, user)

    monkeypatch.setattr(portal.portal.polls, "can_edit", vote_after_a_read)
    return portal.add_chat("Ops", members=[1, 2])


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_a_poll_s_results_and_message_are_linked_on_both_tasks(
    portal: Emulator, chat: int, run_dag: Callable[..., Any], mode: dict[str, Any]
) -> None:
    run = run_dag(send_and_wait("links", chat, **mode))

    [poll] = portal.polls()
    expected = {
        "Poll results": f"{portal.url}/vote-result/{poll.uid}",
        "Bitrix24 chat": f"{portal.url}/online/?IM_DIALOG=chat{chat}&IM_MESSAGE={poll.entity_id}",
    }
    assert run.state == "success"
    assert links(run, "send") == expected
    assert links(run, "wait") == expected
    assert portal.webhook_code not in str(expected)


def test_a_poll_that_cannot_be_read_is_sent_without_a_link_to_its_results(
    portal: Emulator, run_dag: Callable[..., Any]
) -> None:
    portal.faults.add("status_502", method=GET, times=None)
    chat = portal.add_chat("Ops")
    with DAG("unread", schedule=None) as dag:
        Bitrix24SendPollOperator(task_id="send", chat_id=chat, question="Deploy?", answers=["Yes", "No"])

    run = run_dag(dag)

    assert instance(run, "send").state == "success"
    assert links(run, "send")["Poll results"] == ""
    assert links(run, "send")["Bitrix24 chat"].startswith(portal.url)
    assert portal.requests.count(GET) == 1


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_poll_named_by_its_message_alone_has_no_link_to_the_chat(
    portal: Emulator, run_dag: Callable[..., Any], *, deferrable: bool
) -> None:
    post = portal.add_feed_post({"Lunch?": ["Soup", "Pie"]})
    with DAG("feed", schedule=None) as dag:
        Bitrix24PollSensor(task_id="wait", poll={"post_id": post}, rule="stopped", deferrable=deferrable)
    portal.portal.polls.stop(portal.polls()[0])

    run = run_dag(dag)

    assert run.state == "success"
    assert links(run, "wait")["Poll results"].startswith(f"{portal.url}/vote-result/")
    assert links(run, "wait")["Bitrix24 chat"] == ""


@pytest.mark.parametrize("chat_id", [None, "chat{chat}", "{chat}"])
def test_a_sensor_that_is_told_the_chat_links_to_it(
    portal: Emulator, hook: Bitrix24Hook, run_dag: Callable[..., Any], chat_id: str | None
) -> None:
    chat = portal.add_chat("Ops")
    sent = hook.polls.send(chat_id=chat, question="Deploy?", answers=["Yes", "No"])
    portal.stop_poll(sent["message_id"])
    told = chat_id and chat_id.format(chat=chat)
    with DAG("told", schedule=None) as dag:
        Bitrix24PollSensor(
            task_id="wait", poll=sent["message_id"] if told else str(sent), rule="stopped", chat_id=told
        )

    url = chat_url(portal.url, chat_id=chat, message_id=sent["message_id"])
    assert links(run_dag(dag), "wait")["Bitrix24 chat"] == url


def test_the_scheduler_keeps_the_names_of_the_links() -> None:
    stored = DagSerialization.to_dict(send_and_wait("kept", 1))["dag"]["tasks"]
    keys = {link.name: link.xcom_key for link in (Bitrix24PollResultsLink(), Bitrix24ChatLink())}
    assert [task["__var"]["_operator_extra_links"] for task in stored] == [keys, keys]


def test_links_are_pushed_only_where_there_is_a_task_and_an_address() -> None:
    pushed: list[tuple[str, str]] = []

    class TaskInstance:
        def xcom_push(self, key: str, value: str) -> None:
            pushed.append((key, value))

    push_links({}, poll_url="x", chat_url="y")
    push_links({"ti": TaskInstance()}, poll_url="x")  # type: ignore[typeddict-item]
    assert pushed == [("bitrix24_poll_url", "x")]


def test_the_chat_s_address_names_chat_and_message() -> None:
    url = chat_url("https://acme.bitrix24.com", chat_id=12, message_id=345)
    assert url == "https://acme.bitrix24.com/online/?IM_DIALOG=chat12&IM_MESSAGE=345"
