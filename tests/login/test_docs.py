"""The section on the login is held to the command."""

from __future__ import annotations

import re
from pathlib import Path

from airflow_provider_b24 import login
from airflow_provider_b24.login.options import OPTIONS, SECRET_VARIABLE

PAGE = Path(__file__).parents[2].joinpath("docs", "connection.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("\n## Log in\n")[2].partition("\n## ")[0]
#: The code without line ends, quotes and fields, so that a message is found as it is shown.
CODE = re.sub(
    r"\{[^}]*\}",
    "…",
    " ".join(path.read_text(encoding="utf-8") for path in sorted(Path(login.__file__).parent.glob("*.py"))),
)


def test_every_option_is_on_the_page_and_no_other() -> None:
    rows = [row.partition("|")[0] for row in re.findall(r"^\| (`--.*)$", SECTION, re.MULTILINE)]
    assert sorted(name for row in rows for name in re.findall(r"`(--[\w-]+)`", row)) == sorted(OPTIONS)
    assert f"`{SECRET_VARIABLE}`" in SECTION
    assert f"({OPTIONS['--timeout']['default']})" in SECTION


def test_every_message_on_the_page_exists_in_the_code() -> None:
    table = SECTION.partition("| the login says | what to do |")[2]
    messages = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    assert len(messages) == 6
    for message in messages:
        assert message.replace("http://127.0.0.1:…", "…") in CODE, message


def test_the_transcript_shows_what_the_command_says() -> None:
    transcript = re.search(r"```console\n(.*?)```", SECTION, re.DOTALL)
    assert transcript is not None
    shown = " ".join(transcript[1].split())
    for words in (
        "Open this address in a browser, as the user for whom the application shall act:",
        "Bitrix24 then redirects the browser to the application's handler path, with a code that lives for",
        "Paste the address of that page (or its code): ",
        "is stored in Airflow's database.",
    ):
        assert words in CODE
        assert words.strip() in shown
