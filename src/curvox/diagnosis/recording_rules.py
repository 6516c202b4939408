"""What counts as a recording without speech, and as a clipped one: one rule for runs and for corpora."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.diagnosis import thresholds_data as limits


def lacks_speech(
    speech_s: ArrayLike, silence_share: ArrayLike, clipped_share: ArrayLike, level_db: ArrayLike
) -> NDArray[np.bool_]:
    """Tell which recordings (N,), or whether one, hold next to no speech, by `RecordingQuality` and level.

    A level of NaN is unknown. Where all is loud no speech stands out, and that is no silence.
    """
    nothing = (np.asarray(speech_s) < limits.SILENT_SPEECH_S) | (np.asarray(silence_share) > limits.SILENT_SHARE)
    loud = is_clipped(clipped_share) | (np.asarray(level_db) >= limits.SILENT_LEVEL_DB)
    return nothing & ~loud


def is_clipped(clipped_share: ArrayLike) -> NDArray[np.bool_]:
    """Tell which recordings (N,), or whether one, are clipped, by the share of their samples that are."""
    return np.asarray(clipped_share) >= limits.CLIPPED_SAMPLES
