"""The REST methods and what they share."""
