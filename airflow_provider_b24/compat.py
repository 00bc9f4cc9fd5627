"""Names that ``common.compat.sdk`` has got only after common-compat 1.12.

The constraints of older Airflow versions pin an older common-compat, so these are looked up where each
version of Airflow itself keeps them.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import (
        BranchMixIn,
        SkipMixin,
        determine_kwargs,
        mask_secret,
    )

__all__ = ["BranchMixIn", "SkipMixin", "determine_kwargs", "mask_secret"]

_SDK = "airflow.providers.common.compat.sdk"
#: Newest first.
_PLACES = {
    "BranchMixIn": (
        _SDK,
        "airflow.sdk.bases.branch",
        "airflow.providers.standard.operators.branch",
        "airflow.operators.branch",
    ),
    "SkipMixin": (
        _SDK,
        "airflow.sdk.bases.skipmixin",
        "airflow.providers.standard.utils.skipmixin",
        "airflow.models.skipmixin",
    ),
    "determine_kwargs": (_SDK, "airflow.sdk.bases.decorator", "airflow.utils.operator_helpers"),
    "mask_secret": (
        _SDK,
        "airflow.sdk.log",
        "airflow.sdk.execution_time.secrets_masker",
        "airflow.utils.log.secrets_masker",
    ),
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    for place in _PLACES[name]:
        with suppress(ImportError, AttributeError):
            return getattr(import_module(place), name)
    raise ImportError(f"This Airflow has no {name} in any of {', '.join(_PLACES[name])}")
