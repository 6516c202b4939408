"""Define an encoder: ``encoder(features, lengths_frames)``, raw embeddings whatever else is in the batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn

from curvox.errors import InputError, require_at_least


class AbstractEncoder(nn.Module, ABC):
    """Features in, raw embeddings out.

    In evaluation mode an utterance has one embedding: it depends on the weights and the real frames of that utterance
    alone, bit for bit the same at every call, and up to rounding the same alone, in a batch and padded. Everything that
    an encoder learns stands in its ``state_dict``, and a gradient reaches every parameter.
    `curvox.testing.check_encoder` holds an encoder to this.

    Attributes:
        n_mels: features a frame.
        embedding_dim: size D of the embedding.
        minimum_frames: the fewest frames of an utterance.
    """

    minimum_frames: ClassVar[int] = 1

    def __init__(self, n_mels: int, embedding_dim: int) -> None:
        super().__init__()
        require_at_least(1, n_mels=n_mels, embedding_dim=embedding_dim)
        self.n_mels, self.embedding_dim = n_mels, embedding_dim

    def forward(self, features: Tensor, lengths_frames: Tensor | None = None) -> Tensor:
        """Return the raw embeddings (B, D) of a batch.

        Args:
            features: (B, T, n_mels).
            lengths_frames: (B,) whole numbers, how many of its T frames an item fills; None when every item fills all.

        Raises:
            InputError: other shapes, or a length outside ``minimum_frames`` .. T.
        """
        self.check_inputs(features, lengths_frames)
        return self.compute(features, lengths_frames)

    @abstractmethod
    def compute(self, features: Tensor, lengths_frames: Tensor | None) -> Tensor:
        """Return the raw embeddings (B, D) of checked input."""

    def check_inputs(self, features: Tensor, lengths_frames: Tensor | None) -> None:
        """Refuse a batch the encoder cannot take, by `InputError`."""
        least = self.minimum_frames
        if features.ndim != 3 or features.shape[2] != self.n_mels or features.shape[1] < least:
            raise InputError(
                f"features must be (B, T, {self.n_mels}) with T of at least {least}, got {tuple(features.shape)}"
            )
        if lengths_frames is None:
            return
        if lengths_frames.shape != features.shape[:1]:
            raise InputError(f"lengths_frames must be ({features.shape[0]},), got {tuple(lengths_frames.shape)}")
        frames = features.shape[1]
        if not bool(((lengths_frames >= least) & (lengths_frames <= frames)).all()):
            raise InputError(f"lengths_frames must lie in {least}..{frames}, got {lengths_frames.tolist()}")
