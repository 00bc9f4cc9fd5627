"""The whole distributed Airflow: start it, lose a part of it, start the part again, stop all."""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import psycopg2
import requests

from demo.distributed.binaries import Binaries
from demo.distributed.components import Components
from demo.distributed.servers import Postgres, Redis
from demo.distributed.settings import HOSTS, common_environment, host_environment
from demo.stack import Airflow, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WORKERS = tuple(f"worker-{host}" for host in HOSTS)
TRIGGERERS = tuple(f"triggerer-{host}" for host in HOSTS)
COMPONENTS = ("api-server", "scheduler", "dag-processor", *WORKERS, *TRIGGERERS)
_HEALTHY_WITHIN = 300.0
_SERVERS_WITHIN = 60.0


class Cluster:
    """PostgreSQL, Redis, Airflow's parts and two hosts; a context manager.

    :param folder: all that is written; an earlier run's is removed.
    :param dags: the folder of the DAGs.
    """

    def __init__(self, *, folder: Path, dags: Path) -> None:
        binaries = Binaries.find()
        shutil.rmtree(folder, ignore_errors=True)
        self.logs = folder / "logs"
        for path in (folder, self.logs, folder / "home"):
            path.mkdir(mode=0o700, parents=True)
        self.folder = folder
        self.components = Components(logs=self.logs)
        self.postgres = Postgres(binaries=binaries, components=self.components)
        self.redis = Redis(binaries=binaries, components=self.components, folder=folder)
        port = free_port()
        self._env = common_environment(
            home=folder / "home", dags=dags, port=port, postgres=self.postgres, redis=self.redis
        )
        self.airflow = Airflow(url=f"http://127.0.0.1:{port}", processes=self.components)
        self.revived: list[str] = []

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, name: str) -> None:
        """Start a component, or start it again."""
        if name in (self.postgres.name, self.redis.name):
            server = self.postgres if name == self.postgres.name else self.redis
            server.start()
            self._until(server.is_ready, name, _SERVERS_WITHIN)
            return
        # A killed worker leaves the file of its number behind, and another one would not start.
        (self.folder / f"{name}.pid").unlink(missing_ok=True)
        self.components.launch(name, self._command(name), env=self._environment(name))

    def kill(self, name: str) -> int:
        """Lose a component with all that it runs; return its pid."""
        return self.components.kill(name)

    def restart_database(self) -> None:
        """Stop PostgreSQL and start it again."""
        self.postgres.stop()
        self.start(self.postgres.name)

    def revive(self) -> list[str]:
        """Start what has ended by itself, as Kubernetes and systemd do; return its names."""
        names = self.components.ended()
        for name in names:
            self.start(name)
        self.revived += names
        return names

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query on Airflow's database."""
        connection = self.postgres.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(query, parameters)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def secrets(self) -> dict[str, str]:
        """Return the secrets of this Airflow, by what they are."""
        return {
            "password of Redis": self.redis.password,
            "password of PostgreSQL": self.postgres.password,
            "fernet key": self._env["AIRFLOW__CORE__FERNET_KEY"],
            "JWT secret": self._env["AIRFLOW__API_AUTH__JWT_SECRET"],
        }

    def stop(self) -> None:
        """Stop all, the servers last, and remove the database."""
        # A second Ctrl-C must not leave processes behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.components.stop_all(COMPONENTS)
        self.redis.stop()
        self.postgres.stop()
        self.postgres.remove()

    def _start(self) -> None:
        self.postgres.create()
        self.start(self.postgres.name)
        self.start(self.redis.name)
        self.postgres.create_database()
        self._migrate()
        for name in COMPONENTS:
            self.start(name)
        self._until(self._is_healthy, "Airflow", _HEALTHY_WITHIN)
        self.airflow.log_in()

    def _migrate(self) -> None:
        command = [self._program(), "db", "migrate"]
        done = subprocess.run(command, env=self._env, cwd="/", capture_output=True, text=True, check=False)
        (self.logs / "migrate.log").write_text(done.stdout + done.stderr)
        if done.returncode:
            raise RuntimeError(f"airflow db migrate failed:\n{done.stderr[-2000:]}")

    def _is_healthy(self) -> bool:
        self.components.check()
        with contextlib.suppress(requests.RequestException, KeyError, psycopg2.Error):
            health = requests.get(f"{self.airflow.url}/api/v2/monitor/health", timeout=10).json()
            if any(health[part]["status"] != "healthy" for part in ("scheduler", "dag_processor")):
                return False
            query = "select count(*) from job where job_type = 'TriggererJob' and state = 'running'"
            return self.rows(query)[0][0] >= len(TRIGGERERS) and all(map(self._takes_tasks, WORKERS))
        return False

    def _takes_tasks(self, worker: str) -> bool:
        return bool(re.search(r" ready\.", (self.logs / f"{worker}.log").read_text(errors="replace")))

    def _command(self, name: str) -> list[str]:
        pid = ["--pid", str(self.folder / f"{name}.pid")]
        kind = name.partition("-")[0]
        if kind == "worker":
            options = ["--skip-serve-logs", "--celery-hostname", f"{name}@localhost", *pid]
            return [self._program(), "celery", "worker", *options]
        if kind == "triggerer":
            return [self._program(), "triggerer", "--skip-serve-logs", *pid]
        return [self._program(), name, *(["--skip-serve-logs"] if name == "scheduler" else [])]

    def _environment(self, name: str) -> dict[str, str]:
        if name not in WORKERS + TRIGGERERS:
            return self._env
        return host_environment(self._env, self.folder, int(name[-1]))

    @staticmethod
    def _program() -> str:
        return str(Path(sys.executable).with_name("airflow"))

    def _until(self, condition: Callable[[], bool], what: str, limit: float) -> None:
        deadline = time.monotonic() + limit
        while not condition():
            if time.monotonic() > deadline:
                raise RuntimeError(f"{what} was not ready within {limit:.0f} s; the logs are in {self.logs}")
            time.sleep(0.3)
