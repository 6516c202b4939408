"""Change waveforms the way rooms, crowds, telephone lines and codecs do, each item of a batch by its own seed.

Every change takes floating waveforms (B, S), nominally in [-1, 1], and one seed an item. It returns (B, S) of the same
type and device, in which an item that was not chosen is as it came; the same seed and waveform give the same result in
any batch. Waveforms of another shape or type, or another number of seeds, are refused by `curvox.errors.InputError`.
"""
