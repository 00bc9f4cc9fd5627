"""A poll before it is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.polls.wording import check_answers, check_question
from airflow_provider_b24.schemas.validate import check

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What Bitrix24's own web and mobile clients send for an anonymous poll. The documentation says that 1 is
#: anonymous, but the server stores 1 as public.
ANONYMOUS = 2
#: What is sent for a public poll, where this number is anonymous: 0 is the documented one.
PUBLIC = {2: 1, 1: 0}


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

    def payload(self, *, anonymous_value: int = ANONYMOUS) -> dict[str, Any]:
        """Return ``IM_MESSAGE_VOTE_DATA``, checked.

        :param anonymous_value: the ANONYMITY that hides who voted.
        :raises Bitrix24ValidationError: with the path as the draft's parameters name it (``answers[3]``).
        """
        is_anonymous = _checked_flag(self.anonymous, "anonymous")
        question = {
            "QUESTION": check_question(self.question),
            "FIELD_TYPE": int(_checked_flag(self.multiple_choice, "multiple_choice")),
            "ANSWERS": [{"MESSAGE": answer} for answer in check_answers(self.answers)],
        }
        return {
            "QUESTIONS": [question],
            "ANONYMITY": anonymous_value if is_anonymous else PUBLIC[anonymous_value],
            "OPTIONS": int(_checked_flag(self.allow_revote, "allow_revote")),
        }


def check_payload(data: Any) -> dict[str, Any]:
    """Return ``IM_MESSAGE_VOTE_DATA`` as it is given, or refuse it.

    :param data: the payload.
    :raises Bitrix24ValidationError: with the path in the payload (``QUESTIONS[0].ANSWERS``).
    """
    check(data, "poll", root="IM_MESSAGE_VOTE_DATA")
    return dict(data)


def _checked_flag(value: Any, path: str) -> bool:
    # 1 must not pass for True: in Bitrix24's words it is another flag's value.
    if not isinstance(value, bool):
        raise Bitrix24ValidationError(path, "must be True or False")
    return value
