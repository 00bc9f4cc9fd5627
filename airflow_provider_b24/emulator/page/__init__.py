"""The web page at the portal's root."""
