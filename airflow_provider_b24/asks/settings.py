"""What the fields of an ask mean, each alone and together: checked before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import Bitrix24ConfigurationError, Bitrix24ValidationError
from airflow_provider_b24.field_values import as_list, as_mapping, as_seconds, check_text
from airflow_provider_b24.ids import parse_chat_id, parse_id
from airflow_provider_b24.polls.rules import Everybody, FirstTo, Majority, Quorum, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_b24.asks.ask import Ask
    from airflow_provider_b24.polls.result import ResultPolicy


@dataclass(frozen=True)
class AskSettings:
    """What an ask operator was given.

    :param operator: the ask operator, whose templated fields may not be rendered yet.
    """

    operator: Any

    @classmethod
    def of(cls, operator: Any) -> AskSettings:
        """Return the settings of an operator.

        :param operator: the ask operator.
        """
        return cls(operator)

    @property
    def question(self) -> str:
        """The question's text."""
        return str(self._field("question"))

    @property
    def answers(self) -> list[str]:
        """The answers' texts."""
        return list(self._field("answers"))

    @property
    def rule(self) -> Rule:
        """The rule."""
        found: Rule = self._field("rule")
        return found

    @property
    def voters(self) -> list[int] | None:
        """The user ids that count; None is everybody."""
        found: list[int] | None = self._field("voters")
        return found

    @property
    def policy(self) -> ResultPolicy:
        """What a tie and a deadline mean."""
        from airflow_provider_b24.polls.result import ResultPolicy

        return ResultPolicy(self._field("tie"), self._field("defaults"))

    @property
    def escalate_to(self) -> tuple[str, ...]:
        """The dialogs that hear of an open question."""
        return self._field("escalate_to") or ()

    def check_people(self, excluded: Sequence[int]) -> None:
        """Refuse a rule that those who count can't meet.

        :param excluded: user ids that do not count although ``voters`` or the rule names them.
        :raises Bitrix24ValidationError: naming the rule; nothing is sent.
        """
        _check_people(self.rule, self.voters, excluded)

    def deadline(self, asked_at: float) -> float | None:
        """Return when the wait ends, in Unix seconds.

        :param asked_at: when the question was asked, in Unix seconds.
        """
        given = self._field("response_timeout")
        if isinstance(given, datetime):
            return given.timestamp()
        return None if given is None else asked_at + given

    def excluded(self, context: Context) -> list[int]:
        """Return the user ids that do not count: the one who triggered the run, on request.

        :param context: the task's context.
        :raises Bitrix24ValidationError: when that user has no Bitrix24 user id.
        :raises Bitrix24ConfigurationError: before Airflow 3.1, which does not say who triggered a run.
        """
        value = self._field("triggering_user_ids")
        if value is None:
            return []
        dag_run = context["dag_run"]
        if not hasattr(dag_run, "triggering_user_name"):
            raise Bitrix24ConfigurationError(
                "triggering_user_ids needs Airflow 3.1 or later: this one does not say who triggered a run",
                advice="Name those who may vote in voters, or leave triggering_user_ids out.",
            )
        name = dag_run.triggering_user_name
        if name is None:
            return []
        if name not in value:
            raise Bitrix24ValidationError("triggering_user_ids", f"has no Bitrix24 user id for {name!r}")
        return [value[name]]

    def ask(
        self,
        sent: Mapping[str, int],
        *,
        asked_at: float,
        excluded: list[int],
        required_action_id: str | None,
    ) -> Ask:
        """Return the ask that was sent.

        :param sent: what ``hook.polls.send`` returned.
        :param asked_at: when, in Unix seconds.
        :param excluded: user ids that do not count.
        :param required_action_id: the task instance whose Required Action asks the same.
        """
        from airflow_provider_b24.asks.ask import Ask

        escalate_after = self._field("escalate_after")
        return Ask(
            message_id=sent["message_id"],
            chat_id=sent["chat_id"],
            question=self.question,
            rule=self.rule.to_json(),
            voters=self.voters,
            excluded=excluded,
            asked_at=asked_at,
            deadline=self.deadline(asked_at),
            remind_every=self._field("remind_every"),
            escalate_at=None if escalate_after is None else asked_at + escalate_after,
            escalate_to=self.escalate_to,
            required_action_id=required_action_id,
        )

    def _field(self, name: str) -> Any:
        return self.operator.checked_field(name)


