"""One try of a pushing task in a process of its own; ``benchmarks.push_runs`` starts and kills it."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.operators.open_lines import Bitrix24SendConnectorMessagesOperator

if TYPE_CHECKING:
    from datetime import timedelta

#: The emulator ends a request at once, so that nothing arrives so long after its reply is lost.
_REQUEST_SECONDS = 0.2


class FileStore:
    """Airflow's task state store, in a file: each set is whole or not at all, as a database has it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value."""
        values = json.loads(self._path.read_text()) if self._path.exists() else {}
        return values.get(key, default)

    def set(self, key: str, value: Any, *, retention: timedelta | None = None) -> None:  # noqa: ARG002
        """Replace a value."""
        draft = self._path.with_suffix(".part")
        draft.write_text(json.dumps({key: value}))
        draft.replace(self._path)


def main() -> int:
    """Run the operator once."""
    settings = json.loads(sys.argv[1])
    folder = Path(settings["folder"])
    logging.disable(logging.CRITICAL)
    from airflow_provider_b24.open_lines import settling

    settling.REQUEST_SECONDS = _REQUEST_SECONDS
    instance = SimpleNamespace(
        dag_id="night",
        task_id="push",
        run_id="r",
        map_index=-1,
        max_tries=40,
        try_number=settings["try_number"],
    )
    instance.xcom_push = lambda **_: None
    context: dict[str, Any] = {"ti": instance}
    operator = Bitrix24SendConnectorMessagesOperator(
        task_id="push",
        bitrix24_conn_id="bitrix24_app",
        connector="shop",
        line=settings["line"],
        path=str(folder / "messages.jsonl"),
        report_path=str(folder / "report.jsonl") if settings["memory"] == "report" else None,
        if_undelivered="report",
    )
    if settings["memory"] == "store":
        context["task_state_store"] = FileStore(folder / "store.json")
    print("begins", flush=True)
    result = operator.execute(context)
    (folder / "result.json").write_text(json.dumps(result))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
