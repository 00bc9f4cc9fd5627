"""Who imports whom in the package, annotations included."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import airflow_provider_b24

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(airflow_provider_b24.__file__).parent

Graph = dict[str, set[str]]


def import_graph(package: Path) -> Graph:
    """Return what each module of a package imports of it, be it under TYPE_CHECKING or in a function."""
    paths = {module_name(path, package): path for path in package.rglob("*.py")}
    return {
        name: set(imported(ast.parse(path.read_text(encoding="utf-8")), name, path, paths)) - {name}
        for name, path in paths.items()
    }


def module_name(path: Path, package: Path) -> str:
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(tree: ast.Module, name: str, path: Path, known: dict[str, Path]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            source = absolute(node, name, is_package=path.stem == "__init__")
            for alias in node.names:
                submodule = f"{source}.{alias.name}"
                if submodule in known:
                    yield submodule
                elif source in known:
                    yield source


def absolute(node: ast.ImportFrom, name: str, *, is_package: bool) -> str:
    """Return the absolute name of what ``from ... import`` names."""
    if not node.level:
        return node.module or ""
    parts = name.split(".")
    base = parts[: len(parts) - node.level + is_package]
    return ".".join([*base, *([node.module] if node.module else [])])


def cycles(graph: Graph) -> list[list[str]]:
    """Return the strongly connected components of more than one module, by Tarjan's algorithm."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        order[name] = lowest[name] = len(order)
        stack.append(name)
        for other in sorted(graph[name]):
            if other not in order:
                visit(other)
            if other in stack:
                lowest[name] = min(lowest[name], lowest[other])
        if lowest[name] == order[name]:
            position = stack.index(name)
            if len(stack) - position > 1:
                found.append(sorted(stack[position:]))
            del stack[position:]

    for name in sorted(graph):
        if name not in order:
            visit(name)
    return found


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "pkg"
    (folder / "sub").mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "sub" / "__init__.py").touch()
    return folder


def test_the_package_has_no_import_cycle() -> None:
    assert cycles(import_graph(PACKAGE)) == []


def test_the_emulator_and_the_provider_import_nothing_of_each_other() -> None:
    inside = "airflow_provider_b24.emulator"
    across = [
        (name, other)
        for name, others in import_graph(PACKAGE).items()
        for other in others
        if name.startswith(inside) is not other.startswith(inside)
    ]

    assert across == []


@pytest.mark.parametrize(
    "back",
    [
        "from pkg.sub import a",
        "import pkg.sub.a",
        "from pkg.sub.a import name",
        "from . import a",
        "from .a import name",
        "from ..sub import a",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pkg.sub.a import name",
        "def later():\n    from pkg.sub import a",
    ],
)
def test_a_cycle_is_found_however_the_import_is_written(package: Path, back: str) -> None:
    (package / "sub" / "a.py").write_text("import pkg.sub.b")
    (package / "sub" / "b.py").write_text(back)
    (package / "sub" / "c.py").write_text("from pkg.sub import a, b")

    assert cycles(import_graph(package)) == [["pkg.sub.a", "pkg.sub.b"]]


def test_a_cycle_through_a_packages_init_is_found(package: Path) -> None:
    (package / "sub" / "__init__.py").write_text("from .a import name")
    (package / "sub" / "a.py").write_text("from pkg.sub import other")

    assert cycles(import_graph(package)) == [["pkg.sub", "pkg.sub.a"]]


def test_imports_without_a_cycle_pass(package: Path) -> None:
    (package / "sub" / "a.py").write_text("from pkg.sub import b, c")
    (package / "sub" / "b.py").write_text("import json\nfrom . import c")
    (package / "sub" / "c.py").write_text("from pkg import name")

    assert cycles(import_graph(package)) == []


def test_two_cycles_are_told_apart() -> None:
    graph = {"a": {"b"}, "b": {"a", "c"}, "c": {"d"}, "d": {"e"}, "e": {"c"}, "f": {"a", "e"}}

    assert cycles(graph) == [["c", "d", "e"], ["a", "b"]]
