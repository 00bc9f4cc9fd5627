"""Reads the polls of all triggers that wait, many in one request."""
