"""The settings of a run: sizes, a time limit, portals, and its own Airflow home."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from benchmarks.portal import Portal
from benchmarks.table import Row
from tests.support.certificate import OFFICIAL_OAUTH_HOST, make_certificate


@dataclass
class Bench:
    """One run of the table.

    :param quick: whether sizes are small; goals that depend on them are not judged then.
    :param limit: seconds that one contender has for one row.
    """

    quick: bool = False
    limit: float = 300.0
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="bitrix24-bench-")))

    def __post_init__(self) -> None:
        # Set before anything imports Airflow, so that its files stay in this run's folder.
        os.environ["AIRFLOW_HOME"] = str(self.folder / "airflow")
        os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
        self.certificate = make_certificate(self.folder, "localhost", OFFICIAL_OAUTH_HOST)
        # The HTTP clients of this process and of its children trust it.
        os.environ["REQUESTS_CA_BUNDLE"] = os.environ["SSL_CERT_FILE"] = str(self.certificate.certfile)

    def portal(self, plan: str = "standard") -> Portal:
        """Return a fresh portal with TLS; one of the peers accepts nothing else."""
        return Portal(plan=plan, certificate=self.certificate)

    def size(self, full: int, quick: int) -> int:
        """Return the size that this run uses."""
        return quick if self.quick else full


RowFunction: TypeAlias = Callable[[Bench], Row]
