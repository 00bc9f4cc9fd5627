"""A push: messages from outside, streamed, remembered and reported."""
