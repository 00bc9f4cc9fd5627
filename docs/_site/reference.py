"""Writes one page for each public module; Sphinx fills it from the docstrings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .modules import public_modules

if TYPE_CHECKING:
    from pathlib import Path

_MODULE = """# {title}

```{{eval-rst}}
.. automodule:: airflow_provider_b24.{title}
   :members:
{options}```
"""
#: The emulator's class is documented whole; others show their own members.
_OPTIONS = {"emulator.emulator": "   :inherited-members: object\n"}
_CHANGELOG = """```{include} ../../CHANGELOG.md
```
"""
_INDEX = """# API reference

Each class with its parameters, what is templated, what it returns and what it raises.

{rows}
- [Changelog](changelog.md)

```{{toctree}}
:hidden:

{pages}
changelog
```
"""


def write_reference(folder: Path, package: Path) -> None:
    """Write the pages of the API reference.

    :param folder: where they go; pages of modules that are gone are deleted.
    :param package: the folder of ``airflow_provider_b24``.
    """
    modules = public_modules(package)
    pages = {f"{name}.md": _MODULE.format(title=name, options=_OPTIONS.get(name, "")) for name in modules}
    pages["changelog.md"] = _CHANGELOG
    rows = "\n".join(f"- [{name}]({name}.md)" for name in modules)
    pages["index.md"] = _INDEX.format(rows=rows, pages="\n".join(modules))
    folder.mkdir(exist_ok=True)
    for path in folder.glob("*.md"):
        if path.name not in pages:
            path.unlink()
    for name, text in pages.items():
        _write_changed(folder / name, text)


def _write_changed(path: Path, text: str) -> None:
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def draw_trees(app: Any, what: str, name: str, obj: object, options: Any, lines: list[str]) -> None:
    """Show a tree that is drawn in a docstring as it stands there.

    The parameters are those of ``autodoc-process-docstring``.
    """
    drawn = [number for number, line in enumerate(lines) if line.startswith(("├", "└"))]
    if drawn:
        root, end = drawn[0] - 1, drawn[-1] + 1
        while end < len(lines) and lines[end]:
            end += 1
        lines[root:end] = ["::", "", *(f"    {line}" for line in lines[root:end])]


def skip_inherited_work(app: Any, what: str, name: str, obj: object, skip: bool, options: Any) -> bool | None:
    """Leave out of an operator's entry what Airflow calls and no author of a DAG does.

    The parameters are those of ``autodoc-skip-member``.
    """
    owner = getattr(obj, "__qualname__", "").partition(".")[0]
    is_work = name in _CALLED_BY_AIRFLOW and owner.endswith(("Operator", "Sensor", "Notifier"))
    return True if is_work or name in _DECLARATIONS else None


_CALLED_BY_AIRFLOW = {
    "execute",
    "execute_complete",
    "on_kill",
    "poke",
    "notify",
    "async_notify",
    "resume_execution",
}
_DECLARATIONS = {"operator_extra_links", "template_fields_renderers", "custom_operator_name"}
