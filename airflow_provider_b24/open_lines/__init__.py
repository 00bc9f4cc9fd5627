"""What a connector message is, and what became of it."""
