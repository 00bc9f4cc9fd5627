"""The texts of a poll before it is sent; checked without a schema, also while a DAG is parsed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_provider_b24.exceptions import Bitrix24ValidationError

#: How many answers Bitrix24 takes.
MIN_ANSWERS, MAX_ANSWERS = 2, 10


def check_question(question: Any) -> str:
    """Return the question without white space around it.

    :param question: the question's text.
    :raises Bitrix24ValidationError: when it is no text, or blank.
    """
    return _stripped(question, "question")


def check_answers(answers: Any) -> list[str]:
    """Return the answers without white space around them.

    :param answers: a list of two to ten different texts.
    :raises Bitrix24ValidationError: naming the first answer that is wrong.
    """
    if not isinstance(answers, Sequence) or isinstance(answers, str | bytes):
        raise Bitrix24ValidationError("answers", "must be a list of answers")
    if len(answers) < MIN_ANSWERS:
        raise Bitrix24ValidationError("answers", f"needs {MIN_ANSWERS} answers or more")
    if len(answers) > MAX_ANSWERS:
        raise Bitrix24ValidationError("answers", f"takes {MAX_ANSWERS} answers at most")
    texts = [_stripped(answer, f"answers[{index}]") for index, answer in enumerate(answers)]
    _refuse_repeated(texts)
    return texts


def _refuse_repeated(answers: list[str]) -> None:
    seen: dict[str, int] = {}
    for index, answer in enumerate(answers):
        first = seen.setdefault(answer, index)
        if first != index:
            # The portal would take it, but then one text would name two answers.
            raise Bitrix24ValidationError(f"answers[{index}]", f"repeats answers[{first}]")


def _stripped(text: Any, path: str) -> str:
    if not isinstance(text, str):
        raise Bitrix24ValidationError(path, "must be text")
    if not text.strip():
        raise Bitrix24ValidationError(path, "must not be blank")
    return text.strip()
