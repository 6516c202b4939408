"""Formats of corpora: manifests, folders, Kaldi, lhotse, shards; read and written."""
