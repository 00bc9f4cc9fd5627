"""An object storage in memory, for Airflow's paths ``memory://…``."""

from __future__ import annotations


def in_memory_storage() -> None:
    """Let Airflow know the scheme: no provider of the tests has it."""
    from airflow.sdk.io import attach
    from fsspec.implementations.memory import MemoryFileSystem

    attach("memory", fs=MemoryFileSystem())
