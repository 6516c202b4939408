"""The door of every encoder: shapes of features, lengths, sizes."""

from torch import Tensor

from curvox.encoders.masking import frame_mask
from curvox.errors import InputError


def check_sizes(**sizes: int) -> None:
    """Refuse sizes below 1.

    Raises:
        InputError: a size is not positive; it is named.
    """
    for name, value in sizes.items():
        if value < 1:
            raise InputError(f"{name} must be at least 1, got {value}")


def check_features(features: Tensor, lengths_frames: Tensor | None, n_mels: int, minimum_frames: int = 1) -> None:
    """Refuse features that are not (B, T, n_mels), and lengths outside ``minimum_frames`` .. T.

    Raises:
        InputError: what is wrong with them.
    """
    if features.ndim != 3 or features.shape[2] != n_mels or features.shape[1] < minimum_frames:
        raise InputError(
            f"features must be (B, T, {n_mels}) with T of at least {minimum_frames}, got {tuple(features.shape)}"
        )
    if lengths_frames is None:
        return
    if lengths_frames.shape != features.shape[:1]:
        raise InputError(f"lengths_frames must be ({features.shape[0]},), got {tuple(lengths_frames.shape)}")
    frames = features.shape[1]
    if not bool(((lengths_frames >= minimum_frames) & (lengths_frames <= frames)).all()):
        raise InputError(f"lengths_frames must lie in {minimum_frames}..{frames}, got {lengths_frames.tolist()}")


def mask_of(lengths_frames: Tensor | None, frames: int) -> Tensor | None:
    """Return the mask (B, T, 1) of real frames, or None when there is no padding and no mask is needed."""
    if lengths_frames is None or bool((lengths_frames == frames).all()):
        return None
    return frame_mask(lengths_frames, frames)
