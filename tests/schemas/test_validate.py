"""A payload that breaks its schema is refused with the place and the rule."""

from __future__ import annotations

import copy
import json
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.schemas.validate import check

SCHEMAS = [
    file.name.removesuffix(".json")
    for file in files("airflow_provider_b24.schemas").iterdir()
    if file.name.endswith(".json")
]

POLL: dict[str, Any] = {
    "QUESTIONS": [
        {
            "QUESTION": "Deploy?",
            "FIELD_TYPE": 0,
            "ANSWERS": [{"MESSAGE": "Yes", "REACTION": "like"}, {"MESSAGE": "No"}],
        }
    ],
    "ANONYMITY": 2,
    "OPTIONS": 1,
}
BALLOT: dict[str, Any] = {"140": [301, "302"]}
MESSAGES: list[Any] = [
    {
        "user": {
            "id": "u42",
            "name": "Ann",
            "last_name": "Lee",
            "picture": {"url": "https://example.com/a.png"},
            "url": "https://example.com/ann",
            "sex": "female",
            "gender": "female",
            "email": "ann@example.com",
            "phone": 79990000000,
            "skip_phone_validate": "Y",
        },
        "message": {
            "id": 1,
            "date": 1760000000,
            "text": "hello",
            "files": [{"url": "https://example.com/f.pdf", "name": "f.pdf"}],
            "disable_crm": "N",
            "user_id": 5,
        },
        "chat": {"id": "c1", "name": "Orders", "url": "http://example.com"},
    }
]
DELETIONS: list[Any] = [{"user": {"id": 1}, "message": {"id": "m"}, "chat": {"id": 2}}]

RECEIPTS: list[Any] = [
    {
        "im": {"chat_id": 1763, "message_id": 5012},
        "message": {"id": ["order-7", 8], "date": 1760000000},
        "chat": {"id": "c1"},
    }
]

VALID = {
    "poll": POLL,
    "ballot": BALLOT,
    "connector_messages": MESSAGES,
    "connector_deletions": DELETIONS,
    "connector_receipts": RECEIPTS,
}


class Gone:
    """Stands for a key that is taken out; its name is the same in every test process."""

    def __repr__(self) -> str:
        return "GONE"


GONE = Gone()

#: The schema, where to break the valid payload, with what, and what the error then says.
BROKEN: list[tuple[str, list[Any], Any, str, str]] = [
    ("connector_receipts", [], {}, "root", "must be a list of messages"),
    ("connector_receipts", [0, "im", "chat_id"], 0, "root[0].im.chat_id", "must be a positive number"),
    ("connector_receipts", [0, "message", "id"], [], "root[0].message.id", "needs an id"),
    ("connector_receipts", [0, "chat"], GONE, "root[0]", "needs 'chat'"),
    ("poll", [], [], "root", "must be an object with QUESTIONS"),
    ("poll", [], "text", "root", "must be an object"),
    ("poll", ["QUESTIONS"], GONE, "root", "needs 'QUESTIONS'"),
    ("poll", ["QUESTIONS"], {}, "root.QUESTIONS", "must be a list with one question"),
    ("poll", ["QUESTIONS"], [], "root.QUESTIONS", "needs one question"),
    ("poll", ["QUESTIONS"], [POLL["QUESTIONS"][0]] * 2, "root.QUESTIONS", "takes one question only"),
    ("poll", ["EXTRA"], 1, "root", "has no key 'EXTRA'; it knows ANONYMITY, OPTIONS, QUESTIONS"),
    ("poll", ["ANONYMITY"], 3, "root.ANONYMITY", "must be 1 (public) or 2 (anonymous)"),
    ("poll", ["ANONYMITY"], True, "root.ANONYMITY", "must be 1"),
    ("poll", ["ANONYMITY"], "2", "root.ANONYMITY", "must be 1"),
    ("poll", ["OPTIONS"], 4, "root.OPTIONS", "must be a sum of 1"),
    ("poll", ["QUESTIONS", 0], "Deploy?", "root.QUESTIONS[0]", "must be an object with QUESTION"),
    ("poll", ["QUESTIONS", 0, "QUESTION"], GONE, "root.QUESTIONS[0]", "needs 'QUESTION'"),
    ("poll", ["QUESTIONS", 0, "QUESTION"], " \n", "root.QUESTIONS[0].QUESTION", "must not be blank"),
    ("poll", ["QUESTIONS", 0, "QUESTION"], 5, "root.QUESTIONS[0].QUESTION", "must be text"),
    ("poll", ["QUESTIONS", 0, "FIELD_TYPE"], 2, "root.QUESTIONS[0].FIELD_TYPE", "must be 0 (one answer)"),
    ("poll", ["QUESTIONS", 0, "FIELD_TYPE"], False, "root.QUESTIONS[0].FIELD_TYPE", "must be 0"),
    ("poll", ["QUESTIONS", 0, "DEL"], "Y", "root.QUESTIONS[0]", "has no key 'DEL'"),
    ("poll", ["QUESTIONS", 0, "ANSWERS"], [{"MESSAGE": "a"}], "root.QUESTIONS[0].ANSWERS", "needs 2 answers"),
    ("poll", ["QUESTIONS", 0, "ANSWERS"], [{"MESSAGE": "a"}] * 11, "root.QUESTIONS[0].ANSWERS", "takes 10"),
    ("poll", ["QUESTIONS", 0, "ANSWERS", 1], "No", "root.QUESTIONS[0].ANSWERS[1]", "must be an object"),
    ("poll", ["QUESTIONS", 0, "ANSWERS", 1, "MESSAGE"], "", "root.QUESTIONS[0].ANSWERS[1].MESSAGE", "blank"),
    ("poll", ["QUESTIONS", 0, "ANSWERS", 0, "REACTION"], 1, "root.QUESTIONS[0].ANSWERS[0].REACTION", "text"),
    ("ballot", [], {}, "root", "needs an answer"),
    ("ballot", [], [1], "root", "must map question ids"),
    ("ballot", ["140"], 301, "root.140", "must be a list of answer ids"),
    ("ballot", ["140"], [], "root.140", "needs an answer"),
    ("ballot", ["140"], [301, 301], "root.140", "names an answer twice"),
    ("ballot", ["140", 0], 0, "root.140[0]", "answer ids are positive numbers"),
    ("ballot", ["140", 0], "x", "root.140[0]", "answer ids are positive numbers"),
    ("ballot", ["140", 0], "301\n", "root.140[0]", "answer ids are positive numbers"),
    ("ballot", ["140", 0], 1.5, "root.140[0]", "answer ids are positive numbers"),
    ("ballot", ["140", 0], True, "root.140[0]", "answer ids are positive numbers"),
    ("ballot", ["q1"], [1], "root", "question ids are positive numbers"),
    ("ballot", ["140\n"], [1], "root", "question ids are positive numbers"),
    ("connector_messages", [], {}, "root", "must be a list of messages"),
    ("connector_messages", [], [], "root", "needs a message"),
    ("connector_messages", [0], "x", "root[0]", "must be an object with user, message and chat"),
    ("connector_messages", [0, "user"], GONE, "root[0]", "needs 'user'"),
    ("connector_messages", [0, "chat", "id"], GONE, "root[0].chat", "needs 'id'"),
    ("connector_messages", [0, "chat", "id"], " ", "root[0].chat.id", "must not be blank"),
    ("connector_messages", [0, "user", "id"], None, "root[0].user.id", "must be text or a number"),
    ("connector_messages", [0, "user", "sex"], "x", "root[0].user.sex", "must be male or female"),
    ("connector_messages", [0, "message", "disable_crm"], True, "root[0].message.disable_crm", "Y or N"),
    ("connector_messages", [0, "user", "picture"], "u", "root[0].user.picture", "an object with a url"),
    ("connector_messages", [0, "user", "url"], "http://x\n", "root[0].user.url", "must be a link"),
    ("connector_messages", [0, "user", "url"], "ftp://x", "root[0].user.url", "must be a link"),
    ("connector_messages", [0, "message"], {"id": 1}, "root[0].message", "needs text or files"),
    ("connector_messages", [0, "message"], {"id": 1, "text": " "}, "root[0].message", "needs text or files"),
    ("connector_messages", [0, "message"], {"id": 1, "files": []}, "root[0].message", "needs text or files"),
    ("connector_messages", [0, "message", "date"], "soon", "root[0].message.date", "must be Unix seconds"),
    ("connector_messages", [0, "message", "date"], "1760000000\n", "root[0].message.date", "must be Unix"),
    ("connector_messages", [0, "message", "files", 0, "url"], "f.pdf", "root[0].message.files[0].url", ""),
    ("connector_messages", [0, "message", "txt"], "x", "root[0].message", "has no key 'txt'; it knows"),
    ("connector_deletions", [], [], "root", "needs a message"),
    ("connector_deletions", [0, "message"], {}, "root[0].message", "needs 'id'"),
    ("connector_deletions", [0, "text"], "x", "root[0]", "has no key 'text'"),
]  # fmt: skip


