"""``python -m demo.pictures``: take the pictures of the documentation.

A real Airflow asks people of the emulated portal, which a headless Chromium shows. Each stage is a function
that brings the ask one step further and takes its pictures; ``--only`` keeps those whose names begin with
the given text. A new stage is one more function in ``STAGES``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from demo.processes import Processes
from demo.stack import Airflow, airflow_environment, free_port
from demo.world import Portal

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
DAG = "release"
CHAT = 1489
SIZE = (1280, 840)
WITHIN = 300.0


class Browser:
    """A headless Chromium that takes pictures; a context manager.

    :param folder: where the pictures are written.
    :param only: pictures whose names do not begin with it are not taken.
    """

    def __init__(self, folder: Path, only: str = "") -> None:
        self._folder = folder
        self._only = only
        self.taken: list[Path] = []

    def __enter__(self) -> Browser:
        options = webdriver.ChromeOptions()
        options.binary_location = _program("CHROMIUM", "chromium", "chromium-browser", "google-chrome")
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
            options.add_argument(argument)
        options.add_argument(f"--window-size={SIZE[0]},{SIZE[1]}")
        driver = _program("CHROMEDRIVER", "chromedriver")
        self.driver = webdriver.Chrome(options=options, service=Service(driver))
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": SIZE[0], "height": SIZE[1], "deviceScaleFactor": 1, "mobile": False},
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.driver.quit()

    def open(self, url: str, *texts: str) -> None:
        """Open a page and wait until it shows the texts."""
        self.driver.get(url)
        self.wait_for(*texts)

    def wait_for(self, *texts: str) -> None:
        """Wait until the page shows the texts."""

        def shown(driver: Any) -> bool:
            body = driver.find_element(By.TAG_NAME, "body").text
            return all(text in body for text in texts)

        WebDriverWait(self.driver, WITHIN, ignored_exceptions=(Exception,)).until(shown, f"no {texts}")

    def click(self, selector: str) -> None:
        """Click what a CSS selector finds, once it is there."""
        WebDriverWait(self.driver, WITHIN, ignored_exceptions=(Exception,)).until(
            lambda driver: driver.find_element(By.CSS_SELECTOR, selector).click() or True
        )

    def scroll_to(self, selector: str) -> None:
        """Scroll until the top of what a CSS selector finds is shown."""
        found = self.driver.find_element(By.CSS_SELECTOR, selector)
        self.driver.execute_script("arguments[0].scrollIntoView()", found)

    def shoot(self, name: str) -> None:
        """Take a picture once the page is at rest."""
        if not name.startswith(self._only):
            return
        self.driver.execute_script("document.activeElement.blur()")
        time.sleep(1.5)
        path = self._folder / f"{name}.png"
        path.write_bytes(self.driver.get_screenshot_as_png())
        self.taken.append(path)
        print(f"{path.name}: {path.stat().st_size // 1024} KiB", flush=True)


@dataclass
class Scene:
    """What the stages share.

    :param airflow: the running Airflow.
    :param portal: the emulated portal.
    :param browser: takes the pictures.
    :param run_id: the run of the ask.
    """

    airflow: Airflow
    portal: Portal
    browser: Browser
    run_id: str = ""
    people: dict[str, int] = field(default_factory=dict)

    def start(self) -> None:
        """Run the DAG and wait until its ask waits in the triggerer."""
        self.people = {user["name"]: user["id"] for user in self.portal.state()["users"]}
        self.airflow.wait_for_dag(DAG)
        self.run_id = self.airflow.run_dag(DAG, {"chat_id": CHAT})
        self.wait_until(lambda: self.state_of("ask") in {"deferred", "failed"})
        if self.state_of("ask") == "failed":
            raise RuntimeError("The ask failed")

    def state_of(self, task_id: str) -> str | None:
        """Return the state of a task of the run."""
        return self.airflow.task_states(DAG, self.run_id).get(task_id)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that Airflow or the portal does."""
        deadline = time.monotonic() + WITHIN
        while not condition():
            if time.monotonic() > deadline:
                raise RuntimeError("The stage did not come in time")
            time.sleep(0.5)

    def vote(self, name: str, answer: str) -> None:
        """Vote as one of the team."""
        (poll,) = self.portal.state()["polls"]
        body = {"message_id": poll["message_id"], "user_id": self.people[name], "answers": [answer]}
        requests.post(f"{self.portal.url}/emulator/vote", json=body, timeout=10).raise_for_status()

    def texts(self) -> str:
        """Return what is written in the chat."""
        (chat,) = [chat for chat in self.portal.state()["chats"] if chat["id"] == CHAT]
        return "\n".join(message["text"] for message in chat["messages"])

    def show_chat(self, person: str, *texts: str) -> None:
        """Open the chat as one of the team sees it."""
        self.browser.open(self.portal.url, "General")
        select = Select(self.browser.driver.find_element(By.ID, "who"))
        select.select_by_value(str(self.people[person]))
        self.browser.wait_for(*texts)

    def show_task(self, page: str, *texts: str) -> None:
        """Open a page of the asking task in Airflow's web UI."""
        self.show_airflow(f"dags/{DAG}/runs/{self.run_id}/tasks/ask/{page}", *texts)

    def show_airflow(self, path: str, *texts: str) -> None:
        """Open a page of Airflow's web UI."""
        self.browser.open(f"{self.airflow.url}/{path}", *texts)


