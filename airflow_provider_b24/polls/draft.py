"""A poll before it is sent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.schemas.validate import check

#: What Bitrix24's own web and mobile clients send. The documentation says that 1 is anonymous, but
#: the server stores 1 as public.
_ANONYMITY = {False: 1, True: 2}

#: A path in the payload, and how the draft calls the same place.
_NAMES = (
    (re.compile(r"^QUESTIONS\[0\]\.ANSWERS\[(\d+)\](\.MESSAGE)?$"), r"answers[\1]"),
    (re.compile(r"^QUESTIONS\[0\]\.ANSWERS$"), "answers"),
    (re.compile(r"^QUESTIONS\[0\]\.QUESTION$"), "question"),
    (re.compile(r"^QUESTIONS\[0\]\.FIELD_TYPE$"), "multiple_choice"),
    (re.compile(r"^ANONYMITY$"), "anonymous"),
    (re.compile(r"^OPTIONS$"), "allow_revote"),
)
_FLAGS = frozenset({"multiple_choice", "anonymous", "allow_revote"})


@dataclass(frozen=True)
class PollDraft:
    """One question with two to ten answers.

    :param question: the question's text.
    :param answers: the answers' texts, in the order in which people see them.
    :param multiple_choice: whether a person may choose several answers.
    :param anonymous: whether Bitrix24 keeps secret who voted for what.
    :param allow_revote: whether people may change or recall their vote.
    """

    question: str
    answers: Sequence[str]
    multiple_choice: bool = False
    anonymous: bool = False
    allow_revote: bool = False

    def payload(self) -> dict[str, Any]:
        """Return ``IM_MESSAGE_VOTE_DATA``, checked.

        :raises Bitrix24ValidationError: with the path as the draft's parameters name it (``answers[3]``).
        """
        data = self._data()
        try:
            check(data, "poll")
        except Bitrix24ValidationError as error:
            raise _with_parameter_names(error) from None
        self._refuse_repeated_answers()
        return data

    def _data(self) -> dict[str, Any]:
        answers = self.answers if _is_list(self.answers) else None
        question = {
            "QUESTION": _stripped(self.question),
            "FIELD_TYPE": _flag(self.multiple_choice, {False: 0, True: 1}),
            "ANSWERS": [{"MESSAGE": _stripped(answer)} for answer in answers]
            if answers is not None
            else None,
        }
        return {
            "QUESTIONS": [question],
            "ANONYMITY": _flag(self.anonymous, _ANONYMITY),
            "OPTIONS": _flag(self.allow_revote, {False: 0, True: 1}),
        }

    def _refuse_repeated_answers(self) -> None:
        seen: dict[str, int] = {}
        for index, answer in enumerate(self.answers):
            first = seen.setdefault(answer.strip(), index)
            if first != index:
                # The portal would take it, but neither of the two could be named by its text.
                raise Bitrix24ValidationError(f"answers[{index}]", f"repeats answers[{first}]")


def check_payload(data: Any) -> dict[str, Any]:
    """Return ``IM_MESSAGE_VOTE_DATA`` as it is given, or refuse it.

    :param data: the payload.
    :raises Bitrix24ValidationError: with the path in the payload (``QUESTIONS[0].ANSWERS``).
    """
    check(data, "poll", root="IM_MESSAGE_VOTE_DATA")
    return dict(data)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _stripped(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


def _flag(value: Any, forms: dict[bool, int]) -> Any:
    # Anything but a bool goes on as it is, for the schema to refuse: 1 must not pass for True.
    return forms[value] if isinstance(value, bool) else None


def _with_parameter_names(error: Bitrix24ValidationError) -> Bitrix24ValidationError:
    for pattern, name in _NAMES:
        if pattern.match(error.path):
            path = pattern.sub(name, error.path)
            return Bitrix24ValidationError(path, "must be True or False" if path in _FLAGS else error.rule)
    return error