def broken(payload: Any, place: list[Any], value: Any) -> Any:
    if not place:
        return value
    found = copy.deepcopy(payload)
    inner = found
    for step in place[:-1]:
        inner = inner[step]
    if value is GONE:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    return found


def name_of(value: Any) -> str | None:
    return None if isinstance(value, dict) else repr(value)[:40]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_valid_payload_passes(schema: str) -> None:
    check(VALID[schema], schema)


@pytest.mark.parametrize(("schema", "place", "value", "path", "rule"), BROKEN, ids=name_of)
def test_a_broken_payload_is_refused_with_the_place_and_the_rule(
    schema: str, place: list[Any], value: Any, path: str, rule: str
) -> None:
    with pytest.raises(Bitrix24ValidationError) as caught:
        check(broken(VALID[schema], place, value), schema, root="root")

    assert (caught.value.path, rule in caught.value.rule) == (path, True), caught.value.rule


def test_the_first_error_in_order_is_reported() -> None:
    messages = [MESSAGES[0], {**MESSAGES[0], "chat": {"id": ""}}, {}]
    with pytest.raises(Bitrix24ValidationError) as caught:
        check(messages, "connector_messages", root="messages")

    assert caught.value.path == "messages[1].chat.id"


def test_the_path_without_a_root_starts_with_the_key() -> None:
    with pytest.raises(Bitrix24ValidationError) as caught:
        check({**POLL, "OPTIONS": 9}, "poll")

    assert caught.value.path == "OPTIONS"


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_schema_is_valid_itself(schema: str) -> None:
    text = files("airflow_provider_b24.schemas").joinpath(f"{schema}.json").read_text(encoding="utf-8")
    Draft202012Validator.check_schema(json.loads(text))


def keywords(schema: Any) -> Any:
    """Yield each part of a schema that words its rules."""
    if isinstance(schema, dict):
        if "rules" in schema and schema.get("type") != "properties":
            yield schema
        for inner in schema.values():
            yield from keywords(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from keywords(inner)


@pytest.mark.parametrize("schema", SCHEMAS)
def test_rule_messages_exist_only_for_keywords_of_the_schema(schema: str) -> None:
    text = files("airflow_provider_b24.schemas").joinpath(f"{schema}.json").read_text(encoding="utf-8")
    for part in keywords(json.loads(text)):
        assert set(part["rules"]) <= set(part), part
