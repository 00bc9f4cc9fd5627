"""Try on a live portal what the provider holds true of it: ``python -m airflow_provider_b24.conformance``."""
