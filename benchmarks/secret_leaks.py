"""The row about secrets: the places where a contender shows them."""

from __future__ import annotations

import asyncio
import io
import logging
import signal
import traceback
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from benchmarks.contenders import CONTENDERS, B24PySdk, Contender, FastBitrix24
from benchmarks.table import OURS, Figure, Row
from benchmarks.token_refresh import fast_application, our_application, refreshed
from benchmarks.workers import run_together

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.bench import Bench
    from benchmarks.portal import Portal

#: The faults; one call meets each of them.
_FAULTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("status_502", {}),
    ("html", {}),
    ("drop_before", {}),
    ("truncated", {}),
    ("redirect", {"location": "https://127.0.0.1:9"}),
)
#: Longer than all retries of any contender.
_PATIENCE = 30.0
#: After how many seconds a call is interrupted while the portal is silent, as a task's timeout does.
_TASK_TIMEOUT = 0.5


class _TaskTimeoutError(BaseException):
    """What the signal handler of a task's timeout raises."""


@dataclass
class _Detector:
    """Searches texts for secrets and collects which secret was found where."""

    secrets: dict[str, str] = field(repr=False)
    hits: set[tuple[str, str]] = field(default_factory=set)
    places: set[str] = field(default_factory=set)
    errors: int = 0

    def search(self, place: str, text: str) -> None:
        """Search a text for the secrets."""
        self.places.add(place)
        self.hits |= {
            (name, place)
            for name, secret in self.secrets.items()
            if secret in text or quote(secret, safe="") in text
        }

    def search_error(self, call: Callable[[], Any]) -> None:
        """Search the error that a call raises, if any."""
        try:
            call()
        except (Exception, _TaskTimeoutError) as error:  # noqa: BLE001
            self.errors += 1
            shown = traceback.TracebackException.from_exception(error, capture_locals=True)
            self.search("str", str(error))
            self.search("repr", repr(error))
            self.search("traceback", "".join(traceback.format_exception(error)))
            self.search("traceback with locals", "".join(shown.format()))


def secret_leaks(bench: Bench) -> Row:
    """Call as webhook and as application during faults, with every logger at DEBUG."""
    row = Row("secrets in str, repr, tracebacks, DEBUG logs and what Airflow stores", "0 hits")
    for contender in CONTENDERS:
        row.figures[contender.name] = _secret_leaks(bench, contender)
    return row


def _secret_leaks(bench: Bench, contender: Contender) -> Figure:
    with bench.portal("none") as portal:

        def work(number: int, begin: Callable[[], None]) -> _Detector:  # noqa: ARG001
            begin()
            return _run(portal, contender)

        done = run_together(1, work, limit=bench.limit).workers[0]
    if done.error:
        return Figure(done.error, met=False)
    detector: _Detector = done.value
    by_secret: dict[str, list[str]] = {}
    for secret, place in sorted(detector.hits):
        by_secret.setdefault(secret, []).append(place)
    named = "; ".join(f"{secret} in {', '.join(places)}" for secret, places in by_secret.items())
    text = f"{len(detector.hits)} hits in {len(detector.places)} places after {detector.errors} errors"
    return Figure(
        f"{text}{': ' if named else ''}{named}", met=not detector.hits and detector.errors > len(_FAULTS)
    )


def _run(portal: Portal, contender: Contender) -> _Detector:
    tokens = portal.oauth["extra"]
    detector = _Detector(
        {
            "webhook code": portal.webhook["password"],
            "access token": tokens["access_token"],
            "refresh token": tokens["refresh_token"],
            "client secret": portal.oauth["password"],
        }
    )
    logs = _capture_all_loggers()
    client = contender.open(portal)
    application, call = _APPLICATIONS[contender.name](portal)
    _call_with_faults(detector, portal, lambda: client.call("user.current", {}), call)
    detector.search("repr", f"{client!r} {vars(client)!r} {application!r} {vars(application)!r}")
    if contender.name == OURS:
        _search_airflow(detector, portal, client)
    detector.search("DEBUG logs", logs.getvalue())
    return detector