def check_ask(values: Mapping[str, Any]) -> None:
    """Check what the fields of an ask must fulfil together.

    :param values: the checked values of the fields that are known by now.
    :raises Bitrix24ValidationError: naming the field.
    """
    if {"rule", "voters"} <= set(values):
        _check_people(values["rule"], values["voters"], ())
    if {"answers", "tie"} <= set(values):
        _check_tie(values["tie"], values["answers"])
    if {"answers", "defaults", "multiple_choice"} <= set(values):
        _check_defaults(values["defaults"], values["answers"], multiple_choice=values["multiple_choice"])
    if values.get("anonymous"):
        _check_secret(values)
    if values.get("escalate_after") is not None and values.get("escalate_to", ("later",)) is None:
        raise Bitrix24ValidationError("escalate_to", "is needed with escalate_after")


def _check_people(rule: Rule, voters: Sequence[int] | None, excluded: Sequence[int]) -> None:
    named = rule.user_ids if isinstance(rule, Everybody) else None
    if voters is None and named is None:
        return
    people = set(named or () if voters is None else voters)
    people = (people if named is None else people & set(named)) - set(excluded)
    if _people_of(rule) > len(people):
        raise Bitrix24ValidationError("rule", f"needs {_people_of(rule)} people, and {len(people)} count")


def _check_tie(tie: str, answers: Sequence[str]) -> None:
    if tie not in {"fail", "first", *answers}:
        raise Bitrix24ValidationError("tie", f"must be 'fail', 'first' or an answer, not {tie!r}")


def _check_defaults(defaults: Sequence[str] | None, answers: Sequence[str], *, multiple_choice: bool) -> None:
    for index, answer in enumerate(defaults or ()):
        if answer not in answers:
            raise Bitrix24ValidationError(f"defaults[{index}]", f"{answer!r} is not one of the answers")
    if len(defaults or ()) > 1 and not multiple_choice:
        raise Bitrix24ValidationError("defaults", "the question takes one answer only")


def _check_secret(values: Mapping[str, Any]) -> None:
    """Refuse to count people by name in a poll that keeps secret who voted."""
    rule = values.get("rule")
    if isinstance(rule, Everybody) and rule.user_ids is not None:
        raise Bitrix24ValidationError("rule", "can't name people: the poll is anonymous")
    if values.get("voters") is not None or values.get("triggering_user_ids") is not None:
        raise Bitrix24ValidationError(
            "voters", "can't be told apart: the poll is anonymous, so nobody knows who voted"
        )


def _people_of(rule: Rule) -> int:
    """Return how many people must be able to vote, so that a rule can be met."""
    if isinstance(rule, Quorum):
        return rule.people
    return rule.votes if isinstance(rule, FirstTo | Majority) else 1


def branches_field(value: Any, path: str) -> dict[str, list[str]]:
    """Return answer to task ids.

    :param value: answer to a task id or a list of them; None: each answer is a task id.
    :param path: the field's name.
    :raises Bitrix24ValidationError: when a value is not task ids.
    """
    found: dict[str, list[str]] = {}
    for option, given in ({} if value is None else as_mapping(value, path)).items():
        task_ids = [given] if isinstance(given, str) else given
        is_list = isinstance(task_ids, Sequence) and bool(task_ids)
        if not is_list or not all(isinstance(task_id, str) for task_id in task_ids):
            raise Bitrix24ValidationError(f"{path}[{option!r}]", "must be a task id or a list of task ids")
        found[option] = list(task_ids)
    return found


def check_options(mapping: Mapping[str, Any], answers: Sequence[str]) -> None:
    """Refuse a branch of an answer that is not asked.

    :param mapping: answer to task ids.
    :param answers: the answers.
    :raises Bitrix24ValidationError: naming the answer.
    """
    for option in mapping:
        if option not in answers:
            raise Bitrix24ValidationError(f"options_mapping[{option!r}]", "is not one of the answers")


