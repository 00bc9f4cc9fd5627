"""Events: what happens in a portal, as the application's offline queue keeps it."""
