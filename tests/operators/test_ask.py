"""A question to people: whole DAGs against the emulator, with people who vote while the task waits."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, TaskGroup

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.operators.ask import (
    Bitrix24ApprovalOperator,
    Bitrix24AskBranchOperator,
    Bitrix24AskOperator,
)
from tests.support.dag_runs import clear_and_run, instance, xcom

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator
    from tests.support.crowd import Crowd

pytestmark = pytest.mark.usefixtures("impatient")


def ask_dag(crowd: Crowd, kind: Any = Bitrix24AskOperator, **options: Any) -> DAG:
    """Return a DAG that asks, with three tasks after it."""
    given: dict[str, Any] = {"question": "Deploy?", "poll_interval": 0.05, "chat_id": crowd.chat}
    if kind is not Bitrix24ApprovalOperator:
        given["answers"] = ["Yes", "No"]
    with DAG(f"ask_{kind.__name__}_{crowd.chat}_{time.time_ns()}", schedule=None) as dag:
        ask = kind(task_id="ask", **given | options)
        ask >> [EmptyOperator(task_id="deploy"), EmptyOperator(task_id="tell"), EmptyOperator(task_id="wait")]
        dag.get_task("tell") >> EmptyOperator(task_id="after_tell", trigger_rule="all_done")
    return dag


def states(run: Any) -> dict[str, str]:
    return {ti.task_id: str(ti.state) for ti in run.get_task_instances()}


def is_closed(crowd: Crowd) -> bool:
    polls = crowd.portal.polls()
    return len(polls) == 1 and polls[0].is_finished(crowd.portal.portal.clock() + 1)


def test_the_first_vote_decides_and_the_poll_is_closed(crowd: Crowd, run_dag: Callable[..., Any]) -> None:
    crowd.when_asked(lambda: crowd.vote(0, "No"))
    run = run_dag(ask_dag(crowd))
    audit = xcom(run, "ask")

    assert states(run)["ask"] == "success"
    assert audit["chosen_options"] == ["No"]
    assert audit["decided_by"] == "votes"
    assert audit["timedout"] is False
    assert audit["responded_by_user"] == {"id": str(crowd.ids[0]), "name": "Ann"}
    assert audit["counted"] == {"Yes": 0, "No": 1}
    assert audit["voters"] == {"Yes": [], "No": [{"id": crowd.ids[0], "name": "Ann"}]}
    assert audit["rule"] == "first vote"
    assert audit["poll"]["is_finished"] is True
    assert is_closed(crowd)


def test_the_decision_is_posted_below_the_poll(crowd: Crowd, run_dag: Callable[..., Any]) -> None:
    crowd.when_asked(lambda: crowd.vote(1, "Yes"))
    run_dag(ask_dag(crowd))

    assert crowd.texts()[-1] == "[b]Decision: Yes[/b]\nVotes: Yes 1, No 0 by Bob. Rule: first vote."


def test_nothing_is_posted_when_the_task_does_not_announce(crowd: Crowd, run_dag: Callable[..., Any]) -> None:
    crowd.when_asked(lambda: crowd.vote(1, "Yes"))
    run_dag(ask_dag(crowd, announce=False))

    assert not any("Decision" in text for text in crowd.texts())


@pytest.mark.parametrize(
    ("rule", "votes", "chosen"),
    [
        ({"quorum": 3}, ["Yes", "No", "No"], "No"),
        ("{{ {'quorum': 2} }}", ["No", "No"], "No"),
        ({"first_to": 2}, ["Yes", "No", "Yes"], "Yes"),
        ({"majority": 4}, ["Yes", "Yes", "Yes"], "Yes"),
        ("everybody", ["Yes", "No", "Yes", "Yes"], "Yes"),
    ],
)
def test_each_rule_decides(
    crowd: Crowd, run_dag: Callable[..., Any], rule: Any, votes: list[str], chosen: str
) -> None:
    def vote() -> None:
        for person, answer in enumerate(votes):
            crowd.vote(person, answer)

    crowd.when_asked(vote)
    run = run_dag(ask_dag(crowd, rule=rule))

    assert xcom(run, "ask")["chosen_options"] == [chosen]
    assert is_closed(crowd)


def test_everybody_means_the_members_of_the_moment(crowd: Crowd, run_dag: Callable[..., Any]) -> None:
    def some_vote_and_one_leaves() -> None:
        crowd.portal.remove_member(crowd.chat, crowd.ids[3])
        for person, answer in enumerate(["Yes", "No", "Yes"]):
            crowd.vote(person, answer)

    crowd.when_asked(some_vote_and_one_leaves)
    run = run_dag(ask_dag(crowd, rule="everybody"))

    assert xcom(run, "ask")["counted"] == {"Yes": 2, "No": 1}


def test_votes_of_others_are_recorded_and_ignored(crowd: Crowd, run_dag: Callable[..., Any]) -> None:
    def vote() -> None:
        crowd.vote(0, "No")
        crowd.vote(1, "No")
        crowd.vote(2, "Yes")

    crowd.when_asked(vote)
    run = run_dag(ask_dag(crowd, rule="first_vote", voters=[crowd.ids[2], crowd.ids[3]]))
    audit = xcom(run, "ask")

    assert audit["chosen_options"] == ["Yes"]
    assert audit["counted"] == {"Yes": 1, "No": 0}
    assert [person["name"] for person in audit["voters"]["No"]] == ["Ann", "Bob"]
    assert audit["who_counted"] == [crowd.ids[2]]


def test_the_asking_account_never_counts(crowd: Crowd, run_dag: Callable[..., Any]) -> None:
    def vote() -> None:
        crowd.portal.vote(crowd.message_id, user_id=1, answers=["No"])
        time.sleep(0.3)
        crowd.vote(0, "Yes")

    crowd.when_asked(vote)
    run = run_dag(ask_dag(crowd))

    assert xcom(run, "ask")["chosen_options"] == ["Yes"]
    assert xcom(run, "ask")["counted"] == {"Yes": 1, "No": 0}


def test_a_tie_fails_without_a_retry_and_the_audit_is_kept(crowd: Crowd, run_dag: Callable[..., Any]) -> None:
    def vote() -> None:
        crowd.vote(0, "Yes")
        crowd.vote(1, "No")

    crowd.when_asked(vote)
    run = run_dag(ask_dag(crowd, rule={"quorum": 2}, retries=3, retry_delay=timedelta(0)))

    assert states(run)["ask"] == "failed"
    assert instance(run, "ask").try_number == 1
    assert "tied" in xcom(run, "ask")["reason"]
    assert is_closed(crowd)


def test_a_tie_is_broken_as_the_task_says(crowd: Crowd, run_dag: Callable[..., Any]) -> None:
    def vote() -> None:
        crowd.vote(0, "Yes")
        crowd.vote(1, "No")

    crowd.when_asked(vote)
    run = run_dag(ask_dag(crowd, rule={"quorum": 2}, tie="No"))

    assert xcom(run, "ask")["chosen_options"] == ["No"]


def test_the_deadline_takes_the_defaults(crowd: Crowd, run_dag: Callable[..., Any]) -> None:
    run = run_dag(ask_dag(crowd, response_timeout=0.4, defaults="No"))
    audit = xcom(run, "ask")

    assert (audit["chosen_options"], audit["timedout"], audit["decided_by"]) == (["No"], True, "default")
    assert is_closed(crowd)
    assert "default answer" in crowd.texts()[-1]


def test_a_default_is_the_answer_of_nobody_who_voted_otherwise(
    crowd: Crowd, run_dag: Callable[..., Any]
) -> None:
    crowd.when_asked(lambda: crowd.vote(0, "Yes"))
    run = run_dag(ask_dag(crowd, rule={"quorum": 2}, response_timeout=1.0, defaults="No"))
    audit = xcom(run, "ask")

    assert (audit["chosen_options"], audit["counted"]) == (["No"], {"Yes": 1, "No": 0})
    assert audit["responded_by_user"] is None


def test_the_deadline_may_be_a_moment(crowd: Crowd, run_dag: Callable[..., Any]) -> None:
    moment = datetime.now(UTC) + timedelta(seconds=0.5)
    run = run_dag(ask_dag(crowd, response_timeout=moment, defaults=["No"]))

    assert xcom(run, "ask")["timedout"] is True


@pytest.mark.parametrize(("options", "state"), [({}, "failed"), ({"skip_on_timeout": True}, "skipped")])
def test_the_deadline_without_defaults_fails_or_skips(
    crowd: Crowd, run_dag: Callable[..., Any], options: dict[str, Any], state: str
) -> None:
    run = run_dag(ask_dag(crowd, response_timeout=timedelta(seconds=0.4), **options))

    assert states(run)["ask"] == state
    assert xcom(run, "ask")["timedout"] is True
    assert is_closed(crowd)
    assert "No decision" in crowd.texts()[-1]


def test_a_vote_at_the_deadline_that_the_portal_took_counts(
    crowd: Crowd, run_dag: Callable[..., Any]
) -> None:
    crowd.when_asked(lambda: crowd.vote(0, "Yes"), after=0.35)
    run = run_dag(ask_dag(crowd, response_timeout=0.4, defaults="No", poll_interval=60))

    assert xcom(run, "ask")["chosen_options"] == ["Yes"]
    assert xcom(run, "ask")["timedout"] is False


def test_a_deleted_poll_is_a_fault_and_no_answer(crowd: Crowd, run_dag: Callable[..., Any]) -> None:
    def delete() -> None:
        message = crowd.portal.portal.chats.message(crowd.message_id)
        crowd.portal.portal.chats.delete(message)

    crowd.when_asked(delete, after=0.2)
    run = run_dag(ask_dag(crowd, response_timeout=20, defaults="No"))

    assert states(run)["ask"] == "failed"


def test_a_poll_that_is_stopped_by_hand_before_its_rule_is_undecided(
    crowd: Crowd, run_dag: Callable[..., Any]
) -> None:
    crowd.when_asked(lambda: crowd.portal.stop_poll(crowd.message_id), after=0.2)
    run = run_dag(ask_dag(crowd, rule={"quorum": 3}))

    assert states(run)["ask"] == "failed"
    assert "stopped" in xcom(run, "ask")["reason"]


def test_a_poll_that_is_to_be_stopped_by_hand_is_decided_by_the_stop(
    crowd: Crowd, run_dag: Callable[..., Any]
) -> None:
    def vote_and_stop() -> None:
        crowd.vote(0, "Yes")
        crowd.portal.stop_poll(crowd.message_id)

    crowd.when_asked(vote_and_stop)
    run = run_dag(ask_dag(crowd, rule="stopped"))

    assert xcom(run, "ask")["decided_by"] == "stopped"


def test_replies_to_the_poll_are_comments(crowd: Crowd, run_dag: Callable[..., Any]) -> None:
    def reply_and_vote() -> None:
        crowd.portal.say(crowd.chat, crowd.ids[1], "Not before the audit", reply_to=crowd.message_id)
        crowd.vote(0, "No")

    crowd.when_asked(reply_and_vote)
    run = run_dag(ask_dag(crowd))
    (comment,) = xcom(run, "ask")["comments"]

    assert (comment["user_id"], comment["text"]) == (crowd.ids[1], "Not before the audit")


def test_those_who_have_not_voted_are_reminded(crowd: Crowd, run_dag: Callable[..., Any]) -> None:
    reminders = []

    def one_votes_and_the_others_are_reminded() -> None:
        crowd.vote(0, "No")
        before = len(crowd.texts())
        crowd.wait_until(lambda: any("Please vote" in text for text in crowd.texts()[before:]))
        reminders.extend(text for text in crowd.texts()[before:] if "Please vote" in text)
        for person in (1, 2, 3):
            crowd.vote(person, "No")

    crowd.when_asked(one_votes_and_the_others_are_reminded)
    run_dag(ask_dag(crowd, rule={"quorum": 4}, remind_every=0.6))

    assert all(f"[USER={person}]" in reminders[-1] for person in crowd.ids[1:])
    assert f"[USER={crowd.ids[0]}]" not in reminders[-1]


def test_an_open_question_is_escalated_once(
    crowd: Crowd, portal: Emulator, run_dag: Callable[..., Any]
) -> None:
    board = portal.add_chat("Board", members=[1])

    def vote_later() -> None:
        crowd.wait_until(lambda: bool(portal.messages(board)))
        time.sleep(0.3)
        crowd.vote(0, "Yes")

    crowd.when_asked(vote_later)
    run_dag(ask_dag(crowd, escalate_after=0.3, escalate_to=[f"chat{board}"]))

    assert [message.text[:15] for message in portal.messages(board)] == ["Not decided yet"]


def test_an_approval_lets_the_dag_go_on(crowd: Crowd, run_dag: Callable[..., Any]) -> None:
    crowd.when_asked(lambda: crowd.vote(0, "Approve"))
    run = run_dag(ask_dag(crowd, Bitrix24ApprovalOperator))

    assert set(states(run).values()) == {"success"}


def test_a_rejection_skips_what_follows(crowd: Crowd, run_dag: Callable[..., Any]) -> None:
    crowd.when_asked(lambda: crowd.vote(0, "Reject"))
    run = run_dag(ask_dag(crowd, Bitrix24ApprovalOperator))
    found = states(run)

    assert found["ask"] == "success"
    assert [found[name] for name in ("deploy", "tell", "wait")] == ["skipped"] * 3
    assert found["after_tell"] == "success"
    assert xcom(run, "ask")["chosen_options"] == ["Reject"]


def test_a_rejection_may_skip_everything_downstream(crowd: Crowd, run_dag: Callable[..., Any]) -> None:
    crowd.when_asked(lambda: crowd.vote(0, "Reject"))
    run = run_dag(ask_dag(crowd, Bitrix24ApprovalOperator, ignore_downstream_trigger_rules=True))

    assert states(run)["after_tell"] == "skipped"


def test_a_rejection_may_fail_the_task(crowd: Crowd, run_dag: Callable[..., Any]) -> None:
    crowd.when_asked(lambda: crowd.vote(0, "Not now"))
    run = run_dag(ask_dag(crowd, Bitrix24ApprovalOperator, reject="Not now", fail_on_reject=True, retries=2))

    assert states(run)["ask"] == "failed"
    assert instance(run, "ask").try_number == 1
    assert xcom(run, "ask")["chosen_options"] == ["Not now"]


@pytest.mark.parametrize("reject", ["Reject ", "{% if true %} Reject{% endif %}"])
def test_a_rejection_is_one_however_its_text_is_written(
    crowd: Crowd, run_dag: Callable[..., Any], reject: str
) -> None:
    crowd.when_asked(lambda: crowd.vote(0, "Reject"))
    run = run_dag(ask_dag(crowd, Bitrix24ApprovalOperator, reject=reject))

    assert states(run)["deploy"] == "skipped"


def test_a_rejection_is_one_when_its_text_has_changed_since_it_was_asked(
    crowd: Crowd, run_dag: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_REJECT", "No")

    def vote_and_change() -> None:
        crowd.vote(0, "No")
        monkeypatch.setenv("AIRFLOW_VAR_REJECT", "Never")

    crowd.when_asked(vote_and_change)
    options = {"reject": "{{ var.value.reject }}", "fail_on_reject": True}
    run = run_dag(ask_dag(crowd, Bitrix24ApprovalOperator, **options))

    assert states(run)["deploy"] == "upstream_failed"


def test_a_default_that_approves_does_so_when_its_text_has_changed_since_it_was_asked(
    crowd: Crowd, run_dag: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_APPROVE", "Ship it")
    crowd.when_asked(lambda: monkeypatch.setenv("AIRFLOW_VAR_APPROVE", "Ship it now"))
    options = {"approve": "{{ var.value.approve }}", "defaults": "{{ var.value.approve }}"}
    run = run_dag(ask_dag(crowd, Bitrix24ApprovalOperator, response_timeout=1.5, **options))

    assert xcom(run, "ask")["chosen_options"] == ["Ship it now"]
    assert states(run)["deploy"] == "success"


def test_the_dag_follows_the_answer(crowd: Crowd, run_dag: Callable[..., Any]) -> None:
    crowd.when_asked(lambda: crowd.vote(0, "No"))
    mapping = {"Yes": "deploy", "No": ["tell", "wait"]}
    run = run_dag(ask_dag(crowd, Bitrix24AskBranchOperator, options_mapping=mapping))
    found = states(run)

    assert [found[name] for name in ("deploy", "tell", "wait")] == ["skipped", "success", "success"]
    assert xcom(run, "ask")["chosen_options"] == ["No"]


def test_an_answer_may_lead_to_a_group_whose_tasks_do_not_have_its_prefix(
    crowd: Crowd, run_dag: Callable[..., Any]
) -> None:
    crowd.when_asked(lambda: crowd.vote(0, "Yes"))
    mapping = {"Yes": "release", "No": "postpone"}
    with DAG(f"group_{time.time_ns()}", schedule=None) as dag:
        ask = Bitrix24AskBranchOperator(
            task_id="ask",
            chat_id=crowd.chat,
            question="Q?",
            answers=["Yes", "No"],
            options_mapping=mapping,
            poll_interval=0.05,
        )
        with TaskGroup("release", prefix_group_id=False) as group:
            EmptyOperator(task_id="deploy")
        ask >> [group, EmptyOperator(task_id="postpone")]

    assert states(run_dag(dag)) == {"ask": "success", "deploy": "success", "postpone": "skipped"}


def test_an_answer_that_leads_to_no_task_is_refused_before_anybody_is_asked(
    crowd: Crowd, portal: Emulator, run_dag: Callable[..., Any]
) -> None:
    run = run_dag(ask_dag(crowd, Bitrix24AskBranchOperator, options_mapping={"Yes": "deploy"}))

    assert states(run)["ask"] == "failed"
    assert portal.polls() == []


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"rule": "sometimes"}, "rule"),
        ({"rule": {"quorum": 0}}, "rule.quorum"),
        ({"answers": ["Yes"]}, "answers"),
        ({"answers": ["Yes", "Yes"]}, "answers[1]"),
        ({"answers": ["Yes", None]}, "answers[1]"),
        ({"question": None}, "question"),
        ({"question": ["Q?"]}, "question"),
        ({"chat_id": "team"}, "chat_id"),
        ({"escalate_after": 5}, "escalate_to"),
        ({"escalate_after": 5, "escalate_to": ["team"]}, "escalate_to[0]"),
        ({"triggering_user_ids": ["ann"]}, "triggering_user_ids"),
        ({"notifiers": ["team"]}, "notifiers[0]"),
        ({"poll_interval": 0}, "poll_interval"),
        ({"defaults": "Perhaps"}, "defaults[0]"),
        ({"defaults": ["Yes", "No"]}, "defaults"),
        ({"tie": "Perhaps"}, "tie"),
        ({"response_timeout": 0}, "response_timeout"),
        ({"response_timeout": datetime(2027, 1, 1)}, "response_timeout"),
        ({"remind_every": -1}, "remind_every"),
        ({"voters": [1, 2], "anonymous": True}, "voters"),
        ({"voters": ["x"]}, "voters[0]"),
        ({"voters": []}, "voters"),
        ({"rule": {"everybody": [1]}, "anonymous": True}, "rule"),
        ({"rule": {"quorum": 3}, "voters": [5, 6]}, "rule"),
    ],
)
def test_a_wrong_literal_fails_when_the_dag_is_parsed(options: dict[str, Any], path: str) -> None:
    given: dict[str, Any] = {"task_id": "ask", "chat_id": 1, "question": "Q?", "answers": ["Yes", "No"]}
    with pytest.raises(Bitrix24ValidationError) as caught:
        Bitrix24AskOperator(**given | options)

    assert caught.value.path == path


def test_a_template_is_checked_once_it_is_rendered(
    crowd: Crowd, portal: Emulator, run_dag: Callable[..., Any]
) -> None:
    run = run_dag(ask_dag(crowd, rule="{{ 'some' + 'times' }}"))

    assert states(run)["ask"] == "failed"
    assert portal.polls() == []


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"rule": {"quorum": 2}, "triggering_user_ids": {"dag_test": 8}}, "needs 2 people, and 1 count"),
        ({"rule": {"first_to": 3}, "voters": "{{ [7, 8] }}"}, "needs 3 people, and 2 count"),
        ({"rule": {"everybody": [9]}, "voters": "{{ [7, 8] }}"}, "needs 1 people, and 0 count"),
        (
            {"rule": {"everybody": [8]}, "voters": None, "triggering_user_ids": {"dag_test": 8}},
            "needs 1 people, and 0 count",
        ),
    ],
    ids=["who triggered the run", "first_to", "everybody", "nobody of everybody"],
)
def test_an_ask_that_nobody_can_decide_is_refused_before_anybody_is_asked(
    crowd: Crowd,
    run_dag: Callable[..., Any],
    options: dict[str, Any],
    rule: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = run_dag(ask_dag(crowd, **{"voters": [7, 8]} | options))

    assert states(run)["ask"] == "failed"
    assert rule in "".join(capsys.readouterr())
    assert crowd.portal.polls() == []


def test_a_majority_that_those_who_count_can_still_give_is_asked(
    crowd: Crowd, run_dag: Callable[..., Any]
) -> None:
    crowd.when_asked(lambda: [crowd.vote(person, "Yes") for person in (1, 2, 3)])
    options = {
        "rule": {"majority": 4},
        "voters": crowd.ids,
        "triggering_user_ids": {"dag_test": crowd.ids[0]},
    }
    run = run_dag(ask_dag(crowd, **options))

    assert xcom(run, "ask")["chosen_options"] == ["Yes"]


def test_more_votes_for_one_answer_than_people_count_fails_when_the_dag_is_parsed() -> None:
    with pytest.raises(Bitrix24ValidationError, match="needs 3 people, and 2 count"):
        Bitrix24AskOperator(
            task_id="ask", chat_id=1, question="Q?", answers=["A", "B"], rule={"first_to": 3}, voters=[7, 8]
        )


def test_options_mapping_must_name_answers() -> None:
    with pytest.raises(Bitrix24ValidationError, match="is not one of the answers"):
        Bitrix24AskBranchOperator(
            task_id="ask", chat_id=1, question="Q?", answers=["Yes", "No"], options_mapping={"Maybe": "x"}
        )


def test_a_retry_after_a_lost_reply_asks_once(crowd: Crowd, run_dag: Callable[..., Any]) -> None:
    crowd.portal.faults.add("drop_after", method="vote.Integration.Im.send", times=4)
    crowd.when_asked(lambda: crowd.vote(0, "Yes"), after=0.3)
    run = run_dag(ask_dag(crowd, retries=2, retry_delay=timedelta(0)))

    assert xcom(run, "ask")["chosen_options"] == ["Yes"]
    assert len(crowd.portal.polls()) == 1


def test_a_clear_after_a_lost_reply_asks_once(crowd: Crowd, run_dag: Callable[..., Any]) -> None:
    crowd.portal.faults.add("drop_after", method="vote.Integration.Im.send", times=4)
    dag = ask_dag(crowd)
    run = run_dag(dag)
    assert states(run)["ask"] == "failed"

    crowd.vote(0, "Yes")
    assert clear_and_run(dag, run, "ask").state == "success"

    assert xcom(run, "ask")["chosen_options"] == ["Yes"]
    assert is_closed(crowd)


def test_a_retry_after_a_failure_at_the_end_takes_the_same_answer_and_announces_once(
    crowd: Crowd, run_dag: Callable[..., Any]
) -> None:
    crowd.portal.faults.add("status_502", method="vote.AttachedVote.getWithVoted", times=4)
    crowd.when_asked(lambda: crowd.vote(0, "Yes"))
    run = run_dag(ask_dag(crowd, retries=2, retry_delay=timedelta(0)))

    assert xcom(run, "ask")["chosen_options"] == ["Yes"]
    assert len(crowd.portal.polls()) == 1
    assert sum("Decision" in text for text in crowd.texts()) == 1


def test_the_links_are_in_xcom_while_it_waits(crowd: Crowd, run_dag: Callable[..., Any]) -> None:
    crowd.when_asked(lambda: crowd.vote(0, "Yes"))
    run = run_dag(ask_dag(crowd))

    assert xcom(run, "ask", key="bitrix24_poll_url").startswith(crowd.portal.url + "/vote-result/")
    assert f"IM_DIALOG=chat{crowd.chat}" in xcom(run, "ask", key="bitrix24_chat_url")
    assert crowd.portal.webhook_code not in xcom(run, "ask", key="bitrix24_chat_url")


def hitl_of(run: Any) -> Any:
    """Return the Required Action of the ask."""
    from airflow.models.hitl import HITLDetail
    from airflow.utils.session import create_session

    with create_session() as session:
        found = session.get(HITLDetail, instance(run, "ask").id)
        return None if found is None else (found.subject, found.options)


def test_the_same_question_is_a_required_action(crowd: Crowd, run_dag: Callable[..., Any]) -> None:
    crowd.when_asked(lambda: crowd.vote(0, "Yes"))
    run = run_dag(ask_dag(crowd, airflow_required_action=True))

    assert xcom(run, "ask")["decided_by"] == "votes"
    # A triggerer closes it, too; a DAG that runs in one process has none.
    assert hitl_of(run) == ("Deploy?", ["Yes", "No"])


def test_an_answer_in_airflow_closes_the_poll_and_tells_the_chat(
    crowd: Crowd, run_dag: Callable[..., Any]
) -> None:
    dag = ask_dag(crowd, airflow_required_action=True)
    task = dag.get_task("ask")
    answer = {
        "chosen_options": ["No"],
        "params_input": {},
        "responded_by_user": {"id": "admin", "name": "admin"},
        "timedout": False,
    }
    resume = task.execute_complete
    # Airflow resumes the task with this event; the trigger's own event is not delivered then.
    object.__setattr__(task, "execute_complete", lambda context, event: resume(context, answer))
    crowd.when_asked(lambda: crowd.vote(0, "Yes"))
    run = run_dag(dag)
    audit = xcom(run, "ask")

    assert (audit["chosen_options"], audit["decided_by"]) == (["No"], "airflow")
    assert audit["responded_by_user"] == {"id": "admin", "name": "admin"}
    assert is_closed(crowd)
    assert "Answered in Airflow by admin; this poll is closed." in crowd.texts()[-1]


@pytest.mark.asyncio
async def test_a_task_that_a_person_ends_closes_its_poll_and_tells_the_chat(crowd: Crowd) -> None:
    import asyncio

    from airflow_provider_b24.asks.ask import Ask
    from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
    from airflow_provider_b24.triggers.ask import Bitrix24AskTrigger

    sent = await asyncio.to_thread(
        lambda: Bitrix24Hook().polls.send(chat_id=crowd.chat, question="Q?", answers=["Yes", "No"])
    )
    ask = Ask(sent["message_id"], crowd.chat, "Q?", "first_vote", None, [], time.time())
    trigger = Bitrix24AskTrigger(bitrix24_conn_id="bitrix24_default", ask=ask.to_dict())
    await trigger.on_kill()
    await trigger.on_kill()

    assert is_closed(crowd)
    assert sum("This poll is closed" in text for text in crowd.texts()) == 1


def test_a_poll_that_its_account_may_not_stop_still_gives_its_decision(
    crowd: Crowd, run_dag: Callable[..., Any]
) -> None:
    def hand_over_and_vote() -> None:
        crowd.portal.polls()[0].author_id = crowd.ids[0]
        crowd.vote(0, "Yes")

    crowd.when_asked(hand_over_and_vote)
    run = run_dag(ask_dag(crowd))

    assert xcom(run, "ask")["chosen_options"] == ["Yes"]
    assert not is_closed(crowd)