def poll(scene: Scene) -> None:
    """Show the poll in the chat."""
    scene.show_chat("Anna Petrova", "When do we release 4.2?")
    scene.browser.shoot("ask-1-poll")


def waiting(scene: Scene) -> None:
    """Show the deferred task with its links, and the same question under Required Actions."""
    # Before the first reminder, which names those who have not voted.
    scene.vote("Anna Petrova", "Tonight")
    scene.vote("Boris Klein", "Next week")
    scene.show_task("details", "Poll results", "Triggerer Info")
    scene.browser.shoot("ask-2-waiting")
    scene.show_task("required_actions", "When do we release 4.2?")
    scene.browser.shoot("ask-3-required-action")


def votes(scene: Scene) -> None:
    """Show two votes, and the reminder to those who have not voted."""
    scene.wait_until(lambda: "Please vote" in scene.texts())
    scene.show_chat("Clara Moreau", "Please vote")
    scene.browser.shoot("ask-4-votes-and-reminder")


def decision(scene: Scene) -> None:
    """Show the decision in the chat, below the closed poll."""
    scene.vote("Clara Moreau", "Tonight")
    scene.wait_until(lambda: scene.airflow.run_state(DAG, scene.run_id) == "success")
    scene.show_chat("Anna Petrova", "Decision")
    scene.browser.shoot("ask-5-decision")


def branch(scene: Scene) -> None:
    """Show the audit in XCom, and what followed in the DAG's graph."""
    browser = scene.browser
    scene.show_task("xcom?key_pattern=return_value", "return_value")
    browser.click("button[aria-label^='Expand all']")
    browser.wait_for("chosen_options")
    browser.scroll_to("tbody td:last-of-type")
    browser.shoot("ask-7-audit")
    scene.show_airflow(f"dags/{DAG}/runs/{scene.run_id}", "ask")
    browser.click("button[title^='Show Graph']")
    browser.wait_for("@task")
    browser.shoot("ask-6-branch")


#: In this order; each goes on from where the one before ended.
STAGES: tuple[Callable[[Scene], None], ...] = (poll, waiting, votes, decision, branch)


def main() -> int:
    """Take the pictures and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m demo.pictures", description=__doc__)
    parser.add_argument("--only", default="", help="take only pictures whose names begin with this")
    parser.add_argument("--to", type=Path, default=IMAGES, help="the folder (default: docs/images)")
    options = parser.parse_args()
    options.to.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="bitrix24-pictures-"))
    port = free_port()
    env = airflow_environment(home=home, dags=ROOT / "demo" / "dags", port=port)
    portal_processes, airflow_processes = Processes(logs=home, env=env), Processes(logs=home, env=env)
    try:
        portal = Portal(folder=home, processes=portal_processes)
        portal.start(port=free_port(), vote_every=1.0, voters=0)
        airflow_processes = Processes(logs=home, env=env | portal.prepare())
        airflow = Airflow(url=f"http://127.0.0.1:{port}", processes=airflow_processes)
        airflow.start()
        with Browser(options.to, options.only) as browser:
            scene = Scene(airflow, portal, browser)
            scene.start()
            for stage in STAGES:
                stage(scene)
        return 0
    finally:
        airflow_processes.stop()
        portal_processes.stop()
        shutil.rmtree(home, ignore_errors=True)


def _program(variable: str, *names: str) -> str:
    """Return the path of a program: what the environment variable says, or the first that is installed."""
    found = os.environ.get(variable) or next(filter(None, map(shutil.which, names)), None)
    if found is None:
        raise SystemExit(f"{names[0]} is not installed; {variable} may name it")
    return found


if __name__ == "__main__":
    sys.exit(main())
