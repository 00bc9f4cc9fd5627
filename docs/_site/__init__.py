"""What the build of the documentation makes by rule, so that new pages and modules need no list."""
