"""The connection form in the web UI of Airflow 3 and of Airflow 2, as a person uses it."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

if TYPE_CHECKING:
    from demo.pictures import Browser

_WITHIN = 180.0
#: The administrator of Airflow 2, whose home is removed at the end.
USER = {"username": "admin", "password": secrets.token_hex(8)}


class Field(NamedTuple):
    """A field as the form shows it.

    :param name: the field's name in the page.
    :param label: what stands beside it.
    :param kind: ``text``, ``password``, ``number`` or ``choice``.
    :param hint: its placeholder, or the line below it.
    """

    name: str
    label: str
    kind: str
    hint: str


#: Finds the visible fields of a part of the page. A list to choose from has its value in a hidden input.
_READ_FIELDS = """
const shown = (node) => node.getClientRects().length > 0
const text = (node) => node?.innerText.replace(/\\s+/g, ' ').trim() ?? ''
return [...document.querySelectorAll(arguments[0])].flatMap((input) => {
  const row = input.closest(arguments[1])
  if (!row || !shown(row)) return []
  const named = [...row.querySelectorAll('input[type=hidden]')].some((hidden) => hidden.name)
  const chooses = input.getAttribute('role') === 'combobox' && !named
  const name = input.name || (chooses ? text(row.querySelector('label')).toLowerCase() : '')
  if (!name) return []
  const kind = chooses || input.type === 'hidden' || input.tagName === 'SELECT' ? 'choice'
    : input.getAttribute('role') === 'spinbutton' ? 'number'
    : input.tagName === 'TEXTAREA' ? 'text' : input.type
  const help = [...row.querySelectorAll(arguments[2])].at(-1)
  return [[name, text(row.querySelector('label')), kind, input.placeholder || text(help)]]
})
"""


class Form3:
    """The dialog of Airflow 3."""

    _inputs = "[role=dialog] :is(input, textarea[name], button[role=combobox])"
    _row = "[data-scope=field][data-part=root]"
    _help = "[data-part=helper-text]"

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser = browser
        self._driver: Any = browser.driver
        self._url = url

    def open(self) -> None:
        """Open the dialog and choose the type Bitrix24."""
        # The first page logs in and leads to the home page, whatever was asked for.
        self._browser.open(self._url, "Welcome")
        self._browser.open(f"{self._url}/connections", "Add Connection")
        self._click("//button[contains(., 'Add Connection')]")
        self._browser.wait_for("Connection Type")
        chooser = self._find("[role=dialog] [role=combobox]")
        chooser.send_keys("Bitrix24")
        time.sleep(0.5)
        chooser.send_keys(Keys.ENTER)
        self._browser.wait_for("Portal")

    def parts(self) -> dict[str, str]:
        """Return each part of the form: a name for its picture, and what opens it."""
        return {"": "Standard Fields", "-extras": "Extra Fields"}

    def show(self, part: str) -> None:
        """Open one part of the form."""
        trigger = self._xpath(f"//button[@data-part='item-trigger'][normalize-space()='{part}']")
        if trigger.get_attribute("aria-expanded") != "true":
            trigger.click()
        time.sleep(1)

    def fields(self) -> list[Field]:
        """Return the fields that are visible now."""
        found = self._driver.execute_script(_READ_FIELDS, self._inputs, self._row, self._help)
        return [Field(*row) for row in found]

    def fill(self, conn_id: str, values: dict[str, str]) -> None:
        """Type an id and values."""
        self._find("input[name=connection_id]").send_keys(conn_id)
        for name, value in values.items():
            self._find(f"[role=dialog] [name={name}]").send_keys(value)

    def save(self, conn_id: str) -> None:
        """Save, and wait until the list shows the connection."""
        self._click("//button[normalize-space()='Save']")
        self._browser.wait_for(conn_id)
        self._until(lambda driver: not driver.find_elements(By.CSS_SELECTOR, "[role=dialog]"))

    def test(self, conn_id: str) -> str:
        """Click the Test button of the connection's row and return what Airflow says."""
        self._click(f"//tr[contains(., '{conn_id}')]//button[@aria-label='Test Connection']")
        toast = "[data-scope=toast][data-part=root]"
        self._until(lambda driver: driver.find_elements(By.CSS_SELECTOR, toast))
        self._until(lambda _: "Test Connection" in self._find(toast).text)
        return " ".join(self._find(toast).text.split())

    def text(self) -> str:
        """Return what the page shows now."""
        return str(self._find("body").text)

    def _find(self, selector: str) -> Any:
        return self._driver.find_element(By.CSS_SELECTOR, selector)

    def _xpath(self, path: str) -> Any:
        return self._driver.find_element(By.XPATH, path)

    def _click(self, path: str) -> None:
        self._until(lambda driver: driver.find_element(By.XPATH, path).is_enabled())
        self._xpath(path).click()

    def _until(self, condition: Any) -> None:
        WebDriverWait(self._driver, _WITHIN, ignored_exceptions=(Exception,)).until(condition)


class Form2(Form3):
    """The page of Airflow 2."""

    _inputs = "form input:not([type=hidden]), form textarea, form select"
    _row = "tr"
    _help = ".help-block"

    def open(self) -> None:
        """Log in, open the page and choose the type Bitrix24."""
        self._browser.open(f"{self._url}/login/", "Sign In")
        for name, value in USER.items():
            self._find(f"#{name}").send_keys(value)
        self._find("#password").send_keys(Keys.ENTER)
        self._browser.wait_for("Cluster Activity", "Admin")
        self._browser.open(f"{self._url}/connection/add", "Connection Type")
        self._driver.execute_script("$('#conn_type').val('bitrix24').trigger('change')")
        self._browser.wait_for("Portal")

    def parts(self) -> dict[str, str]:
        """Return the one part of the form."""
        return {"": "the whole page"}

    def show(self, part: str) -> None:
        """Do nothing: all fields are on one page."""

    def fill(self, conn_id: str, values: dict[str, str]) -> None:
        """Type an id and values."""
        for name, value in {"conn_id": conn_id, **values}.items():
            self._find(f"#{name}").send_keys(value)

    def test(self, conn_id: str) -> str:  # noqa: ARG002
        """Click the Test button below the form and return what Airflow says."""
        self._find("#test-connection").click()
        self._until(lambda _: "Portal http" in self._find("body").text)
        texts = [one.text for one in self._driver.find_elements(By.CSS_SELECTOR, ".alert")]
        return " ".join(next(text for text in texts if "Portal http" in text).replace("×", "").split())

    def save(self, conn_id: str) -> None:
        """Save, and wait until the list shows the connection."""
        self._click("//form[@id='model_form']//button[contains(., 'Save')]")
        # It leads to the page that was open before.
        self._until(lambda driver: "/connection/add" not in driver.current_url)
        self._browser.open(f"{self._url}/connection/list/", conn_id)
