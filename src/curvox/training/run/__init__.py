"""A run from recipe to folder: its checkpoints, its logs, its end."""