def check_branches(
    mapping: Mapping[str, list[str]],
    answers: Iterable[str],
    downstream: set[str],
    *,
    tasks_of: Mapping[str, set[str]],
) -> None:
    """Refuse an answer that leads to no task, before anybody is asked.

    :param mapping: answer to task ids, or to ids of task groups.
    :param answers: the answers.
    :param downstream: the task ids directly downstream.
    :param tasks_of: id of a task group to its task ids.
    :raises Bitrix24ValidationError: naming the answer.
    """
    for answer in answers:
        for task_id in mapping.get(answer, [answer]):
            if task_id not in downstream and not tasks_of.get(task_id, set()) & downstream:
                rule = f"leads to {task_id!r}, which is not a task directly downstream"
                raise Bitrix24ValidationError(f"options_mapping[{answer!r}]", rule)


def user_ids_field(value: Any, path: str) -> dict[Any, int]:
    """Return the user ids of Airflow's users.

    :param value: Airflow user name to user id, or the text of such a mapping.
    :param path: the field's name.
    :raises Bitrix24ValidationError: naming the first that has no user id.
    """
    return {name: parse_id(given, f"{path}[{name!r}]") for name, given in as_mapping(value, path).items()}


def voters_field(value: Any, path: str) -> list[int]:
    """Return the user ids that count.

    :param value: a list of user ids, or the text of one.
    :param path: the field's name.
    :raises Bitrix24ValidationError: naming the first that is no user id.
    """
    given = as_list(value, path)
    if not given:
        raise Bitrix24ValidationError(path, "needs a user id")
    return sorted({parse_id(item, f"{path}[{index}]") for index, item in enumerate(given)})


def defaults_field(value: Any, path: str) -> tuple[str, ...]:
    """Return the answers that a deadline chooses.

    :param value: an answer or a list of answers.
    :param path: the field's name.
    :raises Bitrix24ValidationError: naming the first that is no text.
    """
    given = as_list(value, path)
    if not given:
        raise Bitrix24ValidationError(path, "needs an answer")
    return tuple(check_text(item, f"{path}[{index}]").strip() for index, item in enumerate(given))


def tie_field(value: Any, path: str) -> str:
    """Return what several leading answers mean.

    :param value: ``fail``, ``first`` or an answer.
    :param path: the field's name.
    :raises Bitrix24ValidationError: when it is no text.
    """
    return check_text(value, path).strip()


def dialogs_field(value: Any, path: str) -> tuple[str, ...] | None:
    """Return the dialogs of chats and people; None when there are none.

    :param value: chats (``chatN``) and user ids.
    :param path: the field's name.
    :raises Bitrix24ValidationError: naming the first that is neither.
    """
    return tuple(_dialog(item, f"{path}[{index}]") for index, item in enumerate(as_list(value, path))) or None


def timeout_field(value: Any, path: str) -> datetime | float:
    """Return a deadline: a moment, or seconds.

    :param value: a datetime with a zone, a timedelta, or seconds above 0.
    :param path: the field's name.
    :raises Bitrix24ValidationError: when it is none of these.
    """
    if not isinstance(value, datetime):
        return as_seconds(value, path)
    if value.tzinfo is None:
        raise Bitrix24ValidationError(path, "a moment needs a time zone")
    return value


def notifiers_field(value: Any, path: str) -> list[Any]:
    """Return the notifiers.

    :param value: a notifier or a list of them.
    :param path: the field's name.
    :raises Bitrix24ValidationError: when one can't be called.
    """
    given = list(value) if isinstance(value, list | tuple) else [value]
    for index, notifier in enumerate(given):
        if not callable(notifier):
            raise Bitrix24ValidationError(f"{path}[{index}]", f"must be a notifier, not {notifier!r}")
    return given


def _dialog(value: Any, path: str) -> str:
    is_chat = isinstance(value, str) and value.strip().startswith("chat")
    return f"chat{parse_chat_id(value, path)}" if is_chat else str(parse_id(value, path))
