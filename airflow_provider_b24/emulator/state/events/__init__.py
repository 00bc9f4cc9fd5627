"""Events: who is subscribed to which, and the queue that an application reads."""
