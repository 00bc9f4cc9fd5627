"""The page at the portal's root, driven in a real browser as a person would."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_b24.emulator.state.polls import Poll

    from ..conftest import Caller

pytest.importorskip("selenium.webdriver", reason="selenium is not installed")

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
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

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        BROWSER is None or DRIVER is None, reason="chromium and chromedriver are not installed"
    ),
]


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
        """Return what the condition gives once it is true; rows come and go meanwhile."""
        waiting = WebDriverWait(
            self.driver,
            8,
            poll_frequency=0.05,
            ignored_exceptions=[NoSuchElementException, StaleElementReferenceException],
        )
        return waiting.until(lambda _: truth())

    def be(self, name: str) -> None:
        self.until(lambda: self.all("#who option"))
        who = Select(self.find("#who"))
        [option] = [option.text for option in who.options if option.text.startswith(name)]
        who.select_by_visible_text(option)

    def click(self, selector: str, text: str = "") -> None:
        """Click the element with this text; again if it was redrawn under the mouse."""
        self.until(lambda: self._clicked(selector, text))

    def _clicked(self, selector: str, text: str) -> bool:
        found = [element for element in self.all(selector) if text in element.text]
        if found:
            found[0].click()
        return bool(found)

    def answers(self) -> list[str]:
        return [" ".join(row.text.split()) for row in self.all(".answer")]

    def news(self) -> str:
        return str(self.find("#news").get_attribute("textContent"))


@pytest.fixture
def portal() -> Iterator[Emulator]:
    # The clock of the other tests stands still, and a person's does not.
    with Emulator(plan="none") as emulator:
        yield emulator


@pytest.fixture
def page(browser: Any, portal: Emulator) -> Page:
    browser.get(portal.url)
    return Page(browser)


def test_a_click_on_an_answer_is_a_vote(page: Page, portal: Emulator, caller: Caller) -> None:
    message = caller.send("Deploy?")["messageId"]
    page.be("Anna")
    page.click("button.answer", "Yes")
    page.until(lambda: page.answers() == ["✓ Your answer: Yes 1 vote, 100 %", "No 0 votes, 0 %"])
    assert list(portal.poll(message).events) == [2]
    assert "You voted for Yes." in page.news()
    # The vote is final, so there is nothing left to press.
    assert page.all("button.answer") == []


def test_a_link_to_a_message_opens_its_chat_at_the_message(
    browser: Any, page: Page, portal: Emulator, caller: Caller
) -> None:
    chat = portal.add_chat("Releases", members=[1, 2, 3])
    message = caller.send("Deploy?", chat_id=chat)["messageId"]
    portal.say(chat, 2, "\n".join(["later"] * 200))

    browser.get(f"{portal.url}/online/?IM_DIALOG=chat{chat}&IM_MESSAGE={message}")

    page.until(lambda: page.find("#title").text == "Releases")
    page.until(lambda: "Deploy?" in page.find(".sought").text)
    box, frame = page.find(".sought").rect, page.find("#messages").rect
    assert frame["y"] <= box["y"] <= frame["y"] + frame["height"]


def test_a_vote_can_be_changed_and_taken_back_where_the_poll_allows_it(
    page: Page, portal: Emulator, caller: Caller
) -> None:
    poll = portal.poll(caller.send("Deploy?", OPTIONS=1)["messageId"])
    page.be("Anna")
    page.click("button.answer", "Yes")
    page.until(lambda: page.find("button.answer[aria-pressed=true]").text.startswith("●"))
    page.click("button.answer", "No")
    page.until(lambda: "No" in page.find("button.answer[aria-pressed=true]").text)
    assert [choice.answer_id for choice in poll.events[2]] == [_id(poll, "No")]
    page.click("[data-act=recall]")
    page.until(lambda: not poll.events)


def test_several_answers_are_ticked_and_sent_together(page: Page, portal: Emulator, caller: Caller) -> None:
    poll = portal.poll(caller.send("Topics?", ("A", "B", "C"), field_type=1)["messageId"])
    page.be("Boris")
    page.click("label.answer", "A")
    page.click("label.answer", "C")
    portal.vote(poll.entity_id, user_id=2, answers=["B"])
    # A vote of another user redraws the poll, and what is ticked stays ticked.
    page.until(lambda: "1 person voted" in page.find(".poll").text)
    assert len(page.all(".answer input:checked")) == 2
    page.click(".poll button[type=submit]")
    page.until(lambda: 3 in poll.events)
    assert {choice.answer_id for choice in poll.events[3]} == {_id(poll, "A"), _id(poll, "C")}


def test_only_the_author_can_stop_and_resume(page: Page, portal: Emulator, caller: Caller) -> None:
    poll = portal.poll(caller.send()["messageId"])
    page.be("Anna")
    page.until(lambda: page.all("button.answer"))
    assert page.all("[data-act=stop]") == []
    page.be("Airflow")
    page.click("[data-act=stop]")
    page.until(lambda: "Stopped" in page.find(".poll").text)
    assert poll.is_finished(portal.portal.clock())
    assert page.all("button.answer") == []
    page.click("[data-act=resume]")
    page.until(lambda: page.all("button.answer"))
    assert not poll.is_finished(portal.portal.clock())


def test_the_page_shows_polls_and_votes_of_other_users(page: Page, portal: Emulator, caller: Caller) -> None:
    page.be("Anna")
    page.until(lambda: page.find("#title").text == "General")
    message = caller.send("Lunch?", ("Soup", "Salad"))["messageId"]
    page.until(lambda: page.find(".poll legend").text == "Lunch?")
    portal.vote(message, user_id=4, answers=["Soup"])
    page.until(lambda: page.answers()[0].endswith("Soup 1 vote, 100 %"))
    assert page.news() == "Airflow Service: Lunch?"


def test_focus_survives_a_redraw(page: Page, portal: Emulator, caller: Caller) -> None:
    message = caller.send()["messageId"]
    button = page.until(lambda: page.find("button.answer:nth-of-type(2)"))
    page.driver.execute_script("arguments[0].focus()", button)
    portal.vote(message, user_id=4, answers=["Yes"])
    page.until(lambda: "1 person voted" in page.find(".poll").text)
    assert "No" in page.driver.switch_to.active_element.text


def test_enter_on_an_answer_is_a_vote(page: Page, portal: Emulator, caller: Caller) -> None:
    poll = portal.poll(caller.send()["messageId"])
    page.until(lambda: page.find("button.answer")).send_keys(Keys.ENTER)
    page.until(lambda: poll.events)
    assert [choice.answer_id for choice in poll.events[1]] == [_id(poll, "Yes")]


def test_markup_in_texts_of_users_is_escaped(page: Page, caller: Caller) -> None:
    evil = "<img src=x onerror=\"document.title='owned'\">"
    caller.send(evil, (evil, "No"))
    caller.result("im.message.add", {"DIALOG_ID": f"chat{caller.general}", "MESSAGE": f"<b>{evil}</b>"})
    page.until(lambda: page.find(".poll legend").text == evil)
    page.until(lambda: evil in page.find(".bubble").text)
    assert page.all("#messages img, #messages b b, nav img") == []
    assert page.driver.title == "Emulated portal"


def test_bb_codes_are_shown_as_what_they_mean(page: Page, portal: Emulator, caller: Caller) -> None:
    text = "[b]Café[/b] [user=2]Anna[/user][br][url=https://a.example/x]menu[/url]\n>>said [i]before[/i]"
    caller.result("im.message.add", {"DIALOG_ID": f"chat{caller.general}", "MESSAGE": text})
    bubble = page.until(lambda: page.find(".message .bubble"))
    assert bubble.text == "Café Anna\nmenu\nsaid before"
    assert [page.find(f".bubble {tag}").text for tag in ("b", "i", "blockquote", ".mention")] == [
        "Café",
        "before",
        "said before",
        "Anna",
    ]
    link = page.find(".bubble a")
    assert (link.get_attribute("href"), link.get_attribute("rel")) == (
        "https://a.example/x",
        "noopener noreferrer",
    )
    assert page.find("#chats .last").text.startswith("Café Anna")


def test_a_public_poll_shows_who_voted(page: Page, portal: Emulator, caller: Caller) -> None:
    message = caller.send("Lunch?", ("Soup", "Salad"))["messageId"]
    portal.vote(message, user_id=4, answers=["Soup"])
    portal.vote(message, user_id=2, answers=["Soup"])
    page.until(lambda: [row.text for row in page.all(".voters")] == ["Soup:\nClara Moreau, Anna Petrova"])


def test_the_results_open_from_the_poll_and_follow_the_votes(
    page: Page, portal: Emulator, caller: Caller
) -> None:
    message = caller.send("Lunch?", ("Soup", "Salad"))["messageId"]
    portal.vote(message, user_id=4, answers=["Soup"])
    link = page.until(lambda: page.find(".poll .state a")).get_attribute("href")
    assert link == portal.url + caller.attach(message)["resultUrl"]
    page.driver.get(link)
    page.until(lambda: page.answers() == ["Soup 1 vote, 100 %", "Salad 0 votes, 0 %"])
    assert page.find("h2").text == "Lunch?"
    portal.vote(message, user_id=2, answers=["Salad"])
    portal.stop_poll(message)
    page.until(lambda: "Stopped · 2 people voted" in page.find("#about").text)
    assert page.answers() == ["Soup 1 vote, 50 %", "Salad 1 vote, 50 %"]
    assert page.all("button") == []
    caller.result("im.message.delete", {"MESSAGE_ID": message})
    page.until(lambda: page.find("#problem").text == "There is no such poll any more.")


def test_an_operator_answers_in_an_open_line(page: Page, portal: Emulator) -> None:
    chat = portal.lines.add_crm_chat("deal", 288, title="Order 4711")
    page.be("Elena")
    page.click("#lines button", "Order 4711")
    field = page.until(lambda: page.find("#reply").is_displayed() and page.find("#text"))
    field.send_keys("It is on its way", Keys.ENTER)
    page.until(lambda: page.find(".message.mine .bubble").text == "It is on its way")
    [message] = portal.messages(chat)
    assert (message.author_id, message.text) == (6, "It is on its way")
    assert "deal 288" in page.find("#about").text


def test_an_operator_s_answer_is_an_event_and_shows_that_it_was_delivered(
    page: Page, portal: Emulator, caller: Caller
) -> None:
    line = portal.lines.add("Shop")
    portal.lines.install_connector("shop", line)
    caller.result("event.bind", {"event": "ONIMCONNECTORMESSAGEADD", "event_type": "offline"}, oauth=True)
    ticket = {
        "user": {"id": "u1", "name": "Maria"},
        "message": {"id": "m1", "text": "Where is it?"},
        "chat": {"id": "ticket-7", "name": "Ticket 7"},
    }
    place = {"CONNECTOR": "shop", "LINE": line}
    caller.result("imconnector.send.messages", {**place, "MESSAGES": [ticket]}, oauth=True)
    page.be("Elena")
    page.click("#lines button", "Ticket 7")
    page.until(lambda: page.find("#reply").is_displayed() and page.find("#text")).send_keys(
        "On its way", Keys.ENTER
    )
    page.until(lambda: page.find(".message.mine .bubble").text == "On its way")
    (event,) = caller.result("event.offline.get", oauth=True)["events"]
    (row,) = event["EVENT_DATA"]["MESSAGES"]
    assert page.all(".delivered") == []
    delivered = {"im": row["im"], "message": {"id": ["r-1"], "date": 1_760_000_000}, "chat": row["chat"]}
    caller.result("imconnector.send.status.delivery", {**place, "MESSAGES": [delivered]}, oauth=True)
    page.until(lambda: page.find(".message.mine .delivered").text == "✓ delivered")
    assert page.all(".message.outside .delivered") == []


def test_a_person_replies_to_a_poll_and_the_reply_shows_its_question(
    page: Page, portal: Emulator, caller: Caller
) -> None:
    poll = caller.send("Deploy?")["messageId"]
    page.be("Anna")
    page.click(".answer-to", "Reply")
    page.until(lambda: page.find("#quoted").text.startswith("Reply to Airflow Service: Deploy?"))
    page.find("#text").send_keys("not on Friday", Keys.ENTER)
    page.until(lambda: page.find(".message.mine .quote").text == "Airflow Service: Deploy?")
    message = portal.messages(caller.general)[-1]
    assert (message.author_id, message.text, message.params) == (
        2,
        "not on Friday",
        {"REPLY_ID": str(poll)},
    )
    assert not page.find("#quoted").is_displayed()


def test_a_fault_is_injected_and_cleared(page: Page, portal: Emulator, caller: Caller) -> None:
    page.click(".faults summary")
    kinds = page.until(lambda: page.all("#kinds option") and Select(page.find("#kinds")))
    kinds.select_by_value("status_502")
    page.click("#fault button[type=submit]")
    page.until(lambda: page.find("#active").text == "status 502 on *: 0 of 1 fired")
    assert caller.post("user.current").status_code == 502
    page.until(lambda: page.find("#active").text == "")
    page.click("#fault button[type=submit]")
    page.until(lambda: list(portal.faults)[1:])
    page.click("#clear")
    page.until(lambda: not list(portal.faults))
    assert caller.post("user.current").status_code == 200


def test_the_page_fits_the_width_of_a_phone(page: Page, caller: Caller) -> None:
    caller.send("A question that is long enough to need more than one line on a phone?", ("Yes" * 30, "No"))
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    page.until(lambda: page.all("button.answer"))
    wide = page.driver.execute_script("return document.documentElement.scrollWidth")
    page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert wide == PHONE["width"]


def test_each_control_has_an_accessible_name(page: Page, portal: Emulator, caller: Caller) -> None:
    caller.send("Topics?", field_type=1)
    portal.lines.add_crm_chat("deal", 288)
    page.until(lambda: page.all("label.answer"))
    page.click(".faults summary")
    shown = page.all("button, input, select, a, summary")
    pressed = [element for element in shown if element.is_displayed()]
    assert len(pressed) > 10
    assert [element.get_attribute("outerHTML") for element in pressed if not element.accessible_name] == []


def test_the_browser_log_stays_empty(page: Page, caller: Caller) -> None:
    page.driver.get_log("browser")
    caller.send()
    page.click("button.answer", "Yes")
    page.until(lambda: "voted for Yes" in page.news())
    assert page.driver.get_log("browser") == []


def _id(poll: Poll, text: str) -> int:
    [found] = [
        item.id for row in poll.questions.values() for item in row.answers.values() if item.text == text
    ]
    return found
