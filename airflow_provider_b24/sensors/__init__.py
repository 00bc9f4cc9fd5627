"""Sensors: tasks that wait for people."""
