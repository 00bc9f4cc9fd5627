"""Where the programs of PostgreSQL and Redis are."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Debian keeps the server's programs out of PATH, one folder for each version.
_FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/local/bin", "/opt/homebrew/bin")
_ADVICE = "Install them first (Debian: apt-get install postgresql redis-server)"


@dataclass(frozen=True)
class Binaries:
    """The programs that are started."""

    initdb: str
    postgres: str
    redis: str

    @classmethod
    def find(cls, folders: Sequence[str] = _FOLDERS) -> Self:
        """Return the newest of each program.

        :param folders: patterns of folders, besides those of PATH.
        :raises RuntimeError: when one is missing, with the command that installs it.
        """
        names = ("initdb", "postgres", "redis-server")
        found = {name: _newest(name, folders) for name in names}
        missing = [name for name, path in found.items() if path is None]
        if missing:
            raise RuntimeError(f"Not found: {', '.join(missing)}. {_ADVICE}")
        return cls(*(str(found[name]) for name in names))


def _newest(name: str, folders: Sequence[str]) -> str | None:
    there = [
        path for folder in folders for path in Path("/").glob(f"{folder.strip('/')}/{name}") if path.is_file()
    ]
    newest = max(there, key=_version, default=None)
    return str(newest) if newest else shutil.which(name)


def _version(path: Path) -> int:
    version = path.parent.parent.name
    return int(version) if version.isdecimal() else 0
