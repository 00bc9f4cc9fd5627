"""What tasks leave behind, as Airflow's assets."""
