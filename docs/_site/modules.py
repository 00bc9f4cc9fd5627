"""Which modules the API reference shows."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Packages whose modules are named in DAG files, in the order of the reference.
KINDS = ("hooks", "operators", "sensors", "triggers", "notifications", "decorators", "links")
#: Single modules after them.
TOP_LEVEL = ("retry_policy", "exceptions", "emulator.emulator", "emulator.pytest_plugin")


def public_modules(package: Path) -> list[str]:
    """Return the dotted names below the package of all modules that the reference shows.

    :param package: the folder of ``airflow_provider_b24``.
    """
    named = [f"{kind}.{path.stem}" for kind in KINDS for path in _modules(package / kind) if _is_public(path)]
    apis = [f"{path.parent.name}.api" for path in sorted(package.glob("*/api.py"))]
    return [*named, *apis, "rest.batch", "open_lines.report", *TOP_LEVEL]


def _modules(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.glob("*.py")) if path.stem != "__init__")


def _is_public(path: Path) -> bool:
    """Say whether a module defines a class of the public names, or a decorator of tasks."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return any(
        (isinstance(node, ast.ClassDef) and node.name.startswith("Bitrix24"))
        or (isinstance(node, ast.FunctionDef) and node.name.endswith("_task"))
        for node in tree.body
    )
