"""Airflow's own secrets masker, wherever this version of Airflow keeps it."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module

#: Newest first. ``common.compat.sdk`` has it from common-compat 1.22.0 on, which is newer than what the
#: constraints of most supported Airflow versions pin.
_MODULES = (
    "airflow.providers.common.compat.sdk",
    "airflow.sdk.log",
    "airflow.sdk.execution_time.secrets_masker",
    "airflow.utils.log.secrets_masker",
)


def mask_secret(value: str) -> None:
    """Make Airflow replace a value in every log by ``***``.

    :param value: the secret.
    :raises ImportError: when this version of Airflow has no masker in any known place.
    """
    for name in _MODULES:
        with suppress(ImportError, AttributeError):
            mask = import_module(name).mask_secret
            break
    else:
        raise ImportError(f"Airflow has no mask_secret in any of {', '.join(_MODULES)}")
    mask(value)
