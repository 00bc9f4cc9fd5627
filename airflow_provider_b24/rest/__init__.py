"""One call of any REST method: HTTP, authentication, limits and outcomes. It knows no poll."""
