"""Files that operators read and write: local paths, and URLs of object storage where Airflow has it."""

from __future__ import annotations

import errno
import os
import posixpath
import stat
import uuid
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

#: Schemes of one storage.
_ALIASES = {"s3a": "s3", "s3n": "s3", "gcs": "gs", "abfss": "abfs"}


def is_remote(path: str) -> bool:
    """Say whether a path is a URL of object storage.

    :param path: a path, or a URL; ``file:///`` is local.
    """
    return "://" in path and not path.startswith("file:///")


def local_path(path: str) -> Path:
    """Return a local path, which may be written as ``file:///…``.

    :param path: a path or a ``file:///`` URL.
    """
    return Path(path.removeprefix("file://") if path.startswith("file:///") else path)


def open_regular(path: Path, flags: int, *, mode: int = 0o600) -> int:
    """Open a file that others may have put there: no link is followed, and a FIFO or device does not block.

    :param path: the file.
    :param flags: as ``os.open`` has them.
    :param mode: its mode, when it is made.
    :returns: the descriptor.
    :raises OSError: when it is no regular file, or can't be opened.
    """
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, mode)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return descriptor


def object_path(url: str) -> Any:
    """Return Airflow's path for a URL of object storage.

    :param url: for example ``s3://conn_id@bucket/key``.
    """
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    return ObjectStoragePath(url)


def is_same_file(one: str, other: str) -> bool:
    """Say whether two paths lead to one file, also through links.

    :param one: a local path or an object storage URL.
    :param other: the other one.
    """
    first, second = _place(one), _place(other)
    if first == second:
        return True
    if not isinstance(first, Path) or not isinstance(second, Path):
        return False
    try:
        return first.samefile(second)
    except OSError:
        # One of them is not there.
        return False


def _place(path: str) -> Path | tuple[str, str, str]:
    """Return where a path leads: the connection of a URL names no other place."""
    parts = urlsplit(path) if is_remote(path) else None
    if parts is None or parts.scheme == "file":
        local = local_path(path) if parts is None else Path(f"{parts.netloc}{parts.path}")
        return Path(os.path.realpath(local))
    bucket = parts.netloc.rpartition("@")[2]
    key = posixpath.normpath(f"/{path.partition('://')[2].partition('/')[2]}")
    return _ALIASES.get(parts.scheme, parts.scheme), bucket, key.lstrip("/")


def open_file(path: str) -> IO[bytes]:
    """Open a file to read it bit by bit.

    :param path: a local path or an object storage URL.
    """
    opened: IO[bytes] = object_path(path).open("rb") if is_remote(path) else local_path(path).open("rb")
    return opened


def file_size(path: str) -> int | None:
    """Return how many bytes a file has; None when that is not known before it is read.

    :param path: a local path or an object storage URL.
    """
    found = object_path(path).stat() if is_remote(path) else local_path(path).stat()
    return found.st_size or None


def write_file(path: str, content: bytes) -> None:
    """Write a file whole or not at all.

    :param path: a local path, whose directories are made, or an object storage URL.
    """
    if is_remote(path):
        object_path(path).write_bytes(content)
        return
    target = local_path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Moved into place when it is complete, so that nobody reads half of it.
    draft = target.with_name(f".{uuid.uuid4().hex}.part")
    try:
        draft.write_bytes(content)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
