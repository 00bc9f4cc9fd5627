"""The ways to name a poll, and what names none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.polls.reference import PollReference, ReferenceKind, is_entity, parse_reference

MESSAGE = "Bitrix\\Vote\\Attachment\\ImMessageConnector"
POST = "Bitrix\\Vote\\Attachment\\BlogPostConnector"

ids = st.integers(min_value=1, max_value=2**62)
names = st.one_of(
    ids,
    ids.map(str),
    st.builds(
        lambda kind, value: {kind: value}, st.sampled_from(["message_id", "post_id", "attach_id"]), ids
    ),
    st.text(alphabet="0123456789abcdef.", min_size=1).map(lambda text: {"signed_attach_id": text}),
)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        (5012, {"moduleId": "im", "entityType": MESSAGE, "entityId": 5012}),
        ({"message_id": "5012"}, {"moduleId": "im", "entityType": MESSAGE, "entityId": 5012}),
        ({"post_id": 640}, {"moduleId": "blog", "entityType": POST, "entityId": 640}),
        ({"attach_id": 91}, {"attachId": 91}),
        ({"signed_attach_id": " 91.abc "}, {"signedAttachId": "91.abc"}),
    ],
)
def test_a_reference_becomes_the_parameters_that_the_portal_takes(name: Any, params: dict[str, Any]) -> None:
    assert parse_reference(name).params() == params


def test_a_connector_s_name_has_single_backslashes_on_the_wire() -> None:
    text = json.dumps(parse_reference(1).params())
    assert json.loads(text)["entityType"].count("\\") == 3


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ({"message_id": None, "attach_id": 7}, {"attach_id": 7}),
        ({"message_id": 5012, "vote_id": 77, "chat_id": 1489}, {"message_id": 5012}),
        ({"message_id": 5012, "attach_id": 7}, {"message_id": 5012}),
        ("{'message_id': 5012, 'vote_id': 77, 'chat_id': 1489}", {"message_id": 5012}),
        ('{"message_id": 5012, "is_finished": false}', {"message_id": 5012}),
        ("\n{'message_id': None, 'attach_id': 7, 'is_finished': False}", {"attach_id": 7}),
    ],
)
def test_a_mapping_names_a_poll_by_its_best_key(name: Any, wanted: dict[str, int]) -> None:
    assert parse_reference(name).to_dict() == wanted


@settings(max_examples=60, deadline=None)
@given(names)
def test_parse_reference_restores_a_reference_from_every_form_that_airflow_passes_on(name: Any) -> None:
    reference = parse_reference(name)
    for form in (reference, reference.to_dict(), str(reference.to_dict()), json.dumps(reference.to_dict())):
        assert parse_reference(form) == reference


@settings(max_examples=100, deadline=None)
@given(st.one_of(st.text(), st.text().map("{".__add__), st.none(), st.booleans(), st.floats(), st.binary()))
def test_anything_that_names_no_poll_is_refused_with_the_same_rule(name: Any) -> None:
    try:
        reference = parse_reference(name)
    except Bitrix24ValidationError as error:
        assert error.path.startswith("poll")
    else:
        assert str(reference.value) == str(name).strip().lstrip("0")


def test_str_of_a_reference_hides_the_signed_id() -> None:
    assert str(PollReference(ReferenceKind.MESSAGE, 5012)) == "message_id 5012"
    assert "91.abc" not in str(PollReference(ReferenceKind.SIGNED, "91.abc"))


@pytest.mark.parametrize(
    ("name", "path", "rule"),
    [
        ({"message_id": "x"}, "poll.message_id", "must be a positive number"),
        ({"attach_id": 0}, "poll.attach_id", "must be a positive number"),
        ({"post_id": True}, "poll.post_id", "must be a positive number"),
        ({"signed_attach_id": " "}, "poll.signed_attach_id", "must be the text that the portal gave"),
        ({"signed_attach_id": 91}, "poll.signed_attach_id", "must be the text that the portal gave"),
        ({"vote_id": 77}, "poll", "vote_id names no poll; use message_id"),
    ],
)
def test_what_is_wrong_with_a_mapping_is_said_with_its_path(name: Any, path: str, rule: str) -> None:
    with pytest.raises(Bitrix24ValidationError) as caught:
        parse_reference(name)
    assert (caught.value.path, caught.value.rule) == (path, rule)


def test_a_mapping_without_a_key_is_told_the_keys() -> None:
    with pytest.raises(Bitrix24ValidationError) as without_key:
        parse_reference({"chat_id": 1489})
    with pytest.raises(Bitrix24ValidationError) as no_name:
        parse_reference(None)
    assert (without_key.value.path, without_key.value.rule) == (no_name.value.path, no_name.value.rule)
    assert "message_id" in without_key.value.rule


def test_a_reference_is_shown_without_what_grants_access() -> None:
    assert str(parse_reference(5012)) == "message_id 5012"
    assert str(parse_reference({"signed_attach_id": "91.abc"})) == "signed_attach_id ***"


def test_only_messages_and_posts_are_read_many_at_a_time() -> None:
    assert {kind: is_entity(kind) for kind in ReferenceKind} == {
        ReferenceKind.MESSAGE: True,
        ReferenceKind.POST: True,
        ReferenceKind.ATTACH: False,
        ReferenceKind.SIGNED: False,
    }


def test_what_describes_itself_as_a_mapping_names_its_poll() -> None:
    class Described:
        def to_dict(self) -> dict[str, int]:
            return {"message_id": 5012, "attach_id": 91}

    assert parse_reference(Described()) == PollReference(ReferenceKind.MESSAGE, 5012)
