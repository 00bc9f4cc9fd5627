"""``python -m benchmarks.calls``: calls under limits and faults, as one table."""

from __future__ import annotations

import argparse
import gc
import importlib.metadata
import logging
import os
import shutil
import sys
import time
from typing import TYPE_CHECKING

from benchmarks import faults, overhead, rate_limit, secret_leaks, token_refresh
from benchmarks.bench import Bench
from benchmarks.contenders import CONTENDERS, PEERS
from benchmarks.table import Row, markdown

if TYPE_CHECKING:
    from benchmarks.bench import RowFunction

ROWS: dict[str, RowFunction] = {
    "single": rate_limit.single_calls,
    "batch": rate_limit.many_messages,
    "shared-address": rate_limit.messages_from_a_shared_address,
    "polls": faults.polls_once,
    "bad-command": faults.one_bad_command,
    "tokens": token_refresh.one_refresh,
    "overhead": overhead.overhead,
    "secrets": secret_leaks.secret_leaks,
}


def main() -> int:
    """Measure the rows and print them."""
    options = _options()
    bench = Bench(quick=options.quick, limit=options.limit)
    logging.disable(logging.WARNING)
    for contender in CONTENDERS:
        contender.load()
    # Without this, the first garbage collection in each forked worker copies all imported objects.
    gc.collect()
    gc.freeze()
    try:
        rows = [_measure(bench, name) for name in options.only or ROWS]
    finally:
        shutil.rmtree(bench.folder, ignore_errors=True)
    print(f"\n{markdown(rows, PEERS)}\n")
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, {', '.join(_versions())}")
    if bench.quick:
        print("\nSmall sizes: goals that depend on them are not judged.")
    return 1 if any(row.met is False for row in rows) else 0


def _measure(bench: Bench, name: str) -> Row:
    began = time.monotonic()
    row = ROWS[name](bench)
    sys.stderr.write(f"{name}: {time.monotonic() - began:.0f} s\n")
    return row


def _versions() -> list[str]:
    names = ("apache-airflow", "b24pysdk", "fast-bitrix24", "requests")
    return [f"{name} {importlib.metadata.version(name)}" for name in names]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calls", description=__doc__)
    parser.add_argument("--only", action="append", choices=list(ROWS), help="a row; may be repeated")
    parser.add_argument("--quick", action="store_true", help="small sizes, to check that it works")
    parser.add_argument("--limit", type=float, default=300.0, help="seconds for each contender in a row")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
