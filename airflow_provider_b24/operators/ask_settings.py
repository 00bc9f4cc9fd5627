"""The parameters of an ask, rendered and checked before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import Bitrix24ConfigurationError, Bitrix24ValidationError
from airflow_provider_b24.field_values import literal
from airflow_provider_b24.ids import parse_chat_id, parse_id
from airflow_provider_b24.polls.result import ResultPolicy
from airflow_provider_b24.polls.rules import Everybody, FirstTo, Majority, Quorum, Rule, parse_rule

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_b24.asks.ask import Ask


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
        return str(self.operator.question)

    @property
    def answers(self) -> list[str]:
        """The answers' texts."""
        return [str(answer).strip() for answer in _listed(self.operator.answers, "answers")]

    @property
    def rule(self) -> Rule:
        """The rule."""
        return parse_rule(self.operator.rule)

    @property
    def voters(self) -> list[int] | None:
        """The user ids that count; None is everybody."""
        if self.operator.voters is None:
            return None
        given = _listed(self.operator.voters, "voters")
        return sorted({parse_id(value, f"voters[{index}]") for index, value in enumerate(given)})

    @property
    def policy(self) -> ResultPolicy:
        """What a tie and a deadline mean."""
        defaults = self.operator.defaults
        chosen = None if defaults is None else tuple(map(str, _listed(defaults, "defaults")))
        return ResultPolicy(str(self.operator.tie).strip(), chosen)

    @property
    def escalate_to(self) -> tuple[str, ...]:
        """The dialogs that hear of an open question."""
        given = self.operator.escalate_to
        values = [] if given is None else _listed(given, "escalate_to")
        return tuple(_dialog(value, f"escalate_to[{index}]") for index, value in enumerate(values))

    def check_literals(self) -> None:
        """Refuse what is wrong already when the DAG is parsed; what a template renders is not known yet.

        :raises Bitrix24ValidationError: naming the parameter.
        """
        operator = self.operator
        fields = {name: getattr(operator, name) for name in ("answers", "rule", "voters", "defaults", "tie")}
        known = {name for name, value in fields.items() if not _is_template(value)}
        if operator.answers is None:
            # A decorated function returns them.
            known.discard("answers")
        if "rule" in known:
            self._check_rule()
        if "answers" in known:
            self._check_answers()
        if {"answers", "defaults", "tie"} <= known:
            self._check_policy()
        if "voters" in known and operator.voters is not None:
            self._check_voters()
        for name in ("remind_every", "escalate_after"):
            _seconds(getattr(operator, name), name)
        self.deadline(0.0)

    def check(self, excluded: Sequence[int] = ()) -> None:
        """Refuse what is wrong once all is rendered.

        :param excluded: user ids that do not count although ``voters`` names them.
        :raises Bitrix24ValidationError: naming the parameter; nothing is sent.
        """
        self._check_question()
        self._check_rule(excluded)
        self._check_answers()
        self._check_policy()
        self._check_voters()
        parse_chat_id(self.operator.chat_id)
        if self.operator.escalate_after is not None and not self.escalate_to:
            raise Bitrix24ValidationError("escalate_to", "is needed with escalate_after")

    def deadline(self, asked_at: float) -> float | None:
        """Return when the wait ends, in Unix seconds.

        :param asked_at: when the question was asked, in Unix seconds.
        """
        given = self.operator.response_timeout
        if isinstance(given, datetime):
            if given.tzinfo is None:
                raise Bitrix24ValidationError("response_timeout", "a moment needs a time zone")
            return given.timestamp()
        seconds = _seconds(given, "response_timeout")
        return None if seconds is None else asked_at + seconds

    def excluded(self, context: Context) -> list[int]:
        """Return the user ids that do not count: the one who triggered the run, on request.

        :param context: the task's context.
        :raises Bitrix24ValidationError: when that user has no Bitrix24 user id.
        :raises Bitrix24ConfigurationError: before Airflow 3.1, which does not say who triggered a run.
        """
        mapping = self.operator.triggering_user_ids
        if mapping is None:
            return []
        value = literal(mapping) if isinstance(mapping, str) else mapping
        if not isinstance(value, Mapping):
            raise Bitrix24ValidationError("triggering_user_ids", "must map Airflow user names to user ids")
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
        return [parse_id(value[name], f"triggering_user_ids[{name!r}]")]

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

        escalate_after = _seconds(self.operator.escalate_after, "escalate_after")
        return Ask(
            message_id=sent["message_id"],
            chat_id=sent["chat_id"],
            question=self.question,
            rule=self.rule.to_json(),
            voters=self.voters,
            excluded=excluded,
            asked_at=asked_at,
            deadline=self.deadline(asked_at),
            remind_every=_seconds(self.operator.remind_every, "remind_every"),
            escalate_at=None if escalate_after is None else asked_at + escalate_after,
            escalate_to=self.escalate_to,
            required_action_id=required_action_id,
        )

    def _check_question(self) -> None:
        if self.operator.question is None or not self.question.strip():
            raise Bitrix24ValidationError("question", "must be text, and not blank")

    def _check_rule(self, excluded: Sequence[int] = ()) -> None:
        rule = self.rule
        if self.operator.anonymous is True and isinstance(rule, Everybody) and rule.user_ids is not None:
            raise Bitrix24ValidationError("rule", "can't name people: the poll is anonymous")
        people = self._people(rule, excluded)
        if people is not None and _people_of(rule) > len(people):
            raise Bitrix24ValidationError("rule", f"needs {_people_of(rule)} people, and {len(people)} count")

    def _people(self, rule: Rule, excluded: Sequence[int]) -> set[int] | None:
        """Return the people who count, by their user ids; None when they are not named, or not yet."""
        voters = self.operator.voters
        named = rule.user_ids if isinstance(rule, Everybody) else None
        if _is_template(voters) or (not voters and named is None):
            return None
        people = set(self.voters or named or ())
        return (people if named is None else people & set(named)) - set(excluded)

    def _check_answers(self) -> None:
        answers = self.answers
        if not 2 <= len(answers) <= 10:
            raise Bitrix24ValidationError("answers", f"needs 2 to 10 answers, not {len(answers)}")
        if len(set(answers)) < len(answers):
            raise Bitrix24ValidationError("answers", "names an answer twice")

    def _check_policy(self) -> None:
        answers, policy = self.answers, self.policy
        if policy.tie not in {"fail", "first", *answers}:
            raise Bitrix24ValidationError("tie", f"must be 'fail', 'first' or an answer, not {policy.tie!r}")
        for index, answer in enumerate(policy.defaults or ()):
            if answer not in answers:
                raise Bitrix24ValidationError(f"defaults[{index}]", f"{answer!r} is not one of the answers")
        if len(policy.defaults or ()) > 1 and not self.operator.multiple_choice:
            raise Bitrix24ValidationError("defaults", "the question takes one answer only")
        if policy.defaults == ():
            raise Bitrix24ValidationError("defaults", "needs an answer")

    def _check_voters(self) -> None:
        if self.voters is not None and not self.voters:
            raise Bitrix24ValidationError("voters", "needs a user id")
        limited = self.operator.voters is not None or self.operator.triggering_user_ids is not None
        if limited and self.operator.anonymous is True:
            raise Bitrix24ValidationError(
                "voters", "can't be told apart: the poll is anonymous, so nobody knows who voted"
            )


