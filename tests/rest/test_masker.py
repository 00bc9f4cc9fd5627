"""Airflow's masker is found in each place where a version of Airflow keeps it."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from airflow_provider_b24.rest import masker
from airflow_provider_b24.rest.masker import mask_secret

PLACES = masker._MODULES


def put_masker(monkeypatch: pytest.MonkeyPatch, place: str | None) -> list[str]:
    """Make this place the only one that has the masker; return what it masks."""
    masked: list[str] = []
    for name in PLACES:
        module: Any = ModuleType(name)
        if name == place:
            module.mask_secret = masked.append
        # Some modules are absent, others are there without the function.
        monkeypatch.setitem(sys.modules, name, module if name in {PLACES[0], place} else None)
    return masked


@pytest.mark.parametrize("place", PLACES)
def test_a_secret_is_masked_wherever_the_masker_is(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    masked = put_masker(monkeypatch, place)

    mask_secret("canary0value")

    assert masked == ["canary0value"]


def test_an_airflow_without_a_masker_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    put_masker(monkeypatch, None)

    with pytest.raises(ImportError, match=r"airflow\.utils\.log\.secrets_masker"):
        mask_secret("canary0value")
