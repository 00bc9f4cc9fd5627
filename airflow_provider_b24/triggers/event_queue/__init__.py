"""Reads the queues of offline events for all watchers of a triggerer."""
