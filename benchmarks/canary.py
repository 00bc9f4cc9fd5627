"""The row about secrets: where a contender shows what it was told to keep."""

from __future__ import annotations

import asyncio
import io
import logging
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from benchmarks.contenders import CONTENDERS, B24PySdk, Contender, FastBitrix24
from benchmarks.table import OURS, Figure, Row
from benchmarks.tokens import fast_application, our_application
from benchmarks.workers import run_together

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.bench import Bench
    from benchmarks.portal import Portal

#: What goes wrong for one call each; the last two need no fault.
_FAULTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("status_502", {}),
    ("html", {}),
    ("drop_before", {}),
    ("truncated", {}),
    ("redirect", {"location": "https://127.0.0.1:9"}),
)
#: Longer than all attempts of the most patient contender.
_PATIENCE = 30.0


@dataclass
class _Ear:
    """Hears what is said, and remembers which secret was in it and where."""

    secrets: dict[str, str] = field(repr=False)
    hits: set[tuple[str, str]] = field(default_factory=set)
    places: set[str] = field(default_factory=set)
    problems: int = 0

    def hear(self, place: str, text: str) -> None:
        """Look for the secrets in a text."""
        self.places.add(place)
        self.hits |= {
            (name, place)
            for name, secret in self.secrets.items()
            if secret in text or quote(secret, safe="") in text
        }

    def hear_call(self, call: Callable[[], Any]) -> None:
        """Look for the secrets in what a call raises, if it does."""
        try:
            call()
        except Exception as error:  # noqa: BLE001
            self.problems += 1
            shown = traceback.TracebackException.from_exception(error, capture_locals=True)
            self.hear("str", str(error))
            self.hear("repr", repr(error))
            self.hear("traceback", "".join(traceback.format_exception(error)))
            self.hear("traceback with locals", "".join(shown.format()))


def canary(bench: Bench) -> Row:
    """Call as webhook and as application, with every logger at DEBUG, while things go wrong."""
    row = Row("secrets in str, repr, tracebacks, DEBUG logs and what Airflow keeps", "0 hits")
    for contender in CONTENDERS:
        row.figures[contender.name] = _canary(bench, contender)
    return row


def _canary(bench: Bench, contender: Contender) -> Figure:
    with bench.portal("none") as portal:

        def work(number: int, begin: Callable[[], None]) -> _Ear:  # noqa: ARG001
            begin()
            return _listen(portal, contender)

        done = run_together(1, work, limit=bench.limit).workers[0]
    if done.error:
        return Figure(done.error, met=False)
    ear: _Ear = done.value
    by_secret: dict[str, list[str]] = {}
    for secret, place in sorted(ear.hits):
        by_secret.setdefault(secret, []).append(place)
    named = "; ".join(f"{secret} in {', '.join(places)}" for secret, places in by_secret.items())
    text = f"{len(ear.hits)} hits in {len(ear.places)} places after {ear.problems} errors"
    return Figure(f"{text}{': ' if named else ''}{named}", met=not ear.hits and ear.problems > len(_FAULTS))


def _listen(portal: Portal, contender: Contender) -> _Ear:
    tokens = portal.oauth["extra"]
    ear = _Ear(
        {
            "webhook code": portal.webhook["password"],
            "access token": tokens["access_token"],
            "refresh token": tokens["refresh_token"],
            "client secret": portal.oauth["password"],
        }
    )
    logs = _hear_all_loggers()
    client = contender.open(portal)
    application, call = _APPLICATIONS[contender.name](portal)
    _let_it_fail(ear, portal, lambda: client.call("user.current", {}), call)
    ear.hear("repr", f"{client!r} {vars(client)!r} {application!r} {vars(application)!r}")
    if contender.name == OURS:
        _hear_airflow(ear, portal, client)
    ear.hear("DEBUG logs", logs.getvalue())
    return ear


def _let_it_fail(
    ear: _Ear, portal: Portal, by_webhook: Callable[[], Any], by_token: Callable[[], Any]
) -> None:
    for call in (by_webhook, by_token):
        ear.hear_call(call)
        for kind, details in _FAULTS:
            portal.add_fault(kind, times=None, **details)
            ear.hear_call(call)
            portal.control("DELETE", "faults")
    portal.expire_token()
    portal.add_fault("status_502", times=None, method="oauth.token")
    ear.hear_call(by_token)
    portal.control("DELETE", "faults")
    _spend_refresh_token(portal)
    ear.hear_call(by_token)


def _spend_refresh_token(portal: Portal) -> None:
    """RefreshToken behind the contender's back, so that its own renewal is refused."""
    from benchmarks.tokens import refreshed

    refreshed(portal, portal.oauth["extra"]["refresh_token"])
    portal.expire_token()


def _hear_airflow(ear: _Ear, portal: Portal, client: Any) -> None:
    """Look where Airflow keeps or shows what a task has."""
    from airflow_provider_b24.operators.polls import Bitrix24SendPollOperator
    from airflow_provider_b24.triggers.polls import Bitrix24PollTrigger

    conn_id = client.hook.bitrix24_conn_id
    task = Bitrix24SendPollOperator(
        task_id="ask", bitrix24_conn_id=conn_id, chat_id=portal.chat_id, question="Go?", answers=["Yes", "No"]
    )
    sent = task.hook.polls.send(chat_id=task.chat_id, question="Go?", answers=["Yes", "No"])
    ear.hear("XCom", repr(sent))
    ear.hear("rendered fields", repr([getattr(task, name) for name in task.template_fields]))
    trigger = Bitrix24PollTrigger(bitrix24_conn_id=conn_id, poll=sent["message_id"])
    ear.hear("trigger kwargs", repr(trigger.serialize()))
    ear.hear("repr", f"{task!r} {trigger!r} {vars(task)!r} {vars(trigger)!r}")
    ear.hear("connection test", str(client.hook.test_connection()))
    portal.add_fault("status_502", times=None)
    ear.hear("connection test", str(client.hook.test_connection()))
    portal.control("DELETE", "faults")


def _hear_all_loggers() -> io.StringIO:
    heard = io.StringIO()
    logging.disable(logging.NOTSET)
    for name in ("", *logging.root.manager.loggerDict):
        logger = logging.getLogger(name)
        logger.setLevel(logging.DEBUG)
        logger.handlers.clear()
        logger.propagate = True
    handler = logging.StreamHandler(heard)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s"))
    logging.getLogger().addHandler(handler)
    return heard


def _our_application(portal: Portal) -> tuple[Any, Callable[[], Any]]:
    client = our_application(portal)
    return client, lambda: client.call("profile")


def _sdk_application(portal: Portal) -> tuple[Any, Callable[[], Any]]:
    client = B24PySdk().open_application(portal)
    return client, lambda: client.call("profile", {})


def _fast_application(portal: Portal) -> tuple[Any, Callable[[], Any]]:
    client = fast_application(portal)
    # After a renewal that failed it waits for ever for the token.
    return client, lambda: asyncio.run(asyncio.wait_for(client.call("profile", raw=True), _PATIENCE))


_APPLICATIONS: dict[str, Callable[[Portal], tuple[Any, Callable[[], Any]]]] = {
    OURS: _our_application,
    B24PySdk.name: _sdk_application,
    FastBitrix24.name: _fast_application,
}
