"""A question to people in a chat: what is asked, how it is counted, what they read of it."""
