"""``python -m benchmarks``: all tables, each printed by its own process."""

from __future__ import annotations

import subprocess
import sys

TABLES = ("benchmarks.calls", "benchmarks.waiting", "benchmarks.asking", "benchmarks.hosts")


def main() -> int:
    """Print all tables; fail when a goal is not met."""
    return max(subprocess.run([sys.executable, "-m", table], check=False).returncode for table in TABLES)


if __name__ == "__main__":
    raise SystemExit(main())
