"""Every fenced block of every page is run, parsed, or compared by some test."""

from __future__ import annotations

import configparser
import json
import re
import shutil
import subprocess
import tomllib
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.docs import commands
from tests.support.snippets import ROOT, Block, blocks, claims, name_of, pages, run_snippets

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator

CLAIMS = claims()
NAMES = [name_of(page) for page in pages()]
ALL = [block for name in NAMES for block in blocks(name)]


def unclaimed(*languages: str) -> list[Block]:
    """Return the blocks that no test of their own claims."""
    return [
        block for block in ALL if block.language in languages and (block.page, block.language) not in CLAIMS
    ]


def options_exist(text: str) -> None:
    """Fail when Airflow does not know an option of its configuration."""
    from airflow.configuration import conf

    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    assert parser.sections()
    for section in parser.sections():
        for key in parser[section]:
            assert conf.has_option(section, key), f"Airflow has no option [{section}] {key}"


def each_command(*, prompt: bool) -> Callable[[str], None]:
    """Return what checks all commands of a block."""

    def run(text: str) -> None:
        found = list(commands.commands(text, prompt=prompt))
        assert found, "no command in the block: commands begin with '$ ' in console blocks"
        if not prompt:
            subprocess.run(["bash", "-n"], input=text, text=True, check=True)
        for words in found:
            commands.check(words)

    return run


#: What is done with a block that no test of its own claims. Python has a test below.
RUNNERS: dict[str, Callable[[str], object]] = {
    "console": each_command(prompt=True),
    "sh": each_command(prompt=False),
    "bash": each_command(prompt=False),
    "ini": options_exist,
    "json": json.loads,
    "yaml": yaml.safe_load,
    "toml": tomllib.loads,
}


def test_every_block_is_claimed_by_a_test_or_known_to_a_runner() -> None:
    known = {*RUNNERS, "python"}
    lost = [
        f"{block.place} ({block.language or 'no language'})"
        for block in ALL
        if block.language not in known and (block.page, block.language) not in CLAIMS
    ]

    assert lost == [], "call claimed_blocks(page, language) in a test that compares these blocks"


def test_every_claim_is_of_blocks_that_exist() -> None:
    there = {(block.page, block.language) for block in ALL}

    assert there >= CLAIMS


def test_no_fence_hides_a_block() -> None:
    marks = sum(
        bool(re.match(r" *(```|~~~)", line))
        for page in pages()
        for line in page.read_text(encoding="utf-8").splitlines()
    )

    assert marks == 2 * len(ALL), "a fence is nested, or not closed"


@pytest.mark.parametrize("block", unclaimed(*RUNNERS), ids=lambda block: f"{block.place}-{block.language}")
def test_a_block_is_what_its_language_says(block: Block) -> None:
    RUNNERS[block.language](block.text)


@pytest.mark.parametrize("page", sorted({block.page for block in unclaimed("python")}))
def test_the_python_blocks_of_a_page_run(
    page: str, portal: Emulator, application: str, airflow_database: None
) -> None:
    assert run_snippets(page)


def curls() -> list[list[str]]:
    return [
        words
        for block in unclaimed("console", "sh")
        for words in commands.commands(block.text, prompt=block.language == "console")
        if words[0] == "curl"
    ]


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
@pytest.mark.parametrize("words", curls(), ids=" ".join)
def test_the_emulator_answers_a_curl_command(words: list[str], portal: Emulator) -> None:
    here = [re.sub(r"^https?://127\.0\.0\.1:\d+", portal.url, word) for word in words]
    assert here != words

    subprocess.run([*here, "--fail", "--silent", "--show-error"], check=True, timeout=20)


@pytest.mark.parametrize(
    "words",
    [
        "make nothing-like-that",
        "pip install '.[nothing]'",
        "airflow connections nothing",
        "airflow connections add x --no-such-option 1",
        "python -m airflow_provider_b24.nothing",
        "python -m airflow_provider_b24.emulator --no-such-option",
        "python no_such_file.py",
        "curl https://acme.example/",
        "AIRFLOW__CORE__NO_SUCH_OPTION=1 airflow version",
        "frobnicate",
    ],
)
def test_a_command_that_does_not_exist_is_found(words: str) -> None:
    (command,) = commands.commands(f"$ {words}", prompt=True)

    with pytest.raises((AssertionError, ImportError)):
        commands.check(command)


def test_airflow_does_not_know_an_option_of_ours_that_is_not_there() -> None:
    with pytest.raises(AssertionError):
        options_exist("[bitrix24]\nno_such_option = 1\n")


def test_the_source_tree_is_what_is_looked_at() -> None:
    assert (ROOT / "pyproject.toml").exists()
    assert len(NAMES) > 10
