"""Prints how many mutants of each file the tests notice, from what ``mutmut run`` has left."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

#: Exit codes of a test run with a mutant; others mean that it was noticed.
_SURVIVED = {0}
_NOT_RUN = {None, 5, 33, 34}


def score(meta: Path) -> Counter[str]:
    """Return how many mutants of a file were killed, survived, or met no test.

    :param meta: what mutmut notes beside its copy of the file.
    """
    codes = json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"].values()
    return Counter(
        "survived" if code in _SURVIVED else "no test" if code in _NOT_RUN else "killed" for code in codes
    )


def main() -> None:
    """Print a row for each file and one for all."""
    total: Counter[str] = Counter()
    for meta in sorted(Path("mutants").rglob("*.meta")):
        found = score(meta)
        total += found
        _print(str(meta.relative_to("mutants").with_suffix("")), found)
    _print("all", total)


def _print(name: str, found: Counter[str]) -> None:
    count = found.total()
    percent = 100 * found["killed"] / count if count else 100
    sys.stdout.write(f"{percent:5.1f} %  {found['killed']:4d} of {count:4d}  {name}\n")


if __name__ == "__main__":
    main()
