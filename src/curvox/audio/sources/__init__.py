"""Sources of waveforms: decoded stores, files where they lie, shards from a disk or a bucket."""
