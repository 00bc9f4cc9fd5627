"""The probes, one file an area; importing the areas registers them, in this order."""

# isort: off
from airflow_provider_b24.conformance.areas import (
    calls,
    batches,
    chats,
    anonymity,
    sending,
    duplicates,
    messages,
    reading,
    voting,
    stopping,
    application,
)

# isort: on
from airflow_provider_b24.conformance.probe import PROBES

__all__ = [
    "PROBES",
    "anonymity",
    "application",
    "batches",
    "calls",
    "chats",
    "duplicates",
    "messages",
    "reading",
    "sending",
    "stopping",
    "voting",
]
