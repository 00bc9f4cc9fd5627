"""How Sphinx builds the documentation; ``make docs`` runs it."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE), str(ROOT)]

from _site.navigation import with_navigation, without_links_outside  # noqa: E402
from _site.reference import draw_trees, skip_inherited_work, write_reference  # noqa: E402

from airflow_provider_b24 import __version__  # noqa: E402

_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

project = _PROJECT["name"]
release = version = __version__
html_title = f"Bitrix24 for Airflow {__version__}"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build", "_site"]
html_theme = "furo"
html_show_copyright = False
html_copy_source = False
html_show_sourcelink = False
html_permalinks_icon = "#"

myst_heading_anchors = 4
nitpicky = True
# Names of Airflow and of annotations are shown as text; those of this package must lead somewhere.
nitpick_ignore_regex = [("py:.*", r"(?!.*Bitrix24).*")]

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_default_options = {"exclude-members": "__init__, __new__"}
suppress_warnings = ["config.cache"]


def _read(app: Any, name: str, source: list[str]) -> None:
    if name == "index":
        source[0] = with_navigation(source[0], HERE)
    source[0] = without_links_outside(source[0], _PROJECT["urls"].get("Source"))


def setup(app: Any) -> None:
    """Connect what is made by rule.

    :param app: Sphinx.
    """
    write_reference(HERE / "reference", ROOT / "airflow_provider_b24")
    app.connect("source-read", _read)
    app.connect("autodoc-process-docstring", draw_trees)
    app.connect("autodoc-skip-member", skip_inherited_work)
