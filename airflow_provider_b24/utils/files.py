"""Files that operators write."""

from __future__ import annotations

import uuid
from pathlib import Path


def write_file(path: str, content: bytes) -> None:
    """Write a file whole or not at all.

    :param path: a local path, whose directories are made, or an object storage URL.
    """
    if path.startswith("file:///"):
        path = path.removeprefix("file://")
    if "://" in path:
        from airflow.providers.common.compat.sdk import ObjectStoragePath

        ObjectStoragePath(path).write_bytes(content)
        return
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Moved into place when it is complete, so that nobody reads half of it.
    draft = target.with_name(f".{uuid.uuid4().hex}.part")
    try:
        draft.write_bytes(content)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
