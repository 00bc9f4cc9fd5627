"""One tree of errors, drawn as it is, that survives every border between processes."""

from __future__ import annotations

import copy
import json
import pickle
import re
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from airflow_provider_b24 import exceptions
from airflow_provider_b24.exceptions import (
    Bitrix24AnonymityError,
    Bitrix24ApiError,
    Bitrix24BatchIncompleteError,
    Bitrix24DeliveryError,
    Bitrix24Error,
    Bitrix24OperatingLimitError,
    Bitrix24OutcomeUnknownError,
    Bitrix24PollDisapprovedError,
    Bitrix24PollTiedError,
    Bitrix24PollTimeoutError,
    Bitrix24PortalMovedError,
    Bitrix24PushStateError,
    Bitrix24ValidationError,
    Outcome,
    error_from_dict,
)

FIELDS: dict[str, Any] = {
    "method": "vote.AttachedVote.get",
    "code": "ATTACH_NOT_FOUND",
    "description": "Attach not found",
    "status": 400,
    "attempts": 2,
    "outcome": Outcome.REFUSED,
    "conn_id": "my_portal",
}
#: What some types take besides.
MORE: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "Bitrix24ValidationError": (("messages[3].message", "needs text or files"), {}),
    "Bitrix24ConfigurationError": (("The host is empty",), {"field": "host"}),
    "Bitrix24LoginError": (("The code has expired",), {}),
    "Bitrix24OperatingLimitError": ((), {"reset_at": 1760000600.0}),
    "Bitrix24PortalMovedError": ((), {"location": "https://new.bitrix24.com"}),
    "Bitrix24DeliveryError": (
        ("1 of 2 messages was not delivered",),
        {"report": {"accepted": 1, "items": []}},
    ),
    "Bitrix24PushIncompleteError": (("The push has stopped",), {"report": {"accepted": 1, "items": []}}),
}


def all_types(root: type[Bitrix24Error] = Bitrix24Error) -> list[type[Bitrix24Error]]:
    return [root, *(found for child in root.__subclasses__() for found in all_types(child))]


TYPES = [kind for kind in all_types() if kind.__module__ == exceptions.__name__]


def made(kind: type[Bitrix24Error]) -> Bitrix24Error:
    words, more = MORE.get(kind.__name__, ((), {}))
    return kind(*words, **FIELDS, **more)


def drawn(kind: type[Bitrix24Error], before: str = "") -> list[str]:
    """Draw a type and those below it as the docstring does."""
    lines = []
    children = kind.__subclasses__()
    for child in children:
        last = child is children[-1]
        lines.append(f"{before}{'└── ' if last else '├── '}{child.__name__}")
        lines += drawn(child, before + ("    " if last else "│   "))
    return lines


def test_the_tree_in_the_docstring_equals_the_class_tree() -> None:
    text = (exceptions.__doc__ or "").splitlines()
    start = text.index("Bitrix24Error") + 1
    tree = text[start : text.index("", start)]

    names = [line[: re.search(r"Bitrix24\w+", line).end()] for line in tree]  # type: ignore[union-attr]

    assert sorted(names) == sorted(drawn(Bitrix24Error))


def test_every_type_has_a_docstring() -> None:
    assert [kind.__name__ for kind in TYPES if not kind.__doc__] == []


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.__name__)
def test_every_type_is_an_airflow_exception(kind: type[Bitrix24Error]) -> None:
    assert issubclass(kind, AirflowException)


