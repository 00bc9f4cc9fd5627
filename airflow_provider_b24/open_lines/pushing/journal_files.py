"""The journals next to a report: one for each task run, and what becomes of those that nobody needs."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import stat
from typing import TYPE_CHECKING

from airflow_provider_b24.utils.files import is_remote, local_path, open_regular

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow_provider_b24.open_lines.pushing.journal import TaskRun

log = logging.getLogger(__name__)

#: How long a journal is kept after its last line, in seconds: as long as a value of the task state store.
_RETENTION = 31 * 86400.0
_NAME = re.compile(r"\.[0-9a-f]{16}\.journal")
#: The second line of a journal names its task; a longer line is none.
_MAX_HEAD = 64 * 1024


def journal_path(report_path: str, task: TaskRun) -> str:
    """Return where the journal of a task run is: no other task run has the same place.

    :param report_path: the path of the report, which several task runs may share.
    :param task: whose push it is.
    """
    names = "\x1f".join(task.task).encode("utf-8", "surrogatepass")
    return f"{report_path}.{hashlib.blake2b(names, digest_size=8).hexdigest()}.journal"


def tidy(report_path: str, task: TaskRun, *, now: float) -> None:
    """Remove the old journals of a report, and warn when another task of the same run writes it, too.

    In object storage nothing is done: there a rule of the bucket removes what is old.

    :param report_path: the path of the report.
    :param task: whose push it is.
    :param now: Unix seconds.
    """
    if is_remote(report_path):
        return
    try:
        paths = [path for path in _journals(local_path(report_path)) if not _is_removed(path, now)]
        is_shared = any(_is_of_same_run(_task_in(path), task) for path in paths)
    except OSError as error:
        log.debug("The journals next to %s can't be read: %s", report_path, error)
        return
    if is_shared:
        log.warning(
            "Another task of this run writes its report to %s, too, and the last one replaces the others'. "
            "Give each its own report_path; a mapped task has {{ ti.map_index }}",
            report_path,
        )


def _journals(report: Path) -> Iterator[Path]:
    """Yield the journals next to a report."""
    if report.parent.is_dir():
        for path in report.parent.iterdir():
            is_named = path.name.startswith(report.name) and _NAME.fullmatch(path.name, len(report.name))
            if is_named and stat.S_ISREG(path.lstat().st_mode):
                yield path


def _is_removed(path: Path, now: float) -> bool:
    """Remove a journal that is old, and say whether it was."""
    is_old = path.lstat().st_mtime < now - _RETENTION
    if is_old:
        path.unlink(missing_ok=True)
    return is_old


def _task_in(path: Path) -> list[str]:
    """Return the names of a journal's task; none when its second line does not say them."""
    with os.fdopen(open_regular(path, os.O_RDONLY), "rb") as file:
        file.readline(_MAX_HEAD)
        line = file.readline(_MAX_HEAD)
    try:
        return list(json.loads(line)["task"])
    except (ValueError, TypeError, KeyError):
        return []


def _is_of_same_run(names: list[str], task: TaskRun) -> bool:
    """Say whether a journal is that of another task in the same run of the DAG."""
    if len(names) != len(task.task) or tuple(names) == task.task:
        return False
    dag, run = 0, 2
    return names[dag] == task.task[dag] and names[run] == task.task[run]
