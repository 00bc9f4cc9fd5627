"""The way from an Airflow connection to a Bitrix24 portal."""