def test_exactly_the_non_retryable_types_are_fail_exceptions() -> None:
    at_once = {kind for kind in TYPES if issubclass(kind, AirflowFailException)}

    assert at_once == {
        Bitrix24OutcomeUnknownError,
        Bitrix24PushStateError,
        Bitrix24DeliveryError,
        Bitrix24BatchIncompleteError,
        Bitrix24PollTiedError,
        Bitrix24PollTimeoutError,
        Bitrix24PollDisapprovedError,
        Bitrix24AnonymityError,
    }


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(
    "travel",
    [
        lambda error: pickle.loads(pickle.dumps(error)),
        copy.copy,
        copy.deepcopy,
        lambda error: error_from_dict(json.loads(json.dumps(error.to_dict()))),
    ],
    ids=["pickle", "copy", "deepcopy", "json"],
)
def test_pickle_copy_and_json_preserve_type_text_and_fields(kind: type[Bitrix24Error], travel: Any) -> None:
    error = made(kind)
    arrived = travel(error)

    assert type(arrived) is kind
    assert str(arrived) == str(error)
    assert arrived.to_dict() == error.to_dict()
    assert arrived.args == error.args
    assert arrived.outcome is Outcome.REFUSED


def test_to_dict_preserves_custom_advice() -> None:
    error = Bitrix24ApiError("failed", advice="Do this.")

    assert str(error_from_dict(error.to_dict())) == "failed. Do this."


def test_to_dict_omits_notes() -> None:
    error = Bitrix24ApiError("failed")
    error.add_note("a note")

    assert "__notes__" not in error.to_dict()


def test_error_from_dict_of_an_unknown_type_returns_the_base_class() -> None:
    error = error_from_dict({"type": "Bitrix24ForgottenError", "message": "failed", "outcome": "unknown"})

    assert type(error) is Bitrix24Error
    assert (str(error), error.outcome) == ("failed (outcome: unknown).", Outcome.UNKNOWN)


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.__name__)
def test_error_from_dict_without_fields_has_a_default_text(kind: type[Bitrix24Error]) -> None:
    assert "no further details" in str(error_from_dict({"type": kind.__name__}))


def test_an_error_says_what_failed_why_and_what_to_do() -> None:
    error = exceptions.Bitrix24PollNotFoundError(**FIELDS)

    assert str(error) == (
        "vote.AttachedVote.get failed: ATTACH_NOT_FOUND: Attach not found "
        "(connection 'my_portal', HTTP 400, attempt 2, outcome: refused). "
        "Name the poll by its message id (not by vote_id), and check that the message still exists."
    )
    assert repr(error) == f"Bitrix24PollNotFoundError({str(error)!r})"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (Bitrix24Error(), "The call failed: no further details."),
        (Bitrix24Error("It broke."), "It broke."),
        (Bitrix24Error("It broke", code="X"), "It broke."),
        (Bitrix24Error(description="Ends with a stop."), "The call failed: Ends with a stop."),
        (Bitrix24Error(code="0", method="a.b"), "a.b failed: 0."),
        (Bitrix24ValidationError("chat_id", "must be a number"), "chat_id: must be a number."),
        (Bitrix24ValidationError("", "needs an answer"), "needs an answer."),
        (
            Bitrix24OperatingLimitError("Blocked", reset_at=1760000600.4, advice=""),
            "Blocked (allowed again at 1760000600 (Unix time)).",
        ),
        (Bitrix24OperatingLimitError("Blocked", advice=""), "Blocked."),
    ],
    ids=str,
)
def test_str_is_one_sentence_with_a_full_stop(error: Bitrix24Error, text: str) -> None:
    assert str(error) == text


def test_to_dict_has_the_extra_fields_of_each_type() -> None:
    assert made(Bitrix24PortalMovedError).to_dict()["location"] == "https://new.bitrix24.com"
    assert made(Bitrix24DeliveryError).to_dict()["report"]["accepted"] == 1
    assert made(Bitrix24ValidationError).to_dict()["rule"] == "needs text or files"


def test_outcome_accepts_its_text_value() -> None:
    assert Bitrix24Error(outcome="not executed").outcome is Outcome.NOT_EXECUTED


@pytest.mark.parametrize("accepted", [0, 1])
def test_a_delivery_error_says_that_others_are_delivered_only_if_some_are(accepted: int) -> None:
    error = Bitrix24DeliveryError("Not all messages are delivered", report={"accepted": accepted})

    assert "send those messages alone" in str(error)
    assert ("the others are delivered" in str(error)) is bool(accepted)
    assert str(error_from_dict(error.to_dict())) == str(error)
