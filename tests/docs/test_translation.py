"""README.ru.md says what README.md says: the same sections, code, links and tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

import pytest

from tests.support.snippets import ROOT, claimed_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

ENGLISH, RUSSIAN = "README.md", "README.ru.md"
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Section:
    """What a section holds that no translation changes."""

    level: int
    code: tuple[tuple[str, str], ...]
    links: tuple[str, ...]
    tables: tuple[int, ...]
    names: tuple[str, ...]
    items: int


def sections(text: str) -> list[tuple[str, Section]]:
    """Return title and content of each section."""
    hidden = _FENCE.sub(lambda block: re.sub(r"^#", "\x00", block[0], flags=re.MULTILINE), text)
    _, *parts = re.split(r"^(#+ .*)$", hidden, flags=re.MULTILINE)
    bodies = [body.replace("\x00", "#") for body in parts[1::2]]
    return [(head, _section(head, body)) for head, body in zip(parts[::2], bodies, strict=True)]


def _section(head: str, body: str) -> Section:
    prose = _FENCE.sub("", body)
    return Section(
        level=len(head.partition(" ")[0]),
        code=tuple((language, without_comments(code)) for language, code in _FENCE.findall(body)),
        links=tuple(sorted(re.findall(r"\]\(([^)\s]+)\)", prose))),
        tables=tuple(line.count("|") for line in prose.splitlines() if line.startswith("|")),
        names=tuple(sorted(set(re.findall(r"`([^`\n]+)`", prose)))),
        items=len(re.findall(r"^ *- ", prose, re.MULTILINE)),
    )


def without_comments(code: str) -> str:
    return "\n".join(re.sub(r"\s+# .*$", "", line) for line in code.splitlines())


def differences(english: str, russian: str) -> Iterator[str]:
    """Yield what one file has and the other lacks."""
    pairs = zip_longest(sections(english), sections(russian))
    for number, (ours, theirs) in enumerate(pairs, start=1):
        if ours is None or theirs is None:
            file, (title, _) = (ENGLISH, theirs) if ours is None else (RUSSIAN, ours)
            yield f"{file} lacks section {number}, {title!r}"
            continue
        yield from _differences(f"section {number}, {ours[0]!r} / {theirs[0]!r}", ours[1], theirs[1])


def _differences(place: str, ours: Section, theirs: Section) -> Iterator[str]:
    if ours.level != theirs.level:
        yield f"{place}: the levels of the headings differ"
    for kind in ("code", "links", "names"):
        found: tuple[list[object], list[object]] = (list(getattr(ours, kind)), list(getattr(theirs, kind)))
        yield from (f"{place}: {RUSSIAN} lacks {kind}: {one}" for one in found[0] if one not in found[1])
        yield from (f"{place}: {ENGLISH} lacks {kind}: {one}" for one in found[1] if one not in found[0])
        if sorted(map(str, found[0])) == sorted(map(str, found[1])) and found[0] != found[1]:
            yield f"{place}: {kind} are in another order"
    for kind in ("tables", "items"):
        if getattr(ours, kind) != getattr(theirs, kind):
            yield f"{place}: {kind}: {getattr(ours, kind)} in {ENGLISH}, {getattr(theirs, kind)} in {RUSSIAN}"


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_translation_has_all_of_the_readme() -> None:
    # Each file links the other, at the same place.
    english = read(ENGLISH).replace(f"[Русский]({RUSSIAN})", "")
    russian = read(RUSSIAN).replace(f"[English]({ENGLISH})", "")

    assert "\n".join(differences(english, russian)) == ""


def test_its_code_is_the_code_that_is_run_for_the_readme() -> None:
    python = claimed_blocks("../README.ru.md", "python")
    text = claimed_blocks("../README.ru.md", "text")

    assert list(map(without_comments, python)) == list(
        map(without_comments, claimed_blocks("../README.md", "python"))
    )
    assert text == claimed_blocks("../README.md", "text")


def test_each_links_the_other_below_its_title() -> None:
    assert read(ENGLISH).splitlines()[2] == f"[Русский]({RUSSIAN})"
    assert read(RUSSIAN).splitlines()[2] == f"[English]({ENGLISH})"


def test_the_translation_is_russian() -> None:
    prose = _FENCE.sub("", read(RUSSIAN))
    paragraphs = [part for part in prose.split("\n\n") if len(part) > 60]

    assert len(paragraphs) > 10
    assert [part for part in paragraphs if not re.search(r"[а-яё]{4}", part)] == []


@pytest.mark.parametrize(
    ("english", "russian", "told"),
    [
        ("# A\n\n## B\n", "# А\n", f"{RUSSIAN} lacks section 2, '## B'"),
        ("# A\n", "# А\n\n## Б\n", f"{ENGLISH} lacks section 2, '## Б'"),
        ("# A\n```sh\nrun # now\n```\n", "# А\n```sh\nrun # сейчас\n```\n", ""),
        ("# A\n```sh\nrun\n```\n", "# А\n```sh\nstop\n```\n", f"{RUSSIAN} lacks code: ('sh', 'run')"),
        ("# A\n[x](y.md)\n", "# А\n", f"{RUSSIAN} lacks links: y.md"),
        ("# A\n`--fast`\n", "# А\n", f"{RUSSIAN} lacks names: --fast"),
        ("# A\n|a|b|\n|-|-|\n|1|2|\n", "# А\n|а|б|\n|-|-|\n", "tables: (3, 3, 3) in README.md"),
        ("# A\n- a\n- b\n", "# А\n- а\n", "items: 2 in README.md, 1 in README.ru.md"),
    ],
)
def test_what_is_missing_is_named_with_its_file(english: str, russian: str, told: str) -> None:
    found = "\n".join(differences(english, russian))

    assert told in found
    assert bool(found) is bool(told)
