"""Files that operators leave behind."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any


def write_file(path: str, content: bytes) -> None:
    """Write a file whole or not at all.

    :param path: a local path, whose directories are made, or an object storage URL.
    """
    if "://" in path:
        _object_storage(path).write_bytes(content)
        return
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Moved into place when it is complete, so that nobody reads half of it.
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
        file.write(content)
    Path(file.name).replace(target)


def _object_storage(path: str) -> Any:
    from importlib import import_module

    try:
        module = import_module("airflow.sdk")
    except ImportError:  # Airflow 2 has it elsewhere.
        module = import_module("airflow.io.path")
    return module.ObjectStoragePath(path)
