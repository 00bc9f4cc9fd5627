"""A wrong literal fails when the DAG is parsed; what is rendered later does not."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.operators.ask import (
    Bitrix24ApprovalOperator,
    Bitrix24AskBranchOperator,
    Bitrix24AskOperator,
)
from airflow_provider_b24.operators.chats import Bitrix24SendMessageOperator
from airflow_provider_b24.operators.open_lines import (
    Bitrix24DeleteConnectorMessagesOperator,
    Bitrix24GetSessionHistoryOperator,
    Bitrix24MarkDeliveredOperator,
    Bitrix24MarkReadOperator,
    Bitrix24SendConnectorMessagesOperator,
    Bitrix24SendCrmChatMessageOperator,
    Bitrix24SetUpConnectorOperator,
    Bitrix24UpdateConnectorMessagesOperator,
)
from airflow_provider_b24.operators.polls import (
    Bitrix24CastVoteOperator,
    Bitrix24DownloadPollReportOperator,
    Bitrix24GetPollResultsOperator,
    Bitrix24RecallVoteOperator,
    Bitrix24ResumePollOperator,
    Bitrix24SendPollOperator,
    Bitrix24StopPollOperator,
)
from airflow_provider_b24.operators.rest import Bitrix24BatchOperator, Bitrix24CallOperator
from airflow_provider_b24.sensors.open_lines import Bitrix24ConnectorStatusSensor
from airflow_provider_b24.sensors.polls import Bitrix24PollSensor

GOOD: dict[type[Any], dict[str, Any]] = {
    Bitrix24SendPollOperator: {"chat_id": 1489, "question": "Deploy?", "answers": ["Yes", "No"]},
    Bitrix24AskOperator: {"chat_id": 1489, "question": "Deploy?", "answers": ["Yes", "No"]},
    Bitrix24ApprovalOperator: {"chat_id": 1489, "question": "Deploy?"},
    Bitrix24AskBranchOperator: {"chat_id": 1489, "question": "Deploy?", "answers": ["Yes", "No"]},
    Bitrix24CastVoteOperator: {"poll": 5012, "answers": "Yes"},
    Bitrix24RecallVoteOperator: {"poll": 5012},
    Bitrix24StopPollOperator: {"poll": 5012},
    Bitrix24ResumePollOperator: {"poll": 5012},
    Bitrix24GetPollResultsOperator: {"poll": 5012},
    Bitrix24DownloadPollReportOperator: {"poll": 5012, "path": "/tmp/report.xls"},
    Bitrix24PollSensor: {"poll": 5012},
    Bitrix24SendMessageOperator: {"chat_id": 1489, "message": "Hi"},
    Bitrix24SendConnectorMessagesOperator: {"connector": "shop", "line": 12, "messages": []},
    Bitrix24UpdateConnectorMessagesOperator: {"connector": "shop", "line": 12, "messages": []},
    Bitrix24DeleteConnectorMessagesOperator: {"connector": "shop", "line": 12, "messages": []},
    Bitrix24SendCrmChatMessageOperator: {
        "entity_type": "deal",
        "entity_id": 288,
        "user_id": 1,
        "message": "Hi",
    },
    Bitrix24SetUpConnectorOperator: {"connector": "shop", "line": 12},
    Bitrix24MarkDeliveredOperator: {"connector": "shop", "line": 12, "messages": []},
    Bitrix24MarkReadOperator: {"connector": "shop", "line": 12, "messages": []},
    Bitrix24GetSessionHistoryOperator: {"session_id": 321},
    Bitrix24ConnectorStatusSensor: {"connector": "shop", "line": 12},
    Bitrix24CallOperator: {"method": "user.get"},
    Bitrix24BatchOperator: {"commands": {}},
}
BAD: list[tuple[type[Any], str, Any, str]] = [
    (Bitrix24SendPollOperator, "chat_id", "team", "chat_id"),
    (Bitrix24SendPollOperator, "chat_id", None, "chat_id"),
    (Bitrix24SendPollOperator, "question", " ", "question"),
    (Bitrix24SendPollOperator, "question", None, "question"),
    (Bitrix24SendPollOperator, "answers", ["Yes"], "answers"),
    (Bitrix24SendPollOperator, "answers", "Yes", "answers"),
    (Bitrix24SendPollOperator, "answers", "['Yes']", "answers"),
    (Bitrix24SendPollOperator, "answers", ["Yes", ""], "answers[1]"),
    (Bitrix24SendPollOperator, "answers", ["Yes", "Yes "], "answers[1]"),
    (Bitrix24SendPollOperator, "answers", ["1", 1], "answers[1]"),
    (Bitrix24SendPollOperator, "multiple_choice", "yes", "multiple_choice"),
    (Bitrix24SendPollOperator, "anonymous", 1, "anonymous"),
    (Bitrix24SendPollOperator, "allow_revote", None, "allow_revote"),
    (Bitrix24AskOperator, "answers", ["Yes"], "answers"),
    (Bitrix24AskOperator, "rule", "soon", "rule"),
    (Bitrix24AskOperator, "anonymous", "yes", "anonymous"),
    (Bitrix24ApprovalOperator, "fail_on_reject", "yes", "fail_on_reject"),
    (Bitrix24AskBranchOperator, "multiple_choice", 1, "multiple_choice"),
    *[
        (kind, "poll", poll, "poll")
        for kind, fields in GOOD.items()
        if "poll" in fields
        for poll in ("general", {"vote_id": 77}, None, 0)
    ],
    (Bitrix24GetPollResultsOperator, "with_voters", "yes", "with_voters"),
    (Bitrix24PollSensor, "rule", "soon", "rule"),
    (Bitrix24PollSensor, "rule", {"quorum": 0}, "rule.quorum"),
    (Bitrix24PollSensor, "rule", "{'quorum': 0}", "rule.quorum"),
    (Bitrix24PollSensor, "rule", None, "rule"),
    (Bitrix24PollSensor, "stop_at_end", "yes", "stop_at_end"),
    (Bitrix24PollSensor, "chat_id", "team", "chat_id"),
    (Bitrix24SendMessageOperator, "chat_id", "team", "chat_id"),
    (Bitrix24SendMessageOperator, "user_id", "ann", "user_id"),
    (Bitrix24SendConnectorMessagesOperator, "line", "first", "line"),
    (Bitrix24SendConnectorMessagesOperator, "if_undelivered", "ignore", "if_undelivered"),
    (Bitrix24UpdateConnectorMessagesOperator, "if_undelivered", None, "if_undelivered"),
    (Bitrix24DeleteConnectorMessagesOperator, "if_undelivered", "FAIL", "if_undelivered"),
    (Bitrix24SendCrmChatMessageOperator, "entity_id", "D_288", "entity_id"),
    (Bitrix24SendCrmChatMessageOperator, "user_id", 0, "user_id"),
    (Bitrix24SendCrmChatMessageOperator, "chat_id", "x", "chat_id"),
    (Bitrix24SetUpConnectorOperator, "connector", "a.b", "connector"),
    (Bitrix24SetUpConnectorOperator, "line", 0, "line"),
    (Bitrix24SetUpConnectorOperator, "state", "off", "state"),
    (Bitrix24SetUpConnectorOperator, "chat_group", "Y", "chat_group"),
    (Bitrix24SetUpConnectorOperator, "force", 1, "force"),
    (Bitrix24MarkDeliveredOperator, "line", "first", "line"),
    (Bitrix24MarkReadOperator, "line", 0, "line"),
    (Bitrix24GetSessionHistoryOperator, "chat_id", 5, "chat_id"),  # beside the session
    (Bitrix24GetSessionHistoryOperator, "session_id", "x", "session_id"),
    (Bitrix24ConnectorStatusSensor, "connector", "a.b", "connector"),
    (Bitrix24ConnectorStatusSensor, "line", "", "line"),
    (Bitrix24CallOperator, "all_pages", "all", "all_pages"),
    (Bitrix24CallOperator, "repeatable", 1, "repeatable"),
    (Bitrix24CallOperator, "repeatable", {}, "repeatable"),
    (Bitrix24BatchOperator, "if_errors", "ignore", "if_errors"),
]


@pytest.mark.parametrize(
    ("kind", "field", "value", "path"),
    BAD,
    ids=[f"{kind.__name__}-{field}-{value}" for kind, field, value, _ in BAD],
)
def test_a_wrong_literal_fails_when_the_dag_is_parsed(
    kind: type[Any], field: str, value: Any, path: str
) -> None:
    with pytest.raises(Bitrix24ValidationError) as refusal:
        kind(task_id="t", **{**GOOD[kind], field: value})

    assert refusal.value.path == path


@pytest.mark.parametrize("kind", GOOD, ids=lambda kind: kind.__name__)
def test_templates_and_outputs_wait_for_the_run(kind: type[Any]) -> None:
    with DAG("parsed", schedule=None):
        output = BaseOperator(task_id="source").output
        values = ["{{ params.x }}", output, output["key"], ["{{ params.x }}"], {"quorum": output}]
        for number, value in enumerate(values):
            # A push takes its messages from one place.
            fields = [
                field for field in kind.template_fields if "messages" not in GOOD[kind] or field != "path"
            ]
            task = kind(task_id=f"t{number}", **dict.fromkeys(fields, value))
            assert all(getattr(task, field) == value for field in fields)


@pytest.mark.parametrize("kind", GOOD, ids=lambda kind: kind.__name__)
def test_good_literals_pass_and_stay_as_they_are(kind: type[Any]) -> None:
    task = kind(task_id="t", **GOOD[kind])

    assert {field: getattr(task, field) for field in GOOD[kind]} == GOOD[kind]


@pytest.mark.parametrize("kind", GOOD, ids=lambda kind: kind.__name__)
def test_lists_and_mappings_are_shown_as_json_in_airflows_ui(kind: type[Any]) -> None:
    structured = {
        *("poll", "rule", "answers", "messages", "mapping"),
        *("parameters", "commands", "options", "data"),
    }

    fields = set(kind.template_fields)
    shown = {field for field, form in kind.template_fields_renderers.items() if form == "json"}

    assert shown & fields == structured & fields
