"""Each example, run as a whole against an emulated portal."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.emulator.voters import Voters
from airflow_provider_b24.events.payload import payloads_of
from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
from tests.support.dag_runs import instance, xcom
from tests.support.examples import NAMES, load, load_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_b24.emulator import Emulator
    from tests.support.crowd import Crowd

pytestmark = pytest.mark.slow


@pytest.fixture
def voters(portal: Emulator) -> Iterator[Voters]:
    """Five people who vote as fast as they can."""
    people = Voters(portal.portal, count=5, every=0.02, seed=7)
    people.start()
    yield people
    people.stop()


def states(run: Any) -> dict[str, str]:
    """Return how each task ended."""
    return {ti.task_id: str(ti.state) for ti in run.get_task_instances()}


@pytest.mark.parametrize("name", NAMES)
def test_each_example_has_a_schedule_retries_tags_and_docs(name: str) -> None:
    for dag in load_all(name):
        assert dag.schedule
        assert dag.schedule != "@once"
        assert dag.catchup is False
        assert "bitrix24" in dag.tags
        assert all(task.retries >= 2 for task in dag.tasks)
        assert dag.doc_md


def test_the_weekly_poll_is_sent_decided_closed_and_announced(
    portal: Emulator, run_dag: Callable[..., Any], voters: Voters
) -> None:
    chat = portal.add_chat("Team", members=[1, *voters.user_ids])
    run = run_dag(load("weekly_team_poll"), run_conf={"chat_id": chat, "quorum": 5})
    assert run.state == "success"
    poll = xcom(run, "decided")
    assert (poll["voters"], poll["is_finished"]) == (5, True)
    question, *_, announcement = [message.text for message in portal.messages(chat)]
    assert question.startswith("Where do we meet this week?")
    best = max(poll["questions"][0]["answers"], key=lambda answer: answer["votes"])
    assert f"{best['text']}: {best['votes']}" in announcement
    assert announcement.startswith("[b]")


@pytest.mark.parametrize(
    ("error_rate", "others", "expected"),
    [(0.0, "Release", "release"), (0.5, "Wait a day", "postpone")],
)
def test_the_service_account_votes_and_the_poll_ends_at_its_quorum(
    portal: Emulator,
    run_dag: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    *,
    error_rate: float,
    others: str,
    expected: str,
) -> None:
    chat = portal.add_chat("Release", members=[1, 2, 3])
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_SERVICE_ACCOUNT", json.dumps(portal.connection()))
    dag = load("service_account_vote")

    def two_more(context: Any) -> None:
        message_id = context["ti"].xcom_pull(task_ids="ask")["message_id"]
        for user_id in (2, 3):
            portal.vote(message_id, user_id=user_id, answers=[others])

    dag.get_task("vote").on_success_callback = [two_more]
    run = run_dag(dag, run_conf={"chat_id": chat, "quorum": 3, "error_rate": error_rate})
    ended = states(run)
    assert ended[expected] == "success"
    assert ended["postpone" if expected == "release" else "release"] == "skipped"
    assert xcom(run, "quorum")["voters"] == 3
    assert xcom(run, "quorum")["is_finished"] is True


@pytest.mark.usefixtures("application")
def test_the_application_is_kept_authorised_with_one_refresh_for_many_runs(
    portal: Emulator, run_dag: Callable[..., Any]
) -> None:
    runs = [run_dag(load("keep_application_authorised")) for _ in range(2)]
    done = [xcom(run, "keep_authorised") for run in runs]
    assert [row["refreshed"] for row in done] == [True, False]
    assert portal.requests.count("oauth.token") == 1


def outbox(tmp_path: Path, *customers: str) -> str:
    """Write what the shop leaves in a night."""
    rows = [
        {
            "id": f"m{n}",
            "customer_id": who,
            "customer": who.title(),
            "text": "Hello",
            "sent_at": 1760000000 + n,
        }
        for n, who in enumerate(customers)
    ]
    path = tmp_path / "messages.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def push_conf(portal: Emulator, tmp_path: Path, *customers: str) -> dict[str, Any]:
    """Return a run's configuration for a line with the shop's connector."""
    line = portal.lines.add("Shop")
    portal.lines.install_connector("shop", line)
    chat = portal.add_chat("Support", members=[1])
    path = outbox(tmp_path, *customers)
    reports = str(tmp_path / "reports")
    return {"outbox": path, "reports": reports, "connector": "shop", "line": line, "report_chat_id": chat}


def test_the_nightly_push_reports_what_was_not_accepted(
    portal: Emulator, application: str, run_dag: Callable[..., Any], tmp_path: Path
) -> None:
    conf = push_conf(portal, tmp_path, "anna", "blocked", "boris")
    portal.lines.reject("blocked", "The user is blocked")
    run = run_dag(load("nightly_connector_push"), run_conf=conf)
    assert run.state == "success"
    report = xcom(run, "push")
    assert (report["accepted"], report["rejected"], report["unknown"]) == (2, 1, 0)
    (message,) = portal.messages(conf["report_chat_id"])
    assert "1 of 3" in message.text
    assert "m1: rejected: The user is blocked" in message.text
    lines = Path(report["report_path"]).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["status"] for line in lines] == ["accepted", "rejected", "accepted"]
    assert len(portal.lines.messages(conf["line"])) == 2


def test_a_night_without_failures_reports_nothing(
    portal: Emulator, application: str, run_dag: Callable[..., Any], tmp_path: Path
) -> None:
    conf = push_conf(portal, tmp_path, "anna")
    run = run_dag(load("nightly_connector_push"), run_conf=conf)
    assert states(run)["report"] == "skipped"
    assert portal.messages(conf["report_chat_id"]) == []


def test_each_deal_is_reminded_in_its_own_chat(portal: Emulator, run_dag: Callable[..., Any]) -> None:
    chats = {deal: portal.lines.add_crm_chat("deal", deal) for deal in (288, 289)}
    run = run_dag(load("deal_chat_reminder"), run_conf={"deal_ids": [288, 289], "user_id": 1})
    assert run.state == "success"
    for deal, chat in chats.items():
        assert portal.messages(chat)[-1].text == f"Your invoice for order {deal} is due today."


def test_one_poll_goes_to_many_chats_and_the_answers_into_one_table(
    portal: Emulator, run_dag: Callable[..., Any], voters: Voters
) -> None:
    chats = [portal.add_chat(name, members=[1, *voters.user_ids]) for name in ("North", "South", "West")]
    run = run_dag(load("poll_many_chats"), run_conf={"chat_ids": chats, "quorum": 2})
    assert run.state == "success"
    header, *rows = xcom(run, "table")
    assert header == ["chat", "Good", "So so", "Bad"]
    assert sorted(row[0] for row in rows) == chats
    assert all(sum(row[1:]) >= 2 for row in rows)
    # Mapped tasks may run in any order.
    assert sorted(poll.chat_id for poll in portal.polls() if poll.chat_id) == chats
    assert all(poll.is_finished(portal.portal.clock() + 1) for poll in portal.polls())


@pytest.mark.parametrize(("votes", "released"), [(["Approve"] * 2, "success"), (["Reject"] * 2, "skipped")])
def test_two_approvals_release_and_two_rejections_do_not(
    crowd: Crowd, run_dag: Callable[..., Any], votes: list[str], released: str
) -> None:
    crowd.when_asked(lambda: [crowd.vote(person, answer) for person, answer in enumerate(votes)])
    run = run_dag(load("release_approval"), run_conf={"chat_id": crowd.chat})
    assert states(run) == {"approve": "success", "release": released}


def test_silence_until_the_deadline_is_a_rejection(crowd: Crowd, run_dag: Callable[..., Any]) -> None:
    dag = load("release_approval")
    dag.get_task("approve").response_timeout = 0.5
    run = run_dag(dag, run_conf={"chat_id": crowd.chat})
    assert states(run)["release"] == "skipped"
    assert xcom(run, "approve")["timedout"] is True


def test_the_supplier_with_the_votes_gets_the_order(crowd: Crowd, run_dag: Callable[..., Any]) -> None:
    answers = ["Green Pulp", "City Office", "City Office"]
    crowd.when_asked(lambda: [crowd.vote(person, answer) for person, answer in enumerate(answers)])
    run = run_dag(load("supplier_choice"), run_conf={"chat_id": crowd.chat})
    ended = states(run)
    assert (ended["order_city"], ended["order_north"], ended["order_green"]) == (
        "success",
        "skipped",
        "skipped",
    )
    assert xcom(run, "order_city") == "ordered from City Office"


def test_the_stand_up_reminds_who_is_silent_and_posts_a_summary(
    crowd: Crowd, run_dag: Callable[..., Any]
) -> None:
    def answer() -> None:
        for person, text in enumerate(["On track", "On track", "Blocked"]):
            crowd.vote(person, text)
        crowd.portal.say(crowd.chat, crowd.ids[2], "The database is down", reply_to=crowd.message_id)

    dag = load("daily_standup")
    dag.get_task("ask").remind_every = 0.8
    dag.get_task("ask").response_timeout = 1.4
    crowd.when_asked(answer)
    run = run_dag(dag, run_conf={"chat_id": crowd.chat, "people": 4})
    assert states(run) == {"ask": "skipped", "summary": "success", "post": "success"}
    (reminder,) = [text for text in crowd.texts() if "Please vote" in text]
    assert reminder.startswith(f"[USER={crowd.ids[3]}]Dan[/USER] Please vote")
    assert crowd.texts()[-1] == (
        "[b]Stand-up[/b]\nBlocked: 1\nI need help: 0\nOn track: 2\nCid: The database is down"
    )


def test_a_vote_in_the_chat_publishes_the_prices_and_airflow_asks_the_same(
    crowd: Crowd, run_dag: Callable[..., Any]
) -> None:
    from airflow.models.hitl import HITLDetail
    from airflow.utils.session import create_session

    crowd.when_asked(lambda: crowd.vote(0, "Publish"))
    run = run_dag(load("two_channel_approval"), run_conf={"chat_id": crowd.chat})
    assert states(run) == {"approve": "success", "publish": "success"}
    with create_session() as session:
        action = session.get(HITLDetail, instance(run, "approve").id)
        assert action is not None
        assert action.options == ["Publish", "Not today"]


def test_a_ticket_is_pushed_and_the_reply_is_stored_once_and_marked_delivered(
    portal: Emulator, application: str, run_dag: Callable[..., Any], tmp_path: Path
) -> None:
    pushing, replying = sorted(load_all("ticket_round_trip"), key=lambda dag: dag.dag_id)
    Bitrix24Hook(application).events.bind(event="ONIMCONNECTORMESSAGEADD")
    line = portal.lines.add("Tickets")
    portal.lines.install_connector("shop", line)
    folder = tmp_path / "tickets"
    folder.mkdir()
    ticket = {"number": 7, "customer_id": "c1", "customer": "Maria", "text": "Where is my order?"}
    (folder / "7.ticket.json").write_text(json.dumps(ticket))
    run = run_dag(pushing, run_conf={"folder": str(folder), "connector": "shop", "line": line})
    assert run.state == "success"
    assert [path.name for path in folder.iterdir()] == ["7.ticket.pushed"]

    conversation = portal.lines.conversation(line, chat="ticket-7")
    assert conversation is not None
    message = portal.lines.reply(conversation.chat.id, "It is on its way", user_id=2)
    (event,) = Bitrix24Hook(application).events.reserve().events
    (payload,) = payloads_of(event, portal="acme.bitrix24.com", redelivered=False)
    run = run_dag(replying, run_conf={"folder": str(folder), "replies": [payload, payload]})
    assert run.state == "success"
    (stored,) = folder.glob("*.reply.json")
    assert json.loads(stored.read_text()) == {"ticket": "ticket-7", "text": "It is on its way"}
    assert message.params["CONNECTOR_MID"] == [stored.name]
