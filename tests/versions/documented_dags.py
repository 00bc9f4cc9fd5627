"""Imports the DAGs of the README, the docs and the examples on any Airflow: documented_dags.py ROOT.

It needs nothing but the installed package, and runs no snippet that calls a portal.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import runpy
import sys
from pathlib import Path
from typing import Any

from airflow import __version__ as airflow_version
from airflow.providers.common.compat.sdk import redact

import airflow_provider_b24
from airflow_provider_b24.compat import mask_secret

_BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
_IS_DAG = re.compile(r"^@dag|^with DAG\(", re.MULTILINE)
#: What the documentation says to need a newer Airflow.
_NEEDS = {"airflow_provider_b24.retry_policy": (3, 3)}
#: The same of what every Airflow can import, and only a newer one can use.
_USES_NEED = {"airflow_provider_b24.triggers.events": (3, 0)}


def run_page(page: Path) -> int:
    """Run the imports, the constants and the DAGs of a page, and return how many DAGs there were."""
    names: dict[str, Any] = {}
    dags = 0
    for block in _BLOCK.findall(page.read_text(encoding="utf-8")):
        tree = ast.parse(block)
        if needs_newer_airflow(tree):
            continue
        if _IS_DAG.search(block):
            dags += 1
        else:
            tree.body = [node for node in tree.body if is_harmless(node)]
        exec(compile(tree, str(page), "exec"), names)
    return dags


def needs_newer_airflow(tree: ast.AST) -> bool:
    """Say whether a snippet imports what this Airflow is too old for."""
    version = tuple(map(int, airflow_version.split(".")[:2]))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    needs = _NEEDS | _USES_NEED
    return any(module in modules and version < needed for module, needed in needs.items())


def is_harmless(node: ast.stmt) -> bool:
    """Say whether a statement only imports or names a constant."""
    if isinstance(node, ast.Assign):
        try:
            ast.literal_eval(node.value)
        except ValueError:
            return False
        return True
    return isinstance(node, ast.Import | ast.ImportFrom)


def import_package() -> None:
    """Import every module of the package that this Airflow is new enough for."""
    name = "airflow_provider_b24"
    for module in pkgutil.walk_packages(airflow_provider_b24.__path__, f"{name}."):
        if not module.name.startswith((f"{name}.emulator", *_NEEDS)):
            importlib.import_module(module.name)


def main(root: Path) -> None:
    """Import all, and see that Airflow's masker is found."""
    import_package()
    pages = [root / "README.md", *sorted((root / "docs").glob("*.md"))]
    dags = {page.name: run_page(page) for page in pages}
    assert min(dags["README.md"], dags["polls.md"], dags["open_lines.md"]) >= 1, dags
    for path in sorted((root / "example_dags").glob("*.py")):
        if not needs_newer_airflow(ast.parse(path.read_text(encoding="utf-8"))):
            runpy.run_path(str(path))
    mask_secret("canary0masked0value")
    assert redact("canary0masked0value") == "***"
    sys.stdout.write(f"{dags}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
