"""Losses that compare the recordings of a batch with each other: pairs, triplets, means of speakers."""
