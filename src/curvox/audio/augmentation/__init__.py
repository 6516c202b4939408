"""Change batches of waveforms as rooms, noise, channels, codecs and speeds do, each item by its own seed."""
