"""Messages to Bitrix24 chats from Airflow's callbacks and alerts."""
