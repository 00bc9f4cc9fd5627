"""``python -m demo.browser_actions``: click on what an ask offers in the web UI of Airflow 3.3.

A DAG asks in two channels. The links of its task are opened, and the Required Action is answered by a click
in Airflow; the DAG goes on with the answer, and the poll in the chat is closed. It prints a transcript and
writes a picture to ``docs/images``.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from demo.pictures import CHAT, DAG, IMAGES, ROOT, WITHIN, Browser, Scene
from demo.processes import Processes
from demo.stack import Airflow, airflow_environment, free_port
from demo.world import Portal

if TYPE_CHECKING:
    from collections.abc import Callable

LINKS = {"Poll results": "Results", "Bitrix24 chat": "General"}


def main() -> int:
    """Open the links, answer the Required Action, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m demo.browser_actions", description=__doc__)
    parser.add_argument("--to", type=Path, default=IMAGES, help="the folder of the pictures (docs/images)")
    options = parser.parse_args()
    options.to.mkdir(parents=True, exist_ok=True)
    home, port = Path(tempfile.mkdtemp(prefix="bitrix24-actions-")), free_port()
    env = airflow_environment(home=home, dags=ROOT / "demo" / "dags", port=port)
    portal_processes, airflow_processes = Processes(logs=home, env=env), Processes(logs=home, env=env)
    try:
        portal = Portal(folder=home, processes=portal_processes)
        portal.start(port=free_port(), vote_every=1.0, voters=0)
        airflow_processes = Processes(logs=home, env=env | portal.prepare())
        airflow = Airflow(url=f"http://127.0.0.1:{port}", processes=airflow_processes)
        airflow.start()
        with Browser(options.to) as browser:
            scene = Scene(airflow, portal, browser)
            scene.start()
            open_links(scene)
            answer(scene)
        return 0
    finally:
        airflow_processes.stop()
        portal_processes.stop()
        shutil.rmtree(home, ignore_errors=True)


def open_links(scene: Scene) -> None:
    """Click on each link of the waiting task, and look where it leads."""
    page, (question, _) = f"dags/{DAG}/runs/{scene.run_id}/tasks/ask/details", asked(scene)
    driver: Any = scene.browser.driver
    # The first page logs in and leads to the home page, whatever was asked for.
    scene.browser.open(scene.airflow.url, "Welcome")
    scene.show_airflow(page, *LINKS)
    first = driver.current_window_handle
    for name, words in LINKS.items():
        _click(driver, f"//*[self::a or self::button][normalize-space()='{name}']")
        _until(driver, lambda driver: len(driver.window_handles) == 2)
        (tab,) = [handle for handle in driver.window_handles if handle != first]
        driver.switch_to.window(tab)
        # The portal's page rests while it is hidden.
        driver.execute_cdp_cmd("Page.bringToFront", {})
        scene.browser.wait_for(words, question)
        print(f"The link {name!r} opens {driver.current_url}", flush=True)
        driver.close()
        driver.switch_to.window(first)


def asked(scene: Scene) -> tuple[str, str]:
    """Return the question of the poll in the chat, and its first answer."""
    (poll,) = scene.portal.state()["polls"]
    (question,) = poll["questions"]
    return question["text"], question["answers"][0]["text"]


def answer(scene: Scene) -> None:
    """Answer the Required Action by a click, and wait for what follows."""
    driver: Any = scene.browser.driver
    question, choice = asked(scene)
    scene.show_airflow(f"dags/{DAG}/runs/{scene.run_id}/tasks/ask/required_actions", question, choice)
    _click(driver, f"//button[normalize-space()='{choice}']")
    print(f"Clicked on {choice!r} in Airflow", flush=True)
    scene.wait_until(lambda: scene.airflow.run_state(DAG, scene.run_id) in {"success", "failed"})
    states = scene.airflow.task_states(DAG, scene.run_id)
    result = scene.airflow.result(DAG, scene.run_id, "ask")
    (poll,) = scene.portal.state()["polls"]
    print(f"The tasks of the run: {states}")
    print(f"decided_by: {result['decided_by']}, chosen_options: {result['chosen_options']}")
    print(f"The poll in chat {CHAT} is closed: {poll['is_finished']}", flush=True)
    scene.show_airflow(f"dags/{DAG}/runs/{scene.run_id}/tasks/ask/required_actions", question)
    scene.browser.shoot("ask-answered-in-airflow")
    followed = sorted(state for task_id, state in states.items() if task_id != "ask")
    decided = (result["decided_by"], result["chosen_options"]) == ("airflow", [choice])
    if followed != ["skipped", "success"] or not decided or not poll["is_finished"]:
        raise RuntimeError("The click did not decide the ask")


def _click(driver: Any, path: str) -> None:
    _until(driver, lambda driver: driver.find_element(By.XPATH, path).is_displayed())
    driver.find_element(By.XPATH, path).click()


def _until(driver: Any, condition: Callable[[Any], bool]) -> None:
    WebDriverWait(driver, WITHIN, ignored_exceptions=(Exception,)).until(condition)


if __name__ == "__main__":
    sys.exit(main())
