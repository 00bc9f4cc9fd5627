"""``python -m airflow_provider_b24.login``: the same as ``airflow bitrix24 login``, for any Airflow."""

from __future__ import annotations

from airflow_provider_b24.login.command import main

if __name__ == "__main__":
    raise SystemExit(main())
