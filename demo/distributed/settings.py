"""The environment of each component."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from demo.stack import airflow_environment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from demo.distributed.servers import Postgres, Redis

CONCURRENCY = 4
HOSTS = (1, 2)


def common_environment(
    *, home: Path, dags: Path, port: int, postgres: Postgres, redis: Redis
) -> dict[str, str]:
    """Return what all components share.

    :param home: Airflow's home; its logs are there.
    :param dags: the folder of the DAGs.
    :param port: the API server's port.
    :param postgres: the database.
    :param redis: the broker and the provider's state.
    """
    database = f"postgresql+psycopg2://{postgres.url}"
    settings = {
        "CORE__EXECUTOR": "CeleryExecutor",
        "CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        # No more than the workers take at once: what waits in the broker is lost with it.
        "CORE__PARALLELISM": str(CONCURRENCY * len(HOSTS)),
        "CORE__MAX_ACTIVE_TASKS_PER_DAG": "1000",
        "DATABASE__SQL_ALCHEMY_CONN": database,
        "CELERY__RESULT_BACKEND": f"db+{database}",
        "CELERY__BROKER_URL": redis.broker_url,
        "CELERY__WORKER_CONCURRENCY": str(CONCURRENCY),
        "BITRIX24__STATE_URL": redis.state_url,
        # How soon a lost machine is noticed. Airflow's defaults: 300 s for a running task, and 600 s for a
        # queued one that a dead worker had taken, looked for every 120 s.
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
        "SCHEDULER__TASK_QUEUED_TIMEOUT": "60",
        "SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "10",
        "SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES": "20",
        "TRIGGERER__JOB_HEARTBEAT_SEC": "3",
        "DAG_PROCESSOR__REFRESH_INTERVAL": "10",
    }
    env = airflow_environment(home=home, dags=dags, port=port)
    # The image of a host has the package on its path; here it is the checkout.
    env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
    return env | {f"AIRFLOW__{name}": value for name, value in settings.items()}


def host_environment(common: Mapping[str, str], folder: Path, host: int) -> dict[str, str]:
    """Return the environment of a worker or triggerer: each host has temporary files of its own.

    :param common: what all components share.
    :param folder: where the hosts' folders are.
    :param host: the host's number.
    """
    own = folder / f"host-{host}"
    for name in ("tmp", "state"):
        (own / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    return {**common, "TMPDIR": str(own / "tmp"), "BITRIX24_STATE_DIR": str(own / "state")}
