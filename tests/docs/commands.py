"""Whether a documented command can be typed: its program, its target, its options exist."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement

from tests.support.snippets import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_VARIABLE = re.compile(r"^(\w+)=")
#: Shell words that need no check of their own.
_BUILTINS = {"cd", "export", "source", ".", "mkdir", "kill"}


class UnknownCommand(AssertionError):
    """No checker knows the program."""


def commands(text: str, *, prompt: bool) -> Iterator[list[str]]:
    """Yield the words of each command of a block.

    :param text: the block.
    :param prompt: whether commands begin with ``$``, and other lines are output.
    """
    for line in re.sub(r"\\\n", " ", text).splitlines():
        shown = line.strip()
        if prompt:
            if not shown.startswith("$ "):
                continue
            shown = shown[2:]
        lexer = shlex.shlex(shown, posix=True, punctuation_chars=";|&")
        lexer.whitespace_split, lexer.commenters = True, "#"
        yield from _split(list(lexer))


def _split(words: list[str]) -> Iterator[list[str]]:
    one: list[str] = []
    for word in words:
        if word and set(word) <= set(";|&"):
            yield from [one] if one else []
            one = []
        else:
            one.append(word)
    yield from [one] if one else []


def check(words: list[str]) -> None:
    """Fail when a command can't be what the page says.

    :param words: the command.
    """
    while words and (found := _VARIABLE.match(words[0])):
        _check_variable(found[1])
        words = words[1:]
    if not words:
        return
    program = words[0].rpartition("/")[2] if "/" in words[0] else words[0]
    if program in _BUILTINS:
        return
    if program not in CHECKS:
        raise UnknownCommand(f"no check for {program!r}: add one to tests/docs/commands.py")
    CHECKS[program](words[1:])


def _check_variable(name: str) -> None:
    if not (parts := re.fullmatch(r"AIRFLOW__(\w+?)__(\w+)", name)):
        return
    from airflow.configuration import conf

    section, key = parts[1].lower(), parts[2].lower()
    assert conf.has_option(section, key), f"Airflow has no option [{section}] {key}"


def _make(words: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = [word for word in words if "=" not in word and not word.startswith("-")]
    assert targets
    missing = [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)]
    assert missing == [], f"the Makefile has no {missing}"


def _pip(words: list[str]) -> None:
    assert words[0] in {"install", "wheel", "check", "inspect"}
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for word in words[1:]:
        if found := re.match(r"\.\[(.+)\]", word):
            assert set(found[1].split(",")) <= set(extras["optional-dependencies"]), word
        elif not word.startswith((".", "-", "dist")):
            Requirement(word)


@cache
def _airflow_parser() -> Any:
    from airflow.cli.cli_parser import get_parser

    return get_parser()


def _airflow(words: list[str]) -> None:
    try:
        _airflow_parser().parse_args(words)
    except SystemExit as stopped:
        assert stopped.code == 0, f"airflow does not take {words}"


@cache
def _help(*program: str) -> str:
    done = subprocess.run(
        [sys.executable, *program, "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "200"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _python(words: list[str]) -> None:
    if words[0] != "-m":
        assert words[0].startswith("-") or (ROOT / words[0]).exists(), f"no file {words[0]}"
        return
    module, options = words[1], words[2:]
    if module in {"venv", "pip"}:
        return
    assert importlib.util.find_spec(module) is not None, f"no module {module}"
    if module == "pytest":
        return
    text = _help("-m", module)
    for option in (word.partition("=")[0] for word in options if word.startswith("-")):
        assert re.search(rf"(?<![\w-]){re.escape(option)}\b", text), f"{module} has no option {option}"


def _curl(words: list[str]) -> None:
    (address,) = [word for word in words if word.startswith(("http://", "https://"))]
    assert re.match(r"https?://(127\.0\.0\.1|localhost)\b", address), (
        "documentation calls no host but loopback"
    )


def _pre_commit(words: list[str]) -> None:
    assert (ROOT / ".pre-commit-config.yaml").exists()
    assert words[0] in {"install", "run"}


def _git(words: list[str]) -> None:
    assert words[0] in {"clone", "tag", "push", "status", "switch"}


def _twine(words: list[str]) -> None:
    assert words[0] in {"check", "upload"}
    assert shutil.which("twine", path=os.path.dirname(sys.executable))  # noqa: PTH120


CHECKS: dict[str, Callable[[list[str]], None]] = {
    "make": _make,
    "pip": _pip,
    "airflow": _airflow,
    "python": _python,
    "python3": _python,
    "python3.11": _python,
    "curl": _curl,
    "pre-commit": _pre_commit,
    "git": _git,
    "twine": _twine,
}
