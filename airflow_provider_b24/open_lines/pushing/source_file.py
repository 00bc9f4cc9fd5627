"""The file that a push reads: opened, or refused with what is wrong with its path."""

from __future__ import annotations

import stat
from typing import IO

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.utils.files import is_remote, local_path, open_file


def open_source(path: str) -> IO[bytes]:
    """Open a file to read messages from it.

    :param path: a local path or an object storage URL.
    :raises Bitrix24ValidationError: when there is no such file, it is no file, or it may not be read.
    """
    try:
        if not is_remote(path):
            _refuse_special(path)
        return open_file(path)
    except FileNotFoundError:
        rule = f"there is no file {path!r}"
    except (IsADirectoryError, NotADirectoryError):
        rule = f"must name a file: {path!r} is a folder, or leads through a file"
    except PermissionError:
        rule = f"the worker's user may not read {path!r}"
    except (ImportError, ValueError) as error:
        # Of fsspec and Airflow: an unknown scheme, or a package that is not installed.
        rule = f"{path!r} can't be opened: {error}"
    raise Bitrix24ValidationError("path", rule)


def _refuse_special(path: str) -> None:
    """Refuse what can't be read twice, and a pipe, whose opening waits for its writer."""
    mode = local_path(path).stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError
    if not stat.S_ISREG(mode):
        raise Bitrix24ValidationError("path", f"must name a regular file: {path!r} is a pipe or a device")
