"""One training step: the model and what it is trained with, and what stops it."""
