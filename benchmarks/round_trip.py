"""``python -m benchmarks.round_trip``: a ticket goes into an open line, and a person's reply comes back.

Airflow's four components run ``example_dags/ticket_round_trip.py`` against an emulated portal on loopback. A
person replies as the operator on the portal's page, in a headless Chromium (selenium, chromium and
chromedriver must be installed). It measures nothing: the transcript shows each step.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.connector import CONNECTOR, Connector
from benchmarks.portal import Portal
from benchmarks.triggerer_kill import say
from demo.processes import Processes
from demo.stack import Airflow, airflow_environment, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_EXAMPLE = Path(__file__).resolve().parent.parent / "example_dags" / "ticket_round_trip.py"
_PUSH, _REPLIES = "bitrix24_push_tickets", "bitrix24_ticket_replies"
_TICKET = {"number": 7, "customer_id": "c1", "customer": "Maria", "text": "Where is my order?"}
_ANSWER = "It left our warehouse today"


class Scenario:
    """The round trip.

    :param tickets: the folder of the ticket system.
    :param limit: seconds for each step.
    """

    def __init__(
        self, airflow: Airflow, processes: Processes, portal: Portal, tickets: Path, *, limit: float
    ) -> None:
        self._airflow = airflow
        self._processes = processes
        self._portal = portal
        self._tickets = tickets
        self._limit = limit

    def run(self) -> bool:
        """Run all steps and return whether the reply came back and was marked delivered."""
        connector = Connector(self._portal)
        connector.set_up()
        say(f"The connector {CONNECTOR!r} works on line {connector.line}; the application hears of replies")
        (self._tickets / "7.ticket.json").write_text(json.dumps(_TICKET))
        run = self._airflow.run_dag(_PUSH, {"connector": CONNECTOR, "line": connector.line})
        self._until(
            lambda: self._airflow.run_state(_PUSH, run) == "success", f"the run of {_PUSH} has succeeded"
        )
        say(f"The portal has: {self._portal.messages()}")
        with browser() as driver:
            self._answer(driver)
            self._until(lambda: list(self._tickets.glob("*.reply.json")), "the reply is in the ticket system")
            (stored,) = self._tickets.glob("*.reply.json")
            say(f"{stored.name}: {stored.read_text()}")
            self._until(
                lambda: self._shown(driver, ".message.mine .delivered"), "the page shows the delivery"
            )
            say(f"On the page: {self._shown(driver, '.message.mine')!r}")
        self._until(lambda: "success" in self._runs().values(), f"the run of {_REPLIES} has succeeded")
        say(f"Runs of {_REPLIES}: {self._runs()}; left in the queue: {len(connector.queue())}")
        return json.loads(stored.read_text())["text"] == _ANSWER and not connector.queue()

    def _answer(self, driver: Any) -> None:
        """Reply on the page as a person does."""
        from selenium.webdriver.common.keys import Keys
        from selenium.webdriver.support.ui import Select

        driver.get(self._portal.url)
        self._until(lambda: self._shown(driver, "#lines button"), "the page shows the ticket's conversation")
        who = Select(driver.find_element("css selector", "#who"))
        name = next(option.text for option in who.options if option.text.startswith("Elena"))
        who.select_by_visible_text(name)
        driver.find_element("css selector", "#lines button").click()
        self._until(lambda: _ANSWER in self._typed(driver), f"{name} has typed an answer")
        driver.find_element("css selector", "#text").send_keys(Keys.ENTER)
        self._until(
            lambda: _ANSWER in self._shown(driver, ".message.mine .bubble"), "the answer is in the chat"
        )

    @staticmethod
    def _typed(driver: Any) -> str:
        field = driver.find_element("css selector", "#text")
        if field.is_displayed() and not field.get_attribute("value"):
            field.send_keys(_ANSWER)
        return str(field.get_attribute("value"))

    @staticmethod
    def _shown(driver: Any, selector: str) -> str:
        found = driver.find_elements("css selector", selector)
        return " ".join(found[0].text.split()) if found else ""

    def _runs(self) -> dict[str, str]:
        rows = self._airflow.all(f"/dags/{_REPLIES}/dagRuns", "dag_runs")
        return {row["dag_run_id"]: row["state"] for row in rows}

    def _until(self, condition: Callable[[], Any], what: str) -> None:
        deadline = time.monotonic() + self._limit
        while not condition():
            self._processes.check()
            if time.monotonic() > deadline:
                raise RuntimeError(f"Not within {self._limit:.0f} s: {what}")
            time.sleep(0.5)
        say(what[0].upper() + what[1:])


@contextmanager
def browser() -> Iterator[Any]:
    """A headless Chromium for the time of the block."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver_path = shutil.which("chromedriver")
    if found is None or driver_path is None:
        raise RuntimeError("Chromium and chromedriver are needed")
    with tempfile.TemporaryDirectory(prefix="bitrix24-chromium-") as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = found
        for flag in (
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            f"--user-data-dir={profile}",
        ):
            options.add_argument(flag)
        driver = webdriver.Chrome(options=options, service=Service(driver_path))
        try:
            yield driver
        finally:
            driver.quit()


def main() -> int:
    """Run the scenario and return the exit status."""
    options = _options()
    folder = Path(tempfile.mkdtemp(prefix="bitrix24-round-trip-"))
    dags, tickets = folder / "dags", folder / "tickets"
    dags.mkdir()
    tickets.mkdir()
    shutil.copy(_EXAMPLE, dags)
    port = free_port()
    env = airflow_environment(home=folder, dags=dags, port=port)
    env["TICKETS"] = str(tickets)
    # Without it the scheduler starts no run of an asset event either.
    env["AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE"] = "True"
    processes = Processes(logs=folder, env=env)
    try:
        with Portal() as portal:
            env["AIRFLOW_CONN_BITRIX24_APP"] = json.dumps(portal.oauth)
            processes = Processes(logs=folder, env=env)
            url = f"http://127.0.0.1:{port}"
            airflow = Airflow(url=url, processes=processes, patience=options.limit)
            airflow.start()
            say("Airflow is up: api-server, scheduler, triggerer, dag-processor")
            airflow.wait_for_dag(_REPLIES)
            succeeded = Scenario(airflow, processes, portal, tickets, limit=options.limit).run()
    except RuntimeError as error:
        print(f"The scenario failed: {error}", file=sys.stderr)
        return 1
    finally:
        processes.stop()
        say(f"Everything is stopped{f'; the logs are in {folder}' if options.keep else ''}")
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    return 0 if succeeded else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.round_trip", description=__doc__)
    parser.add_argument("--limit", type=float, default=300.0, help="seconds for each step (%(default)s)")
    parser.add_argument("--keep", action="store_true", help="keep Airflow's home with its logs")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
