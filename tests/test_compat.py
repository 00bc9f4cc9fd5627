"""Each name is found in each place where a version of Airflow keeps it."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from airflow_provider_b24 import compat

PACKAGE = Path(compat.__file__).parent
#: What ``compat.sdk`` has in common-compat 1.12.0, the lowest that pyproject.toml allows.
FLOOR = set(Path(__file__).with_name("versions").joinpath("compat_sdk_1.12.0").read_text().split())
FOUND = [(name, place) for name, places in compat._PLACES.items() for place in places]


def leave_only(monkeypatch: pytest.MonkeyPatch, name: str, place: str | None) -> object:
    """Make this place the only one that has the name, and return what it names there."""
    wanted = object()
    for other in compat._PLACES[name]:
        module: Any = ModuleType(other)
        if other == place:
            setattr(module, name, wanted)
        # compat.sdk is always there, with or without the name; the others may be absent.
        monkeypatch.setitem(sys.modules, other, module if other in {compat._SDK, place} else None)
    return wanted


@pytest.mark.parametrize(("name", "place"), FOUND)
def test_a_name_is_found_where_it_is(monkeypatch: pytest.MonkeyPatch, name: str, place: str) -> None:
    wanted = leave_only(monkeypatch, name, place)

    assert getattr(compat, name) is wanted


@pytest.mark.parametrize("name", compat._PLACES)
def test_a_name_that_airflow_lacks_is_an_import_error(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    leave_only(monkeypatch, name, None)

    with pytest.raises(ImportError, match=f"This Airflow has no {name} in any of"):
        getattr(compat, name)


@pytest.mark.parametrize("name", compat._STAND_INS)
def test_something_stands_in_for_what_an_older_airflow_lacks(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    place, (module, other) = compat._STAND_INS[name]
    newer, older = ModuleType(place), ModuleType(module)
    setattr(newer, name, object())
    setattr(older, other, object())
    monkeypatch.setitem(sys.modules, place, newer)
    assert getattr(compat, name) is getattr(newer, name)

    monkeypatch.setitem(sys.modules, module, older)
    monkeypatch.setitem(sys.modules, place, older if place == module else None)
    assert getattr(compat, name) is getattr(older, other)


def test_any_other_name_is_an_attribute_error() -> None:
    assert not hasattr(compat, "BaseOperator")


def imported_at_run_time(tree: ast.AST) -> set[str]:
    """Return what a module imports of ``compat.sdk``, but for its annotations."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    return {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == compat._SDK
        for alias in node.names
    }


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_no_module_needs_a_newer_common_compat_than_the_package_does(path: Path) -> None:
    assert imported_at_run_time(ast.parse(path.read_text(encoding="utf-8"))) <= FLOOR