def _people_of(rule: Rule) -> int:
    """Return how many people must be able to vote, so that a rule can be met."""
    if isinstance(rule, Quorum):
        return rule.people
    return rule.votes if isinstance(rule, FirstTo | Majority) else 1


def check_mapping(mapping: Mapping[str, Any], answers: Any) -> dict[str, list[str]]:
    """Return answer to task ids, checked as far as the answers are known.

    :param mapping: answer to a task id or a list of them.
    :param answers: the answers; a template is not known yet.
    :raises Bitrix24ValidationError: when a key is not an answer, or a value is not task ids.
    """
    known = None if _is_template(answers) else {str(answer).strip() for answer in answers}
    found: dict[str, list[str]] = {}
    for option, given in mapping.items():
        path = f"options_mapping[{option!r}]"
        if known is not None and option not in known:
            raise Bitrix24ValidationError(path, "is not one of the answers")
        task_ids = [given] if isinstance(given, str) else given
        is_list = isinstance(task_ids, Sequence) and bool(task_ids)
        if not is_list or not all(isinstance(task_id, str) for task_id in task_ids):
            raise Bitrix24ValidationError(path, "must be a task id or a list of task ids")
        found[option] = list(task_ids)
    return found


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


def _is_template(value: Any) -> bool:
    """Say whether a value is known only when the task runs: a Jinja text, an XComArg, or a list with one."""
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    if isinstance(value, Mapping):
        return any(_is_template(item) for item in value.values())
    if isinstance(value, list | tuple | set | frozenset):
        return any(_is_template(item) for item in value)
    return hasattr(value, "iter_references") or hasattr(value, "resolve")


def _listed(value: Any, path: str) -> list[Any]:
    found = literal(value) if isinstance(value, str) else value
    if isinstance(found, str | int):
        return [found]
    if not isinstance(found, list | tuple | set | frozenset):
        raise Bitrix24ValidationError(path, f"must be a list, not {value!r}")
    return list(found)


def _seconds(value: timedelta | float | datetime | None, path: str) -> float | None:
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value) if is_number else 0.0  # type: ignore[arg-type]
    if not 0 < seconds < float("inf"):
        raise Bitrix24ValidationError(path, f"must be a timedelta, or seconds above 0, not {value!r}")
    return seconds


def _dialog(value: Any, path: str) -> str:
    text = str(value).strip()
    return f"chat{parse_chat_id(text, path)}" if text.startswith("chat") else str(parse_id(value, path))
