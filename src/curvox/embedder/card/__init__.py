"""The decision card: from scores to decisions, on what that was fitted, and where it was seen to hold."""
