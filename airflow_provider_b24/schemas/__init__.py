"""JSON Schemas of what is sent, one a payload."""
