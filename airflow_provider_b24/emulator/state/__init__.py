"""What the portal holds, in memory."""
