"""A distributed Airflow on loopback: PostgreSQL, Redis, and two hosts of a Celery worker and a triggerer."""
