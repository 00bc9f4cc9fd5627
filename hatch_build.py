"""The README as a package index shows it, where links to files of the source tree lead nowhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

#: A link to a file: neither an address nor a place on the same page.
_LINK = re.compile(r"\[([^\]]+)\]\((?!\w+:|#)([^)\s]+)\)")


def for_index(readme: str, source: str | None) -> str:
    """Return the README with absolute links, or with the files' names while there is no source URL.

    :param readme: the README's text.
    :param source: the address under which the files can be read.
    """
    if source:
        return _LINK.sub(rf"[\1]({source.rstrip('/')}/blob/main/\2)", readme)
    return _LINK.sub(lambda link: link[1] if link[1] == link[2] else f"{link[1]} (`{link[2]}`)", readme)


class ReadmeHook(MetadataHookInterface):
    """Fills in ``readme``, which pyproject.toml declares as dynamic."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the README.

        :param metadata: the ``[project]`` table.
        """
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        source = metadata.get("urls", {}).get("Source")
        metadata["readme"] = {"content-type": "text/markdown", "text": for_index(text, source)}
