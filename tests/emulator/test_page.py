"""The page at the portal's root, driven in a real browser as a person would."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")

from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PHONE = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}

pytestmark = pytest.mark.skipif(
    BROWSER is None or DRIVER is None, reason="chromium and chromedriver are not installed"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    driver.set_window_size(1180, 900)
    yield driver
    driver.quit()


@pytest.fixture
def portal() -> Iterator[Emulator]:
    with Emulator(plan="none") as emulator:
        yield emulator


@pytest.fixture
def page(browser: Any, portal: Emulator) -> Page:
    browser.get(portal.url)
    return Page(browser)


class Page:
    """What the tests do on the page."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def find(self, selector: str) -> Any:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[Any]:
        found: list[Any] = self.driver.find_elements(By.CSS_SELECTOR, selector)
        return found

    def until(self, truth: Callable[[], Any]) -> Any:
        ignored = (webdriver.common.exceptions,) if False else ()
        del ignored
        from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException

        waiting = WebDriverWait(
            self.driver,
            8,
            poll_frequency=0.05,
            ignored_exceptions=[NoSuchElementException, StaleElementReferenceException],
        )
        return waiting.until(lambda _: truth())

    def be(self, name: str) -> None:
        who = Select(self.until(lambda: self.all("#who option") and self.find("#who")))
        [option] = [option.text for option in who.options if option.text.startswith(name)]
        who.select_by_visible_text(option)

    def text(self, selector: str) -> str:
        return str(self.find(selector).text)

    def answers(self) -> list[str]:
        return [str(row.text) for row in self.all(".answer")]
