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
    from airflow.triggers.base import BaseEventTrigger
    from airflow.triggers.shared_stream import SharedStreamProducer

__all__ = [
    "BaseEventTrigger",
    "BranchMixIn",
    "SharedStreamProducer",
    "SkipMixin",
    "determine_kwargs",
    "has_asset_watchers",
    "has_shared_streams",
    "mask_secret",
]

_SDK = "airflow.providers.common.compat.sdk"
#: Where newer versions have it, and the module and name that stand in where a version has nothing like it.
_STAND_INS = {
    "BaseEventTrigger": ("airflow.triggers.base", ("airflow.triggers.base", "BaseTrigger")),
    "SharedStreamProducer": ("airflow.triggers.shared_stream", ("builtins", "object")),
}
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
    if name in _STAND_INS:
        return _or_stand_in(name)
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    for place in _PLACES[name]:
        with suppress(ImportError, AttributeError):
            return getattr(import_module(place), name)
    raise ImportError(f"This Airflow has no {name} in any of {', '.join(_PLACES[name])}")


def _or_stand_in(name: str) -> Any:
    place, (module, other) = _STAND_INS[name]
    with suppress(ImportError, AttributeError):
        return getattr(import_module(place), name)
    return getattr(import_module(module), other)


def has_asset_watchers() -> bool:
    """Say whether this Airflow starts DAGs from the events of triggers: 3.0 and later."""
    return hasattr(import_module("airflow.triggers.base"), "BaseEventTrigger")


def has_shared_streams() -> bool:
    """Say whether this Airflow tells a trigger when its events are stored: 3.3 and later."""
    base = import_module("airflow.triggers.base")
    return hasattr(getattr(base, "BaseEventTrigger", None), "create_shared_stream_producer")
