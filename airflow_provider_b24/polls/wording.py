"""The texts of a poll before it is sent; checked without a schema, also while a DAG is parsed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.field_values import as_text, as_texts, literal

#: How many answers Bitrix24 takes.
MIN_ANSWERS, MAX_ANSWERS = 2, 10


def question_field(value: Any, path: str) -> str:
    """Return the question that a task's field has.

    :param value: the question's text.
    :param path: the field's name.
    :raises Bitrix24ValidationError: when it is no text, or blank.
    """
    return _stripped(as_text(value), path)


def answers_field(value: Any, path: str) -> list[str]:
    """Return the answers that a task's field has.

    :param value: a list of two to ten different texts, or the text of one.
    :param path: the field's name.
    :raises Bitrix24ValidationError: naming the first answer that is wrong.
    """
    return check_answers(as_texts(value), path)


def choice_field(value: Any, path: str) -> Any:
    """Return the answers of a vote that a task's field has.

    :param value: an answer or a list of them, by text or id, or a mapping of question to these.
    :param path: the field's name.
    :raises Bitrix24ValidationError: naming the first answer that is wrong.
    """
    found = literal(value)
    if isinstance(found, Mapping):
        return {key: _choice(given, f"{path}[{key!r}]") for key, given in found.items()}
    return _choice(found, path)


def _choice(value: Any, path: str) -> list[str | int]:
    """Return answers by text or id; a number stays one, because an id goes first then."""
    names = list(value) if isinstance(value, list | tuple | set | frozenset) else [value]
    if not names or names == [None]:
        raise Bitrix24ValidationError(path, "needs an answer")
    for index, name in enumerate(names):
        if isinstance(name, bool) or not isinstance(name, str | int | float):
            raise Bitrix24ValidationError(f"{path}[{index}]", "must be an answer's text or id")
    return names


def check_question(question: Any, path: str = "question") -> str:
    """Return the question without white space around it.

    :param question: the question's text.
    :param path: what the error calls it.
    :raises Bitrix24ValidationError: when it is no text, or blank.
    """
    return _stripped(question, path)


def check_answers(answers: Any, path: str = "answers") -> list[str]:
    """Return the answers without white space around them.

    :param answers: a list of two to ten different texts.
    :param path: what the error calls them.
    :raises Bitrix24ValidationError: naming the first answer that is wrong.
    """
    if not isinstance(answers, Sequence) or isinstance(answers, str | bytes):
        raise Bitrix24ValidationError(path, "must be a list of answers")
    if len(answers) < MIN_ANSWERS:
        raise Bitrix24ValidationError(path, f"needs {MIN_ANSWERS} answers or more")
    if len(answers) > MAX_ANSWERS:
        raise Bitrix24ValidationError(path, f"takes {MAX_ANSWERS} answers at most")
    texts = [_stripped(answer, f"{path}[{index}]") for index, answer in enumerate(answers)]
    _refuse_repeated(texts, path)
    return texts


def _refuse_repeated(answers: list[str], path: str) -> None:
    seen: dict[str, int] = {}
    for index, answer in enumerate(answers):
        first = seen.setdefault(answer, index)
        if first != index:
            # The portal would take it, but then one text would name two answers.
            raise Bitrix24ValidationError(f"{path}[{index}]", f"repeats {path}[{first}]")


def _stripped(text: Any, path: str) -> str:
    if not isinstance(text, str):
        raise Bitrix24ValidationError(path, "must be text")
    if not text.strip():
        raise Bitrix24ValidationError(path, "must not be blank")
    return text.strip()
