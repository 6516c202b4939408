"""From the unpacked folder of a published corpus to a manifest and its official trials."""
