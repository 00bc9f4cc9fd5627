"""The page's tables are the command's output; ``BITRIX24_WRITE_DOCS=1`` writes them anew."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_b24.conformance import announcement
from airflow_provider_b24.conformance.__main__ import parser
from airflow_provider_b24.conformance.areas import PROBES
from airflow_provider_b24.conformance.probe import Auth
from airflow_provider_b24.conformance.report import table
from airflow_provider_b24.emulator.state.quirks import Quirks
from tests.conformance.switches import SWITCHES, UNSEEN

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.conformance.runner import Row

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "conformance.md"
PROBE = {probe.id: probe for probe in PROBES}


def part(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- table: {name} -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def check(name: str, lines: str) -> None:
    text = PAGE.read_text(encoding="utf-8")
    if os.environ.get("BITRIX24_WRITE_DOCS"):
        text = part(name).sub(lambda found: f"{found[1]}\n{lines}\n\n{found[3]}", text)
        PAGE.write_text(text, encoding="utf-8")
    found = part(name).search(text)
    assert found
    assert found[2].strip() == lines


@pytest.fixture(scope="module")
def rows(make_rows: Callable[..., dict[str, Row]]) -> dict[str, Row]:
    """Each row of the run that can tell it."""
    webhook, application = make_rows(Quirks()), make_rows(Quirks(), "oauth")
    own = {name: row for name, row in application.items() if row.probe.auth is Auth.APPLICATION}
    return {**webhook, **own}


def test_the_table_of_the_emulator_is_the_output(rows: dict[str, Row]) -> None:
    assert {row.verdict.value for row in rows.values()} == {"as held"}
    check("emulator", table(rows.values()))


def test_the_table_of_switches_is_what_they_change() -> None:
    lines = ["| switch | what changes | what the provider does there |", "|---|---|---|"]
    for switch in SWITCHES:
        changes = "; ".join(f"`{name}`: {found}" for name, found in switch.rows.items())
        does = dict.fromkeys(PROBE[name].otherwise for name in switch.rows)
        what = " ".join(does) if switch.differs else "Nothing changes, and it counts as no difference."
        lines.append(f"| `{switch.name}={switch.value!r}` | {changes} | {what} |")
    check("switches", "\n".join(lines))


def test_the_table_of_unseen_switches_says_why() -> None:
    lines = [
        "| switch | why |",
        "|---|---|",
        *(f"| `{name}={unseen.value!r}` | {unseen.why} |" for name, unseen in UNSEEN.items()),
    ]
    check("unseen", "\n".join(lines))


def test_every_option_is_on_the_page_and_no_other() -> None:
    real = {name for action in parser()._actions for name in action.option_strings if name.startswith("--")}
    shown = set(re.findall(r"^\| `(--[\w-]+)", PAGE.read_text(encoding="utf-8"), re.MULTILINE))

    assert shown == real - {"--help"}


def test_the_page_says_how_much_people_see() -> None:
    text = " ".join(PAGE.read_text(encoding="utf-8").split())

    assert f"about {announcement.POLLS} polls and {announcement.MESSAGES} messages" in text


def test_every_switch_and_its_default_is_on_the_emulators_page() -> None:
    page = DOCS.joinpath("emulator.md").read_text(encoding="utf-8")
    text = page.partition("## Switches")[2].partition("## Faults")[0]
    shown = dict(re.findall(r"^\| `(\w+)` \| `(.*?)` \|", text, re.MULTILINE))
    usual = replace(Quirks())

    assert shown == {name: repr(getattr(usual, name)) for name in usual.__slots__}


def test_the_command_of_the_page_is_one_that_the_parser_takes() -> None:
    page = PAGE.read_text(encoding="utf-8")
    command = re.search(r"^\$ python -m airflow_provider_b24.conformance (.*)$", page, re.MULTILINE)

    assert command
    assert parser().parse_args(command[1].split()).chat == "chat1489"
