"""Open lines: their connectors, conversations and CRM bindings, and what they take in."""
