"""Probes: they measure losses, training steps and embeddings, and judge nothing."""
