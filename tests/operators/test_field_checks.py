"""One check of a field: every class that has it gives the same answer, at parse and when the task runs."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.notifications.bitrix24 import Bitrix24Notifier
from airflow_provider_b24.operators.ask import (
    Bitrix24ApprovalOperator,
    Bitrix24AskBranchOperator,
    Bitrix24AskOperator,
)
from airflow_provider_b24.operators.chats import Bitrix24SendMessageOperator
from airflow_provider_b24.operators.polls import Bitrix24SendPollOperator
from airflow_provider_b24.sensors.polls import Bitrix24PollSensor
from tests.operators.test_literals import GOOD as GOOD_TASKS

GOOD: dict[type[Any], dict[str, Any]] = {
    **GOOD_TASKS,
    Bitrix24Notifier: {"chat_id": 1489, "message": "Hi"},
}
POLLS = (Bitrix24SendPollOperator, Bitrix24AskOperator, Bitrix24AskBranchOperator)
ASKS = (*POLLS, Bitrix24ApprovalOperator)
CHATS = (*ASKS, Bitrix24PollSensor, Bitrix24SendMessageOperator, Bitrix24Notifier)
#: The classes that have the field, the field, its value, and the error; None: the value is good.
TABLE: list[tuple[tuple[type[Any], ...], str, Any, str | None]] = [
    (POLLS, "answers", ["Yes", "No"], None),
    (POLLS, "answers", ("Yes", 1), None),
    (POLLS, "answers", '["Yes", "No"]', None),
    (POLLS, "answers", "['Yes', 'No']", None),
    (POLLS, "answers", ["[1]", "+79001234567"], None),
    (POLLS, "answers", ["Yes", None], "answers[1]: must be text"),
    (POLLS, "answers", ["Yes", ["No"]], "answers[1]: must be text"),
    (POLLS, "answers", ["Yes", b"No"], "answers[1]: must be text"),
    (POLLS, "answers", ["Yes", " "], "answers[1]: must not be blank"),
    (POLLS, "answers", ["Yes", "Yes "], "answers[1]: repeats answers[0]"),
    (POLLS, "answers", ["1", 1], "answers[1]: repeats answers[0]"),
    (POLLS, "answers", ["Yes"], "answers: needs 2 answers or more"),
    (POLLS, "answers", [str(number) for number in range(11)], "answers: takes 10 answers at most"),
    (POLLS, "answers", "Yes", "answers: must be a list of answers"),
    (POLLS, "answers", None, "answers: must be a list of answers"),
    (POLLS, "answers", {"Yes", "No"}, "answers: must be a list of answers"),
    (POLLS, "answers", {"Yes": "No"}, "answers: must be a list of answers"),
    (POLLS, "answers", 5, "answers: must be a list of answers"),
    (ASKS, "question", "Release?", None),
    (ASKS, "question", 2026, None),
    (ASKS, "question", ["Release?"], "question: must be text"),
    (ASKS, "question", b"Release?", "question: must be text"),
    (ASKS, "question", {"text": "Release?"}, "question: must be text"),
    (ASKS, "question", None, "question: must be text"),
    (ASKS, "question", " \n", "question: must not be blank"),
    *[(ASKS, switch, True, None) for switch in ("anonymous", "allow_revote")],
    *[(ASKS, switch, "True", None) for switch in ("anonymous", "allow_revote")],
    *[(ASKS, "anonymous", value, "anonymous: must be True or False") for value in (1, None, "yes", [])],
    *[(ASKS, "allow_revote", value, "allow_revote: must be True or False") for value in (0, "", {})],
    (CHATS, "chat_id", "chat1489", None),
    (CHATS, "chat_id", " 1489 ", None),
    *[
        (CHATS, "chat_id", value, f"chat_id: must be a chat's number or 'chatN', not {value!r}")
        for value in ("team", 0, -1, True, 1.5, "", [1489], b"1489")
    ],
    (ASKS, "chat_id", None, "chat_id: must be a chat's number or 'chatN', not None"),
    *[(tuple(GOOD), "bitrix24_conn_id", value, "bitrix24_conn_id: must be text") for value in (None, ["x"])],
    (tuple(GOOD), "bitrix24_conn_id", "", "bitrix24_conn_id: must not be blank"),
    ((Bitrix24SendMessageOperator, Bitrix24Notifier), "message", 5, None),
    ((Bitrix24SendMessageOperator, Bitrix24Notifier), "message", None, "message: must be text"),
    ((Bitrix24SendMessageOperator, Bitrix24Notifier), "message", ["Hi"], "message: must be text"),
    ((Bitrix24SendMessageOperator, Bitrix24Notifier), "message", " ", "message: must not be blank"),
    (
        (Bitrix24SendMessageOperator, Bitrix24Notifier),
        "chat_id",
        None,
        "chat_id: give either chat_id or user_id",
    ),
]


ROWS = [
    pytest.param(kind, field, value, error, id=f"{kind.__name__}-{field}-{number}")
    for number, (kinds, field, value, error) in enumerate(TABLE)
    for kind in kinds
]


def make(kind: type[Any], **fields: Any) -> Any:
    task = {} if kind is Bitrix24Notifier else {"task_id": "t"}
    return kind(**task, **{**GOOD[kind], **fields})


def refusal_of(action: Any) -> str | None:
    try:
        action()
    except Bitrix24ValidationError as error:
        return f"{error.path}: {error.rule}"
    return None


@pytest.mark.parametrize(("kind", "field", "value", "error"), ROWS)
def test_a_literal_gives_the_same_answer_in_every_class(
    kind: type[Any], field: str, value: Any, error: str | None
) -> None:
    assert refusal_of(lambda: make(kind, **{field: value})) == error


@pytest.mark.parametrize(("kind", "field", "value", "error"), ROWS)
def test_what_a_template_gives_is_answered_as_the_literal_is(
    kind: type[Any], field: str, value: Any, error: str | None
) -> None:
    task = make(kind, **{field: "{{ params.x }}"})

    setattr(task, field, value)

    assert refusal_of(task.check_fields) == error


@pytest.mark.parametrize("kind", GOOD, ids=lambda kind: kind.__name__)
def test_every_templated_field_has_a_check(kind: type[Any]) -> None:
    assert set(kind.template_fields) <= set(kind.field_checks)
    assert kind.text_fields <= set(kind.template_fields)


@pytest.mark.parametrize("kind", GOOD, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(
    "value", [object(), b"x", [object()], {"a": object()}], ids=lambda value: type(value).__name__
)
def test_a_value_of_any_wrong_type_gives_a_typed_error_or_is_taken_as_data(
    kind: type[Any], value: Any
) -> None:
    data = {"parameters", "commands", "poll", "mapping", "data", "icon", "icon_disabled", "options"}
    data |= {"answers", "messages", "voters"}
    for field in sorted(set(kind.field_checks) - data):
        refusal = refusal_of(lambda field=field: make(kind, **{field: value}))  # type: ignore[misc]
        assert refusal is not None, field
        assert refusal.startswith(field), field


def test_a_derived_class_of_a_user_is_checked_at_the_end_of_its_own_constructor() -> None:
    class Release(Bitrix24SendPollOperator):
        def __init__(self, *, version: str, **kwargs: Any) -> None:
            super().__init__(question="later", **kwargs)
            self.question = f"Release {version}?" if version else None

    assert Release(task_id="t", chat_id=1, answers=["Yes", "No"], version="2").question == "Release 2?"
    assert refusal_of(lambda: Release(task_id="t", chat_id=1, answers=["Yes", "No"], version="")) == (
        "question: must be text"
    )


def test_a_constructor_that_fails_leaves_nothing_that_turns_later_checks_off() -> None:
    task = make(Bitrix24SendPollOperator)

    with pytest.raises(TypeError):
        task.__init__(chat_id=5)
    assert refusal_of(lambda: task.__init__(task_id="t", chat_id="x", question="?", answers=["a", "b"])) == (
        "chat_id: must be a chat's number or 'chatN', not 'x'"
    )


@pytest.mark.parametrize(
    ("approve", "reject", "error"),
    [
        ("Go", "Stop", None),
        ("Go", "Go ", "reject: repeats approve"),
        ("Go", None, "reject: must be text"),
        (" ", "Stop", "approve: must not be blank"),
    ],
)
def test_the_answers_of_an_approval_are_checked_by_their_own_names(
    approve: Any, reject: Any, error: str | None
) -> None:
    assert refusal_of(lambda: make(Bitrix24ApprovalOperator, approve=approve, reject=reject)) == error


def test_an_approval_takes_one_answer_also_when_default_args_say_otherwise() -> None:
    error = "multiple_choice: is not for approvals: they take one answer"

    assert refusal_of(lambda: make(Bitrix24ApprovalOperator, multiple_choice=True)) == error
    assert refusal_of(lambda: make(Bitrix24ApprovalOperator, default_args={"multiple_choice": True})) == error


def test_every_template_field_is_assigned_as_it_was_given() -> None:
    for kind, fields in GOOD_TASKS.items():
        task = make(kind)
        assert {name: getattr(task, name) for name in fields} == fields
