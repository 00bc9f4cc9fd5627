"""A person allows the application in a real browser, which brings the code back to the command."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from .conftest import Person

pytest.importorskip("selenium.webdriver", reason="selenium is not installed")

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_b24.emulator import Emulator

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        BROWSER is None or DRIVER is None, reason="chromium and chromedriver are not installed"
    ),
]


@pytest.fixture
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"):
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


def wait_for(browser: Any, words: str) -> None:
    WebDriverWait(browser, 30).until(lambda driver: words in driver.find_element(By.TAG_NAME, "body").text)


class Clicking(Person):
    """Opens the address in the browser, says who it is, and clicks Allow."""

    def __init__(self, browser: Any, portal: Emulator, user: int) -> None:
        super().__init__({})
        self.browser, self.portal, self.user = browser, portal, user

    def say(self, text: str) -> None:
        super().say(text)
        if "/oauth/authorize/" not in text:
            return
        here = next(word for word in text.split() if word.startswith("http://127.0.0.1"))
        self.portal.set_application(redirect_uri=here)
        self.browser.get(self.address)
        wait_for(self.browser, "It asks to act as you")
        Select(self.browser.find_element(By.ID, "user")).select_by_value(str(self.user))
        self.browser.find_element(By.ID, "allow").click()
        wait_for(self.browser, "go back to the terminal")


def test_the_click_on_allow_authorises_the_application_for_that_person(
    browser: Any, portal: Emulator, login: Callable[..., bool], rows: Callable[[], Any]
) -> None:
    portal.set_application(authorize_at_once=False)
    person = Clicking(browser, portal, user=2)

    assert login(person, port=0)

    assert "user Anna Petrova (id 2" in person.said[-1]
    assert rows()["extra"]["refresh_token"] == portal.application.refresh_token


def test_the_portals_page_says_that_an_application_is_not_installed(browser: Any, portal: Emulator) -> None:
    portal.set_application(installed=False, authorize_at_once=False)
    browser.get(f"{portal.url}/oauth/authorize/?client_id={portal.application.client_id}")
    wait_for(browser, "The application is not installed on this portal.")


def test_the_page_shows_the_code_of_an_application_without_an_address(browser: Any, portal: Emulator) -> None:
    portal.set_application(redirect_uri="", authorize_at_once=False)
    browser.get(f"{portal.url}/oauth/authorize/?client_id={portal.application.client_id}")
    wait_for(browser, "It asks to act as you")
    browser.find_element(By.ID, "allow").click()
    wait_for(browser, "Its code:")
    shown = browser.find_element(By.ID, "given").text
    assert portal.portal.credentials.use_code(shown) == 1