def _call_with_faults(
    detector: _Detector, portal: Portal, by_webhook: Callable[[], Any], by_token: Callable[[], Any]
) -> None:
    for call in (by_webhook, by_token):
        detector.search_error(call)
        for kind, details in _FAULTS:
            portal.add_fault(kind, times=None, **details)
            detector.search_error(call)
            portal.control("DELETE", "faults")
        portal.add_fault("slow", times=None, seconds=4 * _TASK_TIMEOUT)
        detector.search_error(_interrupted(call))
        portal.control("DELETE", "faults")
    portal.expire_token()
    portal.add_fault("status_502", times=None, method="oauth.token")
    detector.search_error(by_token)
    portal.control("DELETE", "faults")
    _spend_refresh_token(portal)
    detector.search_error(by_token)


def _interrupted(call: Callable[[], Any]) -> Callable[[], Any]:
    """Return the call with a task's timeout in the middle of it."""

    def work() -> Any:
        with _task_timeout():
            return call()

    return work


@contextmanager
def _task_timeout() -> Iterator[None]:
    def interrupt(*_: object) -> None:
        raise _TaskTimeoutError("timeout")

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, _TASK_TIMEOUT)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _spend_refresh_token(portal: Portal) -> None:
    """Refresh the token elsewhere, so that the contender's own refresh is refused."""
    refreshed(portal, portal.oauth["extra"]["refresh_token"])
    portal.expire_token()


def _search_airflow(detector: _Detector, portal: Portal, client: Any) -> None:
    """Search what Airflow stores or shows of a task."""
    from airflow_provider_b24.operators.polls import Bitrix24SendPollOperator
    from airflow_provider_b24.triggers.polls import Bitrix24PollTrigger

    conn_id = client.hook.bitrix24_conn_id
    task = Bitrix24SendPollOperator(
        task_id="ask", bitrix24_conn_id=conn_id, chat_id=portal.chat_id, question="Go?", answers=["Yes", "No"]
    )
    sent = task.hook.polls.send(chat_id=task.chat_id, question="Go?", answers=["Yes", "No"])
    detector.search("XCom", repr(sent))
    detector.search("rendered fields", repr([getattr(task, name) for name in task.template_fields]))
    trigger = Bitrix24PollTrigger(bitrix24_conn_id=conn_id, poll=sent["message_id"])
    detector.search("trigger kwargs", repr(trigger.serialize()))
    detector.search("repr", f"{task!r} {trigger!r} {vars(task)!r} {vars(trigger)!r}")
    detector.search("connection test", str(client.hook.test_connection()))
    portal.add_fault("status_502", times=None)
    detector.search("connection test", str(client.hook.test_connection()))
    portal.control("DELETE", "faults")


def _capture_all_loggers() -> io.StringIO:
    captured = io.StringIO()
    logging.disable(logging.NOTSET)
    for name in ("", *logging.root.manager.loggerDict):
        logger = logging.getLogger(name)
        logger.setLevel(logging.DEBUG)
        logger.handlers.clear()
        logger.propagate = True
    handler = logging.StreamHandler(captured)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s"))
    logging.getLogger().addHandler(handler)
    return captured


def _our_application(portal: Portal) -> tuple[Any, Callable[[], Any]]:
    client = our_application(portal)
    return client, lambda: client.call("profile")


def _sdk_application(portal: Portal) -> tuple[Any, Callable[[], Any]]:
    client = B24PySdk().open_application(portal)
    return client, lambda: client.call("profile", {})


def _fast_application(portal: Portal) -> tuple[Any, Callable[[], Any]]:
    client = fast_application(portal)
    # After a failed refresh it waits forever for the token.
    return client, lambda: asyncio.run(asyncio.wait_for(client.call("profile", raw=True), _PATIENCE))


_APPLICATIONS: dict[str, Callable[[Portal], tuple[Any, Callable[[], Any]]]] = {
    OURS: _our_application,
    B24PySdk.name: _sdk_application,
    FastBitrix24.name: _fast_application,
}
