"""The site builds without a warning, shows every public class, and has no link that leads nowhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest

from tests.support.snippets import ROOT
from tests.test_provider_info import CLASSES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

DOCS = ROOT / "docs"


class Anchors(HTMLParser):
    """Collects the ids and the links of a page."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.ids.add(named.get("id") or "")
        if tag == "a":
            self.links.add(named.get("href") or "")
        if tag == "img":
            self.links.add(named.get("src") or "")


def build(source: Path, out: Path) -> subprocess.CompletedProcess[str]:
    # Sphinx imports the package, and so Airflow, which must not touch the tests' own database.
    env = os.environ | {"AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"}
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", source, out]
    return subprocess.run(
        list(map(str, command)), cwd=ROOT, env=env, capture_output=True, text=True, timeout=300
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    done = build(DOCS, out)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def built(site: Path) -> dict[Path, Anchors]:
    return {path: Anchors(path) for path in sorted(site.rglob("*.html"))}


def broken(built: dict[Path, Anchors]) -> Iterator[str]:
    for page, found in built.items():
        for link in found.links:
            parts = urlsplit(link)
            if parts.scheme or not link:
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            anchor = unquote(parts.fragment)
            if not target.exists() or (anchor and target in built and anchor not in built[target].ids):
                yield f"{page.name}: {link}"


def test_every_link_and_anchor_of_the_site_leads_somewhere(built: dict[Path, Anchors]) -> None:
    assert sum(len(found.links) for found in built.values()) > 100
    assert sorted(broken(built)) == []


def test_every_page_is_in_the_navigation(built: dict[Path, Anchors], site: Path) -> None:
    named = {link.partition("#")[0] for link in built[site / "index.html"].links}

    assert [
        path.stem for path in DOCS.glob("*.md") if f"{path.stem}.html" not in named | {"index.html"}
    ] == []


def test_every_public_class_has_an_entry_of_its_own(built: dict[Path, Anchors]) -> None:
    ids = set().union(*(found.ids for found in built.values()))
    lost = [name for _, name in CLASSES if not any(anchor.rpartition(".")[2] == name for anchor in ids)]

    assert lost == []


def test_an_operator_shows_parameters_templates_results_and_errors(site: Path) -> None:
    text = re.sub(r"<[^>]+>", "", (site / "reference" / "operators.polls.html").read_text(encoding="utf-8"))

    for words in ("chat_id", "(templated)", "Returns", "Raises", "Bitrix24ValidationError"):
        assert words in text
    assert "execute(" not in text


def test_a_link_that_leads_nowhere_stops_the_build(tmp_path: Path) -> None:
    copy = tmp_path / "docs"
    ignored = shutil.ignore_patterns("reference", "_build", "*.png")
    shutil.copytree(DOCS, copy, ignore=ignored)
    for name in ("airflow_provider_b24", "pyproject.toml", "CHANGELOG.md"):
        (tmp_path / name).symlink_to(ROOT / name)
    for page in copy.glob("*.md"):
        page.write_text("# Page\n", encoding="utf-8")
    (copy / "index.md").write_text("# Page\n\n[there](nothing.md) and [here](#nothing)\n", encoding="utf-8")
    conf = (copy / "conf.py").read_text(encoding="utf-8")
    (copy / "conf.py").write_text(conf.replace("    write_reference(", "    return\n    write_reference("))

    done = build(copy, tmp_path / "out")

    assert done.returncode != 0
    assert "nothing.md" in done.stderr
    assert "#nothing" in done.stderr or "'nothing'" in done.stderr


def test_people_on_the_web_can_go_from_the_readme_to_every_page() -> None:
    seen: set[Path] = set()
    ahead = [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page in seen or page.suffix != ".md" or not page.exists():
            continue
        seen.add(page)
        links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        ahead += [(page.parent / link).resolve() for link in links]

    assert sorted(path.name for path in DOCS.glob("*.md") if path not in seen) == []
