"""Ask people in a chat, wait deferred, close the poll, and hand the answer to the DAG."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowSkipException, AirflowTaskTimeout

from airflow_provider_b24.asks.settings import (
    branches_field,
    check_ask,
    check_branches,
    check_options,
    defaults_field,
    dialogs_field,
    notifiers_field,
    tie_field,
    timeout_field,
    user_ids_field,
    voters_field,
)
from airflow_provider_b24.compat import BranchMixIn, SkipMixin
from airflow_provider_b24.exceptions import (
    Bitrix24Error,
    Bitrix24PollTimeoutError,
    Bitrix24ValidationError,
    error_from_dict,
)
from airflow_provider_b24.field_values import as_seconds, as_switch, optional
from airflow_provider_b24.ids import parse_chat_id
from airflow_provider_b24.links.polls import POLL_LINKS, chat_url, push_links
from airflow_provider_b24.operators.base import Bitrix24BaseOperator, keep_result
from airflow_provider_b24.operators.idempotency import send_poll_once
from airflow_provider_b24.operators.next_try import will_retry
from airflow_provider_b24.operators.task_memory import is_retry
from airflow_provider_b24.polls.rules import parse_rule
from airflow_provider_b24.polls.wording import answers_field, question_field
from airflow_provider_b24.utils.controls import without_controls

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime, timedelta

    from airflow.providers.common.compat.sdk import BaseNotifier, Context

    from airflow_provider_b24.asks.ask import Ask
    from airflow_provider_b24.asks.ending import Ending
    from airflow_provider_b24.asks.settings import AskSettings
    from airflow_provider_b24.field_values import Check, Templated
    from airflow_provider_b24.operators.ask_memory import AskMemory
    from airflow_provider_b24.polls.poll import Poll

_SWITCHES = (
    "skip_on_timeout",
    "multiple_choice",
    "anonymous",
    "allow_revote",
    "airflow_required_action",
    "announce",
)


class Bitrix24AskOperator(Bitrix24BaseOperator):
    """Ask a question in a chat, wait until a rule decides it, close the poll and return the answer.

    The task sends the poll once, however often it is retried, waits in the triggerer together with all
    others, stops the poll in the end, counts after the stop, and posts the decision below the poll. The
    poll is closed as well when the last try fails, and when a person ends the task in Airflow (3.3 and
    later).

    Methods: ``vote.Integration.Im.send``, ``vote.AttachedVote.getMany``, ``getWithVoted``, ``stop``, and
    ``im.message.add``
    (https://apidocs.bitrix24.com/api-reference/vote/vote.integration.im.send.html).

    :param chat_id: the chat's number, or ``chatN`` (templated).
    :param question: the question's text (templated).
    :param answers: two to ten different texts (templated).
    :param rule: when it is decided: ``"first_vote"``, ``{"quorum": k}``, ``"everybody"`` (the chat's
        members), ``{"everybody": [user ids]}``, ``{"first_to": k}`` votes for an answer, ``{"majority": n}``
        (more than half of n), or ``"stopped"`` by hand (templated). It ends early when the outcome can no
        longer change.
    :param voters: user ids that count; the votes of others are recorded and ignored. None: everybody
        counts. The asking account never counts (templated).
    :param triggering_user_ids: Airflow user name to Bitrix24 user id; the one who triggered the run does not
        count (templated).
    :param response_timeout: seconds, a timedelta, or a moment with a time zone, after which the task takes
        ``defaults``, skips or fails. None waits for ever.
    :param defaults: the answer, or answers, that the deadline chooses (templated).
    :param skip_on_timeout: skip the task at the deadline instead of failing it (templated).
    :param tie: what several leading answers mean: ``"fail"``, ``"first"`` of them, or an answer (templated).
    :param multiple_choice: whether a person may choose several answers; then all leading answers are chosen
        (templated).
    :param anonymous: whether Bitrix24 keeps secret who voted for what (templated).
    :param allow_revote: whether people may change or recall their vote; then nothing ends early
        (templated).
    :param remind_every: seconds, or a timedelta, between two reminders to those who have not voted.
    :param escalate_after: seconds, or a timedelta, after which ``escalate_to`` hear of an open question.
    :param escalate_to: chats (``"chat12"``) and user ids (templated).
    :param airflow_required_action: ask the same under Airflow's Required Actions (3.3 and later); the first
        answer wins (templated).
    :param notifiers: called once the question is asked, as in Airflow's own operators.
    :param announce: post the decision below the poll (templated).
    :param poll_interval: seconds between two reads of the poll.
    :param bitrix24_conn_id: the Airflow connection (templated).
    :returns: ``{"chosen_options": [texts], "responded_by_user", "responded_at", "timedout", "decided_by",
        "rule", "poll", "counted": {text: votes}, "voters": {text: [{"id", "name"}]}, "who_counted",
        "comments", "reason", …}``; it is in XCom also when the task fails or skips.
    :raises Bitrix24ValidationError: when the input is not usable; nothing is sent.
    :raises Bitrix24PollTimeoutError: at the deadline, without ``defaults``.
    :raises Bitrix24PollTiedError: when several answers lead and ``tie`` is ``"fail"``.
    :raises Bitrix24PollUndecidedError: when the poll is stopped before the rule is met.
    :raises Bitrix24PollNotFoundError: when the poll is deleted.
    """

    template_fields: Sequence[str] = (
        "bitrix24_conn_id",
        "chat_id",
        "question",
        "answers",
        "rule",
        "voters",
        "triggering_user_ids",
        "defaults",
        "tie",
        "escalate_to",
        *_SWITCHES,
    )
    operator_extra_links = POLL_LINKS
    template_fields_renderers: ClassVar[dict[str, str]] = {"answers": "json", "rule": "json"}
    field_checks: ClassVar[Mapping[str, Check]] = {
        **Bitrix24BaseOperator.field_checks,
        "chat_id": parse_chat_id,
        "question": question_field,
        "answers": answers_field,
        "rule": parse_rule,
        "voters": optional(voters_field),
        "triggering_user_ids": optional(user_ids_field),
        "response_timeout": optional(timeout_field),
        "defaults": optional(defaults_field),
        "tie": tie_field,
        "remind_every": optional(as_seconds),
        "escalate_after": optional(as_seconds),
        "escalate_to": optional(dialogs_field),
        "notifiers": optional(notifiers_field),
        "poll_interval": as_seconds,
        **dict.fromkeys(_SWITCHES, as_switch),
    }
    text_fields = Bitrix24BaseOperator.text_fields | {"question", "answers", "defaults", "tie"}
    _switches: ClassVar[tuple[str, ...]] = _SWITCHES

    def __init__(
        self,
        *,
        chat_id: Any,
        question: Any,
        answers: Any,
        rule: Any = "first_vote",
        voters: Any = None,
        triggering_user_ids: Any = None,
        response_timeout: timedelta | datetime | float | None = None,
        defaults: Any = None,
        skip_on_timeout: Templated[bool] = False,
        tie: Any = "fail",
        multiple_choice: Templated[bool] = False,
        anonymous: Templated[bool] = False,
        allow_revote: Templated[bool] = False,
        remind_every: timedelta | float | None = None,
        escalate_after: timedelta | float | None = None,
        escalate_to: Any = None,
        airflow_required_action: Templated[bool] = False,
        notifiers: Sequence[BaseNotifier] | BaseNotifier | None = None,
        announce: Templated[bool] = True,
        poll_interval: float = 10,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.chat_id = chat_id
        self.question = question
        self.answers = answers
        self.rule = rule
        self.voters = voters
        self.triggering_user_ids = triggering_user_ids
        self.response_timeout = response_timeout
        self.defaults = defaults
        self.skip_on_timeout: Any = skip_on_timeout
        self.tie = tie
        self.multiple_choice: Any = multiple_choice
        self.anonymous: Any = anonymous
        self.allow_revote: Any = allow_revote
        self.remind_every = remind_every
        self.escalate_after = escalate_after
        self.escalate_to = escalate_to
        self.airflow_required_action: Any = airflow_required_action
        self.notifiers = notifiers
        self.announce: Any = announce
        self.poll_interval = poll_interval
        self._ask: Ask | None = None

    def check_together(self, values: Mapping[str, Any]) -> None:
        """Refuse rules, answers and people that do not go together.

        :param values: the fields that are known by now.
        """
        check_ask(values)

    def execute(self, context: Context) -> Any:
        """Ask, and wait in the triggerer."""
        with self._closed_after_last_try(context):
            return self._ask_and_wait(context)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after the wait, also when the trigger itself has failed.

        :param next_method: the method that takes the event.
        :param next_kwargs: the event.
        :param context: the task's context.
        """
        with self._closed_after_last_try(context):
            self._ask = self._memory(context).load()
            return super().resume_execution(next_method, next_kwargs, context)

    def _ask_and_wait(self, context: Context) -> Any:
        from airflow_provider_b24.operators.required_action import check_required_actions

        self.check_fields()
        self._read_switches()
        settings = self._settings()
        excluded = settings.excluded(context)
        settings.check_people(excluded)
        if self.airflow_required_action:
            check_required_actions()
        memory = self._memory(context)
        ask, poll = self._send(context, settings, excluded)
        self._close_other(memory.earlier(), ask)
        memory.save(ask)
        self._push_links(context, ask)
        event = memory.event(ask)
        if event is not None or poll.is_finished:
            # An earlier try has seen the decision or closed the poll, or somebody was faster than this task.
            return self._end(context, ask, event, closed=poll if poll.is_finished else None)
        self._notify(context, ask)
        self._wait(context, ask, settings)
        return None

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Close the poll, count, and return the answer.

        :param context: the task's context.
        :param event: how the wait ended.
        """
        self._read_switches()
        memory = self._memory(context)
        self._ask = ask = memory.load()
        if event.get("status") == "error":
            raise error_from_dict(event["error"])
        # A retry of the end must not forget who was first.
        memory.save_event(ask, event)
        return self._end(context, ask, event)

    def on_kill(self) -> None:
        """Close the poll when the worker's process is told to end."""
        if self._ask is not None:
            from airflow_provider_b24.asks.closing import close_after_kill

            close_after_kill(self.bitrix24_conn_id, self._ask)

    @contextmanager
    def _closed_after_last_try(self, context: Context) -> Iterator[None]:
        """Close the poll of a try that fails when no other follows, which would wait on."""
        try:
            yield
        except AirflowTaskTimeout as error:
            if will_retry(context, error):
                # Airflow calls on_kill now, which must leave the poll to the next try.
                self._ask = None
            raise
        except Exception as error:
            ask = self._ask or self._earlier(context)
            if ask is not None and not will_retry(context, error):
                from airflow_provider_b24.asks.closing import close_after_failure

                close_after_failure(self.bitrix24_conn_id, ask, tell=bool(self.announce))
            raise

    def _memory(self, context: Context) -> AskMemory:
        from airflow_provider_b24.operators.ask_memory import AskMemory

        return AskMemory(context, portal=self.hook.settings.portal)

    def _earlier(self, context: Context) -> Ask | None:
        """Return the ask of an earlier try; None also when the connection can't be read."""
        try:
            return self._memory(context).earlier()
        except Bitrix24Error:
            return None

    def _settings(self) -> AskSettings:
        from airflow_provider_b24.asks.settings import AskSettings

        return AskSettings.of(self)

    def _send(self, context: Context, settings: AskSettings, excluded: list[int]) -> tuple[Ask, Poll]:
        """Send the poll once, and return the ask and the poll as it is now."""
        memory = self._memory(context)
        sent = self._send_poll(context, settings, after=memory.after())
        ask, poll = self._asked(context, settings, excluded, sent)
        while self._was_closed_by_kill(context, ask, poll):
            # A person has cleared the task while its worker ran, or the worker was told to end.
            sent = self._send_poll(context, settings, after=ask.message_id)
            memory.save_after(ask.message_id)
            ask, poll = self._asked(context, settings, excluded, sent)
        question = without_controls(ask.question)
        self.log.info("Asked in chat %d (message %d): %s", ask.chat_id, ask.message_id, question)
        return ask, poll

    def _asked(
        self, context: Context, settings: AskSettings, excluded: list[int], sent: dict[str, int]
    ) -> tuple[Ask, Poll]:
        memory = self._memory(context)
        action_id = str(context["ti"].id) if self.airflow_required_action else None
        ask = settings.ask(
            sent,
            asked_at=memory.asked_at(self.hook, sent),
            excluded=excluded,
            required_action_id=action_id,
        )
        # From here on, an error or a signal must close the poll.
        self._ask = ask
        poll = self.hook.polls.get(sent["message_id"])
        self._ask = ask = replace(ask, poll_url=poll.result_url)
        return ask, poll

    def _was_closed_by_kill(self, context: Context, ask: Ask, poll: Poll) -> bool:
        """Say whether an earlier try closed the poll because its process was told to end."""
        from airflow_provider_b24.asks.closing import was_closed_by_kill

        if not poll.is_finished or not is_retry(context) or self._memory(context).event(ask) is not None:
            return False
        return was_closed_by_kill(self.hook, ask)

    def _send_poll(
        self, context: Context, settings: AskSettings, *, after: int | None = None
    ) -> dict[str, int]:
        """Send the poll once.

        :param after: the message of the task's poll that this one follows; None sends the first one.
        """
        return send_poll_once(
            context,
            lambda template_id, may_have_sent: self.hook.polls.send(
                chat_id=self.chat_id,
                question=settings.question,
                answers=settings.answers,
                multiple_choice=self.multiple_choice,
                anonymous=self.anonymous,
                allow_revote=self.allow_revote,
                template_id=template_id,
                may_have_sent=may_have_sent,
            ),
            portal=self.hook.settings.portal,
            chat_id=self.chat_id,
            after=after,
        )

    def _close_other(self, earlier: Ask | None, ask: Ask) -> None:
        """Close the poll that the task asked before, when this is another one: a clear left it open."""
        if earlier is not None and earlier.message_id != ask.message_id:
            from airflow_provider_b24.asks.closing import close_after_kill

            close_after_kill(self.bitrix24_conn_id, earlier)

    def _push_links(self, context: Context, ask: Ask) -> None:
        chat = chat_url(self.hook.settings.portal, chat_id=ask.chat_id, message_id=ask.message_id)
        push_links(context, poll_url=ask.poll_url, chat_url=chat)

    def _notify(self, context: Context, ask: Ask) -> None:
        """Let each notifier tell of the question, once over all tries."""
        memory = self._memory(context)
        for number, notifier in enumerate(self.checked_field("notifiers") or ()):
            if memory.should_notify(ask, number):
                notifier(context)
                memory.save_notified(ask, number + 1)

    def _wait(self, context: Context, ask: Ask, settings: AskSettings) -> None:
        from airflow_provider_b24.operators.required_action import open_required_action
        from airflow_provider_b24.triggers.ask import Bitrix24AskTrigger

        if self.airflow_required_action:
            open_required_action(
                context["ti"].id,
                question=ask.question,
                body=f"Rule: {ask.parsed_rule}. The same poll in Bitrix24: {ask.poll_url}",
                answers=settings.answers,
                multiple=self.multiple_choice,
            )
        self.defer(
            trigger=Bitrix24AskTrigger(
                bitrix24_conn_id=self.bitrix24_conn_id, ask=ask.to_dict(), poll_interval=self.poll_interval
            ),
            method_name="execute_complete",
        )

    def _end(
        self, context: Context, ask: Ask, event: dict[str, Any] | None, *, closed: Poll | None = None
    ) -> Any:
        """Close the poll, count, and return the answer.

        :param event: how the wait ended; None: it was not waited for.
        :param closed: the poll, when it is stopped already.
        """
        from airflow_provider_b24.asks.ending import end_ask, end_by_airflow
        from airflow_provider_b24.operators.required_action import is_answer_of_airflow

        if event is not None and is_answer_of_airflow(event):
            return self._finish(context, ask, end_by_airflow(self.hook, ask, event, closed=closed))
        seen = None if event is None else event.get("seen")
        is_late = ask.deadline is not None and time.time() >= ask.deadline
        timed_out = is_late if event is None else event["status"] == "timeout"
        policy = self._settings().policy
        ending = end_ask(self.hook, ask, policy, seen=seen, timed_out=timed_out, closed=closed)
        return self._finish(context, ask, ending)

    def _finish(self, context: Context, ask: Ask, ending: Ending) -> Any:
        """Push the audit before anything branches, tell the chat, and return, skip or raise."""
        from airflow_provider_b24.asks.closing import announce

        keep_result(context, ending.audit)
        self.log.info("%s", without_controls(ending.summary))
        if self.announce:
            announce(self.hook, ask, ending.message)
        self._ask = None
        if ending.error is None:
            return self._follow(context, ending.audit)
        if self.skip_on_timeout and isinstance(ending.error, Bitrix24PollTimeoutError):
            raise AirflowSkipException(ending.audit["reason"]) from ending.error
        raise ending.error

    def _read_switches(self) -> None:
        """Turn what templates have rendered into booleans."""
        for switch in self._switches:
            setattr(self, switch, self.checked_field(switch))

    def _chosen(self, audit: Mapping[str, Any]) -> list[int]:
        """Return the places of the chosen answers in the poll, from 0.

        A default, a choice for ties and an answer in Airflow have the text that the task was given. The poll
        may have another one, for example when what a template renders has changed since.
        """
        asked = [answer["text"] for answer in audit["poll"]["questions"][0]["answers"]]
        given = self._settings().answers
        return [
            asked.index(text) if text in asked else given.index(text) if text in given else -1
            for text in audit["chosen_options"]
        ]

    def _follow(self, context: Context, audit: dict[str, Any]) -> Any:  # noqa: ARG002
        """Return what the task returns; branching operators choose what follows."""
        return audit


def _approve_and_reject(value: Any, path: str) -> list[str]:  # noqa: ARG001
    return [question_field(text, name) for text, name in zip(value, ("approve", "reject"), strict=True)]


class Bitrix24ApprovalOperator(Bitrix24AskOperator, SkipMixin):
    """Ask people to approve or reject; a rejection skips what follows.

    All parameters of :class:`Bitrix24AskOperator` but ``answers`` and ``multiple_choice``, and:

    :param chat_id: the chat's number, or ``chatN`` (templated).
    :param question: the question's text (templated).
    :param approve: the text of the answer that approves (templated).
    :param reject: the text of the answer that rejects (templated).
    :param fail_on_reject: fail the task on a rejection instead of skipping what follows (templated).
    :param ignore_downstream_trigger_rules: skip all tasks downstream, whatever their trigger rules
        (templated).
    :returns: what :class:`Bitrix24AskOperator` returns.
    :raises Bitrix24PollDisapprovedError: on a rejection, with ``fail_on_reject``.
    """

    template_fields: Sequence[str] = (
        *(name for name in Bitrix24AskOperator.template_fields if name not in {"answers", "multiple_choice"}),
        "approve",
        "reject",
        "fail_on_reject",
        "ignore_downstream_trigger_rules",
    )
    field_checks: ClassVar[Mapping[str, Check]] = {
        **Bitrix24AskOperator.field_checks,
        "answers": _approve_and_reject,
        "approve": question_field,
        "reject": question_field,
        "fail_on_reject": as_switch,
        "ignore_downstream_trigger_rules": as_switch,
    }
    text_fields = (Bitrix24AskOperator.text_fields - {"answers"}) | {"approve", "reject"}
    late_fields = frozenset({"answers"})
    _switches = (*_SWITCHES, "fail_on_reject", "ignore_downstream_trigger_rules")
    inherits_from_skipmixin = True

    def __init__(
        self,
        *,
        chat_id: Any,
        question: Any,
        approve: Any = "Approve",
        reject: Any = "Reject",
        fail_on_reject: Templated[bool] = False,
        ignore_downstream_trigger_rules: Templated[bool] = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(chat_id=chat_id, question=question, answers=[approve, reject], **kwargs)
        self.approve = approve
        self.reject = reject
        self.fail_on_reject: Any = fail_on_reject
        self.ignore_downstream_trigger_rules: Any = ignore_downstream_trigger_rules

    def check_together(self, values: Mapping[str, Any]) -> None:
        """Refuse two answers that are one, and what an approval has not.

        :param values: the fields that are known by now.
        """
        if values["multiple_choice"]:
            raise Bitrix24ValidationError("multiple_choice", "is not for approvals: they take one answer")
        if not {"approve", "reject"} <= set(values):
            super().check_together(values)
            return
        answers = [values["approve"], values["reject"]]
        if answers[0] == answers[1]:
            raise Bitrix24ValidationError("reject", "repeats approve")
        super().check_together({**values, "answers": answers})

    def execute(self, context: Context) -> Any:
        """Ask, and wait in the triggerer."""
        self.answers = [self.approve, self.reject]
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Close the poll, count, and skip what follows a rejection."""
        self.answers = [self.approve, self.reject]
        return super().execute_complete(context, event)

    def _follow(self, context: Context, audit: dict[str, Any]) -> Any:
        if self._chosen(audit) == [0]:
            return audit
        if self.fail_on_reject:
            from airflow_provider_b24.exceptions import Bitrix24PollDisapprovedError

            raise Bitrix24PollDisapprovedError(f"{self.question} was rejected", conn_id=self.bitrix24_conn_id)
        task = context["task"]
        everything = self.ignore_downstream_trigger_rules
        found = (
            task.get_flat_relatives(upstream=False)
            if everything
            else task.get_direct_relatives(upstream=False)
        )
        self.skip(
            ti=context["ti"], tasks=[other for other in found if not getattr(other, "is_teardown", False)]
        )
        return audit


class Bitrix24AskBranchOperator(Bitrix24AskOperator, BranchMixIn):
    """Ask a question, and follow the task ids of the answer.

    All parameters of :class:`Bitrix24AskOperator`, and:

    :param chat_id: the chat's number, or ``chatN`` (templated).
    :param question: the question's text (templated).
    :param answers: two to ten different texts (templated).
    :param options_mapping: answer to a task id, or to a list of them; an answer that is not named is a task
        id itself. Tasks directly downstream that are not chosen are skipped.
    :returns: what :class:`Bitrix24AskOperator` returns; it is in XCom before the task branches.
    """

    field_checks: ClassVar[Mapping[str, Check]] = {
        **Bitrix24AskOperator.field_checks,
        "options_mapping": branches_field,
    }
    inherits_from_skipmixin = True

    def __init__(
        self,
        *,
        chat_id: Any,
        question: Any,
        answers: Any,
        options_mapping: Mapping[str, str | Sequence[str]] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(chat_id=chat_id, question=question, answers=answers, **kwargs)
        self.options_mapping = options_mapping

    def check_together(self, values: Mapping[str, Any]) -> None:
        """Refuse branches of answers that are not asked.

        :param values: the fields that are known by now.
        """
        if "answers" in values:
            check_options(values["options_mapping"], values["answers"])
        super().check_together(values)

    def _ask_and_wait(self, context: Context) -> Any:
        groups = self.dag.task_group.get_task_group_dict()
        tasks_of = {
            name: {task.task_id for task in group.iter_tasks()} for name, group in groups.items() if name
        }
        answers = self._settings().answers
        mapping = self.checked_field("options_mapping")
        check_branches(mapping, answers, self.downstream_task_ids, tasks_of=tasks_of)
        return super()._ask_and_wait(context)

    def _follow(self, context: Context, audit: dict[str, Any]) -> Any:
        given = self._settings().answers
        places = zip(audit["chosen_options"], self._chosen(audit), strict=True)
        options = [given[place] if 0 <= place < len(given) else text for text, place in places]
        mapping = self.checked_field("options_mapping")
        branches = [task_id for option in options for task_id in mapping.get(option, [option])]
        self.log.info("The branch: %s", ", ".join(branches))
        self.do_branch(context, list(dict.fromkeys(branches)))
        return audit
