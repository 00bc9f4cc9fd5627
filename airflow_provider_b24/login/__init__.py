"""Authorise an OAuth application from the command line, and keep its tokens where Airflow reads them."""
