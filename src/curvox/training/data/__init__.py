"""From a corpus to the batches of an epoch."""
