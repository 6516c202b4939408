"""Pages that work offline, in one file."""
