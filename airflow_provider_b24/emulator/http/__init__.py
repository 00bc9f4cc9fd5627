"""The web server under the portal: REST, tokens, control API."""
