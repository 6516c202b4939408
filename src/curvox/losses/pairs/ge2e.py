"""GE2E: every recording against every speaker's mean (Wan et al. 2018, arXiv:1710.10467)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from curvox.errors import InputError, require_name, require_positive
from curvox.geometry import AbstractSpace, similarity
from curvox.losses.pairs.prototypical import AbstractSpeakerMeansLoss

VARIANTS = ("softmax", "contrast")


class GE2E(AbstractSpeakerMeansLoss):
    """GE2E: every recording against every speaker's mean (Wan et al. 2018, arXiv:1710.10467).

    Formula:
            S_j = w cos(x, c_j) + b
            softmax     -S_y + log( sum over all speakers j of exp(S_j) )
            contrast    1 - sigmoid(S_y) + max over j != y of sigmoid(S_j)
            value = mean over recordings

    c_y, of the recording's own speaker, is the mean of the speaker's other recordings; c_j that of all recordings of
    speaker j. w > 0 and b are learnt; b cancels in the softmax variant and exists for the contrast variant alone.
    Outside the hypersphere minus the distance stands for the cosine. A recording that is its speaker's only one is a
    rival only.

    Args:
        dim: D, of the embeddings.
        variant: "softmax" for text-independent, "contrast" for text-dependent verification in the paper.
        scale: w at the start, above 0; published 10.
        offset: b at the start; published -5. Outside the hypersphere similarities are negative: choose it larger.
        space: `Euclidean`, `Hypersphere` (default) or `PoincareBall`.

    Published:
        w = 10, b = -5, batches of 64 speakers x 10 recordings.

    When:
        Batches with many recordings a speaker, whose means are steady. With 2 recordings it is `AngularPrototypical`.

    What goes wrong:
        The contrast variant saturates: with w too large at the start sigmoids are 0 or 1 and no gradient is left.
        Few speakers a batch make both variants easy, as accuracy in the log tells.
    """

    def __init__(
        self,
        dim: int,
        *,
        variant: str = "softmax",
        scale: float = 10.0,
        offset: float = -5.0,
        space: AbstractSpace | None = None,
    ) -> None:
        super().__init__(dim, space=space)
        require_name(variant, VARIANTS, "variant")
        self.variant = variant
        self.log_scale = nn.Parameter(torch.tensor(math.log(require_positive(scale, "scale"))))
        offset = _checked_offset(offset)
        self.offset = nn.Parameter(torch.tensor(offset)) if variant == "contrast" else None

    def terms(self, distances: Tensor, place: Tensor) -> Tensor:
        scores = self.log_scale.to(distances.dtype).exp() * similarity(distances, self.space)
        if self.offset is None:
            return nn.functional.cross_entropy(scores, place, reduction="none")
        chances = torch.sigmoid(scores + self.offset.to(scores.dtype))
        own = chances.gather(1, place[:, None]).squeeze(1)
        rivals = chances.scatter(1, place[:, None], -1.0)
        return 1.0 - own + rivals.amax(1)


def _checked_offset(offset: float) -> float:
    if isinstance(offset, bool) or not isinstance(offset, (int, float)) or not math.isfinite(offset):
        raise InputError(f"offset must be a finite number, got {offset!r}")
    return float(offset)
