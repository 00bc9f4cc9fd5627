"""The connection as Airflow reads it, and how the login writes it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import Bitrix24Error, Bitrix24LoginError
from airflow_provider_b24.rest.redaction import REGISTRY

if TYPE_CHECKING:
    from collections.abc import Mapping

CONN_TYPE = "bitrix24"


@dataclass(frozen=True)
class StoredConnection:
    """What Airflow has under an id before the login.

    :param conn_id: the id.
    :param source: what keeps it in place of Airflow's database, in words; empty: the database, or nothing.
    """

    conn_id: str
    host: str = ""
    login: str = ""
    password: str = field(default="", repr=False)
    port: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)
    source: str = ""

    @property
    def is_webhook(self) -> bool:
        """Whether it holds a webhook, which a login would overwrite."""
        return "://" in self.password or bool(self.password and self.login.isdecimal())


def find_connection(conn_id: str) -> StoredConnection:
    """Return the connection that tasks get for an id; an empty one when there is none.

    :param conn_id: the id.
    :raises Bitrix24LoginError: it is a connection to something else, or Airflow can't be read.
    """
    found, source = _in_database_guard(lambda: _search(conn_id), "read")
    if found is None:
        return StoredConnection(conn_id)
    if found.conn_type != CONN_TYPE:
        raise Bitrix24LoginError(
            f"The connection {conn_id!r} has the type {found.conn_type!r}, not {CONN_TYPE!r}",
            advice="Choose another id with --conn-id.",
        )
    return StoredConnection(
        conn_id,
        host=found.host or "",
        login=found.login or "",
        password=found.password or "",
        port=found.port,
        extra=found.extra_dejson,
        source=source,
    )


def save_connection(connection: StoredConnection) -> None:
    """Write a connection into Airflow's database; other columns of a stored one stay.

    :param connection: the fields.
    :raises Bitrix24LoginError: the database did not take it.
    """
    _in_database_guard(lambda: _write(connection), "write to")


def _search(conn_id: str) -> tuple[Any, str]:
    """Return the first backend's connection, in the order in which Airflow asks them."""
    from airflow.configuration import ensure_secrets_loaded

    for backend in ensure_secrets_loaded():
        name = type(backend).__name__
        found = backend.get_connection(conn_id=conn_id)
        if found is None:
            continue
        if name == "MetastoreBackend":
            return found, ""
        if name == "EnvironmentVariablesBackend":
            return found, f"the environment variable AIRFLOW_CONN_{conn_id.upper()}"
        return found, f"the secrets backend {name}"
    return None, ""


def _write(connection: StoredConnection) -> tuple[None, str]:
    from airflow.models import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        row = session.scalar(select(Connection).where(Connection.conn_id == connection.conn_id))
        if row is None:
            row = Connection(conn_id=connection.conn_id, conn_type=CONN_TYPE)
            session.add(row)
        row.host, row.login, row.port = connection.host, connection.login, connection.port
        row.password = connection.password
        row.extra = json.dumps(dict(connection.extra))
    return None, ""


def _in_database_guard(work: Any, verb: str) -> tuple[Any, str]:
    try:
        result: tuple[Any, str] = work()
    except Bitrix24Error:
        raise
    except Exception as error:  # noqa: BLE001 - the database and secrets backends raise whatever they like
        # The statement and its parameters, which follow, may hold secrets.
        first = (str(error).splitlines() or [""])[0]
        why = REGISTRY.redact_and_truncate(f"{type(error).__name__}: {first}")
    else:
        return result
    raise Bitrix24LoginError(
        f"The command can't {verb} Airflow's connections: {why}",
        advice="Run it where Airflow itself runs, with its AIRFLOW_HOME and its database "
        "(airflow db migrate makes the tables).",
    )
