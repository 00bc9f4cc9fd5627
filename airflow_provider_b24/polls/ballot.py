"""A vote before it is cast: answers named by text or id, checked against the poll itself.

The portal drops answers that it does not know, keeps the first of several on a single-choice
question, and erases an earlier vote before it finds the new one broken. So a ballot that it would
change is refused here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.field_values import as_text
from airflow_provider_b24.schemas.validate import check

if TYPE_CHECKING:
    from airflow_provider_b24.polls.poll import Answer, Poll, Question

_Row = TypeVar("_Row", "Question", "Answer")


def make_ballot(poll: Poll, answers: Any) -> dict[str, list[int]]:
    """Return the ballot that the answers mean.

    :param poll: a fresh read of the poll.
    :param answers: one answer or a list, by text or id; for a poll with several questions a
        mapping of question (text or id) to its answers.
    :raises Bitrix24ValidationError: when an answer is unknown, ambiguous, missing or one too many.
    """
    chosen = _by_question(poll, answers)
    ballot = {str(question.id): _ids(question, given, path) for question, given, path in chosen}
    check(ballot, "ballot", root="answers")
    return ballot


def same_choice(poll: Poll, ballot: Mapping[str, Sequence[int]]) -> bool:
    """Say whether the connection's user has already cast exactly this ballot.

    :param poll: a fresh read of the poll.
    :param ballot: question id to answer ids.
    """
    wanted = {int(question): frozenset(answers) for question, answers in ballot.items()}
    return bool(wanted) and dict(poll.own_answers) == wanted


def _by_question(poll: Poll, answers: Any) -> list[tuple[Question, Any, str]]:
    if isinstance(answers, Mapping):
        if not answers:
            raise Bitrix24ValidationError("answers", "needs an answer")
        pairs = [(_find_question(poll, key), given, f"answers[{key!r}]") for key, given in answers.items()]
        _refuse_repeated([question for question, _, _ in pairs])
        return pairs
    if len(poll.questions) != 1:
        rule = f"the poll has {len(poll.questions)} questions; map each question to its answers"
        raise Bitrix24ValidationError("answers", rule)
    return [(poll.questions[0], answers, "answers")]


def _refuse_repeated(questions: list[Question]) -> None:
    if len({question.id for question in questions}) < len(questions):
        raise Bitrix24ValidationError("answers", "names a question twice")


def _find_question(poll: Poll, name: Any) -> Question:
    path = f"answers[{name!r}]"
    found = _named(poll.questions, name)
    if len(found) == 1:
        return found[0]
    if found:
        raise Bitrix24ValidationError(path, f"is the text of several questions; use an id: {_ids_of(found)}")
    known = ", ".join(repr(question.text) for question in poll.questions)
    raise Bitrix24ValidationError(path, f"is no question of this poll; it asks {known}")


def _ids(question: Question, given: Any, path: str) -> list[int]:
    names = list(given) if isinstance(given, list | tuple | set | frozenset) else [given]
    if not names or names == [None]:
        raise Bitrix24ValidationError(path, "needs an answer")
    ids = [_find_answer(question, name, f"{path}[{index}]").id for index, name in enumerate(names)]
    if len(set(ids)) < len(ids):
        raise Bitrix24ValidationError(path, "names an answer twice")
    if len(ids) > 1 and not question.multiple_choice:
        raise Bitrix24ValidationError(path, "the question takes one answer only")
    return ids


def _find_answer(question: Question, name: Any, path: str) -> Answer:
    found = _named(question.answers, name)
    if len(found) == 1:
        return found[0]
    if found:
        rule = f"{name!r} is the text of several answers; use an id: {_ids_of(found)}"
        raise Bitrix24ValidationError(path, rule)
    known = ", ".join(f"{answer.text!r} ({answer.id})" for answer in question.answers)
    raise Bitrix24ValidationError(path, f"{name!r} is no answer of this poll; it offers {known}")


def _named(rows: Sequence[_Row], name: Any) -> list[_Row]:
    # A text comes before an id, so that an answer "2026" can be named. A number is an id first: only native
    # rendering makes a number of an answer's text.
    return (
        [row for row in rows if _is_text(row.text, name)]
        or [row for row in rows if _is_id(row.id, name)]
        or [row for row in rows if _is_text(row.text, as_text(name))]
    )


def _ids_of(rows: Sequence[Question] | Sequence[Answer]) -> str:
    return ", ".join(str(row.id) for row in rows)


def _is_text(text: str, name: Any) -> bool:
    return isinstance(name, str) and text.strip() == name.strip()


def _is_id(id_: int, name: Any) -> bool:
    return not isinstance(name, bool) and isinstance(name, int | str) and str(name).strip() == str(id_)
