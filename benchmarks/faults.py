"""Rows about faults: lost replies, killed tries, and one bad command in a batch."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from benchmarks.contenders import CONTENDERS, B24PySdk, Contender, FastBitrix24, Ours
from benchmarks.table import OURS, Figure, Row
from benchmarks.workers import FORK, describe, run_together

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    from benchmarks.bench import Bench
    from benchmarks.portal import Portal

LANES = 8
#: The tries of a task.
TRIES = 10
#: This share of tries is killed, within their first seconds.
_KILLED = 0.25
_KILL_WITHIN = 0.15
#: A try that has no result after this many seconds is killed, too.
_TRY_LIMIT = 90.0
#: Each fault hits this share of all requests.
_SHARE = 0.03
_FAULTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("drop_before", {}),
    ("drop_after", {}),
    ("status_502", {"executed": False}),
    ("status_502", {"executed": True}),
    ("status_503_limit", {}),
    ("status_504", {"executed": False}),
    ("status_504", {"executed": True}),
    ("html", {"executed": True}),
    ("empty", {}),
    ("truncated", {}),
    ("slow", {"seconds": 0.3}),
)
BAD_COMMAND = 59


@dataclass(frozen=True)
class Variant:
    """A contender and the template ids that its user chooses for polls.

    :param description: describes the ids; empty when there is no choice.
    :param template: returns the template id of a poll, by its number and portal; all tries share it.
    """

    contender: Contender
    description: str
    template: Callable[[int, Portal], str | None]


def _of_task(number: int, portal: Portal) -> str:
    """Return the id that the operator derives."""
    from airflow_provider_b24.operators.idempotency import task_template_id

    task = SimpleNamespace(dag_id="bench", task_id="ask", run_id="once", map_index=number, max_tries=TRIES)
    return task_template_id(task, portal=portal.url)


def _uuid(number: int, portal: Portal) -> str:
    return str(uuid.uuid3(uuid.NAMESPACE_URL, f"{portal.url}/{number}"))


def _uuid4(number: int, portal: Portal) -> str:
    return str(uuid.UUID(_uuid(number, portal), version=4))


VARIANTS = (
    Variant(Ours(), "", _of_task),
    # Its documentation: a unique identifier for the request, with no format requirements.
    Variant(B24PySdk(), "an id of any form, as documented: ", lambda number, _: f"bench.ask.once.{number}"),
    Variant(B24PySdk(), "a UUIDv4 that the user derives: ", _uuid4),
    Variant(FastBitrix24(), "no id, nothing documented: ", lambda *_: None),
    Variant(FastBitrix24(), "a UUIDv4 that the user derives: ", _uuid4),
)


def polls_once(bench: Bench) -> Row:
    """Send polls while requests fail and tries are killed; retry until a message id is known."""
    polls = bench.size(1000, 60)
    row = Row(
        f"{polls} polls, replies lost after execution, {len(_FAULTS)} faults at random, "
        f"{_KILLED:.0%} of tries killed with SIGKILL (portal's limit off)",
        f"{polls} polls, 0 duplicates, 0 lost",
    )
    for variant in VARIANTS:
        figure = _polls_once(bench, variant, polls)
        before = row.figures.get(variant.contender.name)
        text = f"{before.text}; {figure.text}" if before else figure.text
        row.figures[variant.contender.name] = Figure(text, figure.met)
    return row


def _polls_once(bench: Bench, variant: Variant, polls: int) -> Figure:
    with bench.portal("none") as portal:
        chat_id = portal.chat_id
        for number, (kind, details) in enumerate(_FAULTS):
            portal.add_fault(kind, times=None, probability=_SHARE, seed=number, **details)

        def work(lane: int, begin: Callable[[], None]) -> _Lane:
            sender = _Lane(variant, portal, chat_id, random.Random(lane))
            begin()
            for number in range(lane, polls, LANES):
                sender.send(number)
            return sender.without_portal()

        done = run_together(LANES, work, limit=bench.limit)
        portal.control("DELETE", "faults")
        lanes: list[_Lane] = [worker.value for worker in done.workers if worker.value is not None]
        return _poll_figure(variant, portal, lanes, polls, errors=done.errors)


def _poll_figure(
    variant: Variant, portal: Portal, lanes: list[_Lane], polls: int, *, errors: list[str]
) -> Figure:
    found = portal.polls()
    questions = Counter(poll["questions"][0]["text"] for poll in found)
    asked = {poll["message_id"]: poll["questions"][0]["text"] for poll in found}
    told = {question: message for lane in lanes for question, message in lane.told.items()}
    lost = polls - sum(asked.get(message) == question for question, message in told.items())
    duplicates = sum(count - 1 for count in questions.values())
    tries, killed = sum(lane.tries for lane in lanes), sum(lane.killed for lane in lanes)
    text = f"{variant.description}{len(questions)} polls, {duplicates} duplicates, {lost} lost"
    effort = f" ({tries} tries, {killed} killed)"
    return Figure(
        f"{text}{effort}{''.join(f', {error}' for error in errors)}",
        met=len(questions) == polls and duplicates == 0 and lost == 0,
    )


@dataclass
class _Lane:
    """One worker slot: it sends its polls one after the other, each try in its own process."""

    variant: Variant | None
    portal: Portal | None
    chat_id: int
    chance: random.Random
    told: dict[str, int] = field(default_factory=dict)
    tries: int = 0
    killed: int = 0

    def send(self, number: int) -> None:
        """Retry until a try returns the message id."""
        question = f"Poll {number}?"
        for attempt in range(TRIES):
            message_id = self._try(number, question, again=attempt > 0)
            if message_id is not None:
                self.told[question] = message_id
                return

    def without_portal(self) -> _Lane:
        """Return a copy that can be pickled."""
        self.variant = self.portal = None
        return self

    def _try(self, number: int, question: str, *, again: bool) -> int | None:
        receiver, sender = FORK.Pipe(duplex=False)
        process = FORK.Process(target=self._send, args=(sender, number, question, again))
        process.start()
        sender.close()
        self.tries += 1
        if self.chance.random() < _KILLED:
            process.join(self.chance.uniform(0.0, _KILL_WITHIN))
            if process.is_alive():
                process.kill()
                process.join()
                self.killed += 1
                return None
        message_id = _receive(receiver)
        process.kill()
        process.join()
        return message_id

    def _send(self, pipe: Connection, number: int, question: str, again: bool) -> None:
        if self.variant is None or self.portal is None:
            return
        template_id = self.variant.template(number, self.portal)
        try:
            client = self.variant.contender.open(self.portal)
            pipe.send(client.send_poll(self.chat_id, question, template_id=template_id, again=again))
        except Exception as error:  # noqa: BLE001
            pipe.send(describe(error))


def _receive(pipe: Connection) -> int | None:
    with pipe:
        try:
            answer = pipe.recv() if pipe.poll(_TRY_LIMIT) else None
        except EOFError:
            return None
    return answer if isinstance(answer, int) else None


def one_bad_command(bench: Bench) -> Row:
    """Send 200 commands; one of them names a chat that does not exist."""
    row = Row("1 bad command of 200", "199 results + 1 typed error")
    for contender in CONTENDERS:
        row.figures[contender.name] = _one_bad_command(bench, contender)
    return row


def _one_bad_command(bench: Bench, contender: Contender) -> Figure:
    with bench.portal("none") as portal:
        dialog = f"chat{portal.chat_id}"

        def work(number: int, begin: Callable[[], None]) -> tuple[int, dict[int, str]]:  # noqa: ARG001
            client = contender.open(portal)
            items = [{"DIALOG_ID": dialog, "MESSAGE": f"Message {item}"} for item in range(200)]
            items[BAD_COMMAND]["DIALOG_ID"] = "chat999999"
            begin()
            answers = client.batch("im.message.add", items)
            return len(answers.results), answers.errors

        done = run_together(1, work, limit=bench.limit).workers[0]
    if done.error:
        return Figure(f"0 results, {done.error} for all", met=False)
    results, errors = done.value
    named = ", ".join(f"[{number}] {error}" for number, error in errors.items())
    typed = contender.name == OURS and named.startswith(f"[{BAD_COMMAND}] Bitrix24")
    return Figure(
        f"{results} results, {len(errors)} error: {named}", results == 199 and len(errors) == 1 and typed
    )
