"""Change waveforms the way rooms, crowds, telephone lines and codecs do, each item of a batch by its own seed.

Every change takes floating waveforms (B, S), nominally in [-1, 1], one seed an item, and options of which None stands
for the defaults. It returns (B, S) of the same type and device, in which an item that was not chosen is as it came; the
same seed and waveform give the same result in any batch. Waveforms of another shape or type, another number of seeds,
and options that contradict or are out of range are refused by `curvox.errors.InputError`.
"""
