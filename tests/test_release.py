"""What an index, a registry and a reader of the changelog ask of a release."""

from __future__ import annotations

import ast
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from packaging.version import Version

import airflow_provider_b24
from airflow_provider_b24.get_provider_info import get_provider_info

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "airflow_provider_b24"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
KINDS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]


def build(source: Path, out: Path, *, umask: int) -> dict[str, str]:
    """Build wheel and sdist, and return the digest of each."""
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(out)]
    subprocess.run(
        command,
        cwd=source,
        umask=umask,
        check=True,
        capture_output=True,
        env=os.environ | {"SOURCE_DATE_EPOCH": "1767225600"},
    )
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in out.iterdir()}


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dist")


@pytest.fixture(scope="module")
def built(dist: Path) -> dict[str, str]:
    return build(ROOT, dist, umask=0o022)


def test_a_build_in_another_place_gives_the_same_bytes(built: dict[str, str], tmp_path: Path) -> None:
    hidden = shutil.ignore_patterns(".*", "__pycache__", "_build", "reference", "mutants", "dist")
    copy = tmp_path / "elsewhere"
    shutil.copytree(ROOT, copy, ignore=hidden)
    shutil.copy(ROOT / ".gitignore", copy)

    assert build(copy, tmp_path / "dist", umask=0o077) == built
    assert len(built) == 2


def test_twine_finds_nothing_to_say(built: dict[str, str], dist: Path) -> None:
    command = [sys.executable, "-m", "twine", "check", "--strict", *map(str, dist.iterdir())]
    checked = subprocess.run(command, capture_output=True, text=True)

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stdout.count("PASSED") == len(built)


def test_the_sdist_holds_what_its_tests_and_docs_need(built: dict[str, str], dist: Path) -> None:
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    needed = {"README.md", "README.ru.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "Makefile"}
    assert needed | {"docs/conf.py", "docs/index.md", "tests/conftest.py"} <= names
    assert [name for name in names if name.startswith(("docs/_build", "docs/reference", "mutants"))] == []


# The changelog


def headings() -> list[tuple[str, str | None]]:
    """Return version and date of each section, newest first."""
    rows = re.findall(r"^## (.*)$", CHANGELOG, re.MULTILINE)
    found = [re.fullmatch(r"\[(Unreleased|\d+\.\d+\.\d+)\](?: - (\d{4}-\d\d-\d\d))?", row) for row in rows]
    assert all(found), f"sections are '## [Unreleased]' and '## [1.2.3] - 2026-01-31', not {rows}"
    return [(row[1], row[2]) for row in found if row]


def test_the_changelog_has_the_form_of_keep_a_changelog() -> None:
    (unreleased, none), *released = headings()

    assert CHANGELOG.startswith("# Changelog\n")
    assert (unreleased, none) == ("Unreleased", None)
    assert [version for version, day in released if day is None] == []
    assert [date.fromisoformat(day or "") for _, day in released] == sorted(
        (date.fromisoformat(day or "") for _, day in released), reverse=True
    )
    versions = [Version(version) for version, _ in released]
    assert versions == sorted(set(versions), reverse=True)


def test_each_section_of_the_changelog_groups_its_changes_by_kind() -> None:
    _, *sections = re.split(r"^## .*$", CHANGELOG, flags=re.MULTILINE)

    for section in sections:
        kinds = re.findall(r"^### (.*)$", section, re.MULTILINE)
        assert kinds == [kind for kind in KINDS if kind in kinds]
        lines = [line for line in section.splitlines() if line.strip() and not line.startswith("### ")]
        assert [line for line in lines if not line.startswith(("- ", "  "))] == []


def test_the_version_is_the_next_or_the_newest_of_the_changelog() -> None:
    version = Version(airflow_provider_b24.__version__)
    newest = max((Version(name) for name, _ in headings()[1:]), default=Version("0"))

    assert re.fullmatch(r"\d+\.\d+\.\d+", str(version))
    assert version >= newest


# What the registries ask for


def test_the_metadata_names_the_version_and_guides_that_exist() -> None:
    info = get_provider_info()
    guides = [guide for part in info["integrations"] for guide in part["how-to-guide"]]

    assert info["versions"] == [airflow_provider_b24.__version__]
    assert guides
    assert [guide for guide in guides if not (ROOT / guide.removeprefix("/")).exists()] == []
    assert info["package-name"].startswith("airflow-provider-")


def test_the_classifiers_are_those_of_a_provider() -> None:
    assert {
        "Framework :: Apache Airflow",
        "Framework :: Apache Airflow :: Provider",
        "Typing :: Typed",
    } <= set(PROJECT["classifiers"])
    assert {"airflow", "airflow-provider"} <= set(PROJECT["keywords"])
    assert PROJECT["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_no_dependency_has_an_upper_bound() -> None:
    extras = [row for rows in PROJECT["optional-dependencies"].values() for row in rows]

    assert [row for row in [*PROJECT["dependencies"], *extras] if re.search(r"[<~]|==", row)] == []


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("Install", "pip install"),
        ("Connect", "connections add"),
        ("Install", "Airflow 2.11 to 3.3"),
        ("Ask people", "operators.ask"),
        ("More", "CONTRIBUTING.md"),
        ("More", "example_dags"),
    ],
)
def test_the_readme_says_what_a_registry_asks_for(section: str, words: str) -> None:
    parts = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL))

    assert words in parts[section]


