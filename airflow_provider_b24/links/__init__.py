"""Links from a task in Airflow to Bitrix24."""
