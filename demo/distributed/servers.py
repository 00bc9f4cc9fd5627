"""PostgreSQL and Redis on loopback, with passwords made at random."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2
import redis

from demo.stack import free_port

if TYPE_CHECKING:
    from demo.distributed.binaries import Binaries
    from demo.distributed.components import Components


class Postgres:
    """Airflow's database.

    :param binaries: the programs.
    :param components: where the server is started.
    """

    name = "postgres"

    def __init__(self, *, binaries: Binaries, components: Components) -> None:
        self._binaries = binaries
        self._components = components
        self._port = free_port()
        self._prefix, self._folder = _owner()
        self.password = secrets.token_hex(16)
        self.url = f"airflow:{self.password}@127.0.0.1:{self._port}/airflow"

    def create(self) -> None:
        """Make the data directory."""
        secret = self._folder / "password"
        secret.write_text(self.password)
        if self._prefix:
            shutil.chown(secret, "postgres", "postgres")
        options = ["-U", "airflow", "--auth=scram-sha-256", "-E", "UTF8", "--no-locale"]
        command = [*self._prefix, self._binaries.initdb, "-D", str(self._folder / "data"), *options]
        done = subprocess.run(
            [*command, f"--pwfile={secret}"], cwd="/", capture_output=True, text=True, check=False
        )
        secret.unlink()
        if done.returncode:
            raise RuntimeError(f"initdb failed:\n{done.stderr}")

    def start(self) -> None:
        """Start the server."""
        settings = ("listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200")
        command = [*self._prefix, self._binaries.postgres, "-D", str(self._folder / "data")]
        command += ["-p", str(self._port), *(word for setting in settings for word in ("-c", setting))]
        self._components.launch(self.name, command, env={"PATH": os.environ.get("PATH", "")})

    def is_ready(self) -> bool:
        """Whether it takes connections."""
        try:
            self.connect("postgres").close()
        except psycopg2.OperationalError:
            return False
        return True

    def create_database(self) -> None:
        """Create the database."""
        connection = self.connect("postgres")
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("create database airflow")
        connection.close()

    def connect(self, database: str = "airflow") -> psycopg2.extensions.connection:
        """Return a connection."""
        return psycopg2.connect(
            host="127.0.0.1",
            port=self._port,
            user="airflow",
            password=self.password,
            dbname=database,
            connect_timeout=5,
        )

    def stop(self) -> None:
        """Stop the server: it ends its clients' sessions and writes its data."""
        if self.name in self._components.names():
            self._components.stop_one(self.name, signal.SIGINT)

    def remove(self) -> None:
        """Remove the data."""
        shutil.rmtree(self._folder, ignore_errors=True)


class Redis:
    """Celery's broker, and the provider's shared state in a database of its own.

    :param binaries: the programs.
    :param components: where the server is started.
    :param folder: where its configuration is written; only its owner reads it.
    """

    name = "redis"

    def __init__(self, *, binaries: Binaries, components: Components, folder: Path) -> None:
        self._binaries = binaries
        self._components = components
        self._config = folder / "redis.conf"
        self.password = secrets.token_hex(16)
        port = free_port()
        self._url = f"redis://:{self.password}@127.0.0.1:{port}"
        lines = ["bind 127.0.0.1", f"port {port}", f"requirepass {self.password}", 'save ""', "appendonly no"]
        self._config.touch(mode=0o600)
        self._config.write_text("\n".join([*lines, f"dir {folder}", ""]))

    @property
    def broker_url(self) -> str:
        """The address for Celery."""
        return f"{self._url}/0"

    @property
    def state_url(self) -> str:
        """The address for ``[bitrix24] state_url``."""
        return f"{self._url}/1"

    def start(self) -> None:
        """Start the server."""
        self._components.launch(self.name, [self._binaries.redis, str(self._config)], env={})

    def is_ready(self) -> bool:
        """Whether it answers."""
        try:
            with redis.Redis.from_url(self.broker_url) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def stop(self) -> None:
        """Stop the server."""
        if self.name in self._components.names():
            self._components.stop_one(self.name, signal.SIGINT)


def _owner() -> tuple[list[str], Path]:
    """Return what runs a program as a user that PostgreSQL accepts, and a folder of that user.

    PostgreSQL refuses to run as root, and its user may not enter root's folders.
    """
    folder = Path(tempfile.mkdtemp(prefix="bitrix24-postgres-"))
    if os.geteuid() != 0:
        return [], folder
    user = pwd.getpwnam("postgres")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--init-groups"], folder