def test_every_module_and_every_public_class_has_a_docstring() -> None:
    lost = []
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        public = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name[0] != "_"]
        lost += [f"{path.name}: {getattr(node, 'name', '')}" for node in (tree, *public) if not has_doc(node)]

    assert lost == []


def has_doc(node: Any) -> bool:
    return bool(ast.get_docstring(node))


def test_the_folders_are_those_that_a_registry_looks_for() -> None:
    assert all((PACKAGE / name / "__init__.py").exists() for name in ("hooks", "operators", "sensors"))
    assert all((ROOT / name).is_dir() for name in ("example_dags", "tests", "docs"))


@pytest.mark.parametrize("name", ["Source", "Documentation", "Changelog"])
def test_an_address_is_set_or_the_checklist_asks_for_it(name: str) -> None:
    checklist = CONTRIBUTING.split("## How to release")[1]

    assert name in PROJECT["urls"] or f"`{name}`" in checklist


# The checks before a commit


def test_pre_commit_runs_the_tools_of_make_test_and_downloads_nothing() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    hooks = [hook for repo in config["repos"] for hook in repo["hooks"]]

    assert {repo["repo"] for repo in config["repos"]} == {"local"}
    assert {hook["language"] for hook in hooks} == {"system"}
    assert [tool(hook["entry"]) for hook in hooks] == [*map(tool, recipe("lint")), *map(tool, recipe("test"))]


def tool(command: str) -> str:
    """Return a command without its environment and options."""
    program, *words = command.replace("$(TEST)", ".venv/test").split()
    words = [word for word in words if re.fullmatch(r"-m|check|format|pytest", word)]
    return " ".join([program, *words])


def recipe(target: str) -> list[str]:
    found = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    assert found is not None
    return [line.strip().replace("--check ", "") for line in found[1].splitlines()]


@pytest.fixture
def commit(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the hooks over files in a repository of their own."""

    def run(**files: str) -> subprocess.CompletedProcess[str]:
        shutil.copy(ROOT / ".pre-commit-config.yaml", tmp_path)
        shutil.copy(ROOT / "pyproject.toml", tmp_path)
        (tmp_path / ".venv").mkdir()
        (tmp_path / ".venv" / "test").symlink_to(Path(sys.executable).parents[1])
        (tmp_path / ".gitignore").write_text(".venv\n")
        for name, text in files.items():
            (tmp_path / f"{name}.py").write_text(text)
        subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
        subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
        command = [sys.executable, "-m", "pre_commit", "run", "--all-files"]
        env = os.environ | {"PRE_COMMIT_HOME": str(tmp_path / "home")}
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120)

    return run


def test_pre_commit_passes_good_code_and_stops_bad_code(
    commit: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    done = commit(bad='"""A module."""\n\nnothing_like_that()\n')

    assert done.returncode == 1
    assert re.search(r"ruff check\.+Failed", done.stdout), done.stdout
    assert re.search(r"ruff format\.+Passed", done.stdout), done.stdout
