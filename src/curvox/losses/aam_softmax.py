"""AAM-Softmax (ArcFace): additive margin on the angle (Deng et al. 2019, arXiv:1801.07698)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from curvox.losses.angular import AbstractAngularLoss


class AAMSoftmax(AbstractAngularLoss):
    """AAM-Softmax (ArcFace): a margin on the angle (Deng et al. 2019, arXiv:1801.07698).

    Formula:
            t   = s cos(θ_y + m)             while θ_y + m ≤ π
            t   = s (cos θ_y − 1 + cos m)    beyond
            r_j = s cos θ_j
            loss = log( exp(t) + Σ_{j≠y} exp(r_j) ) − t

    θ_j is the angle between the embedding and the centre of speaker j, y the own speaker. The second line joins the
    first where θ_y + m = π and goes on falling; cos(θ + m) alone would rise again and reward the worst embeddings.

    Args:
        dim: D, of the embeddings.
        speakers: N, at least 2.
        scale: s, above 0; published 30 to 32.
        margin: m, in radians, in [0, π); published 0.2.
        sub_centres: K, centres a speaker, of which the nearest counts; at least 1, which is none beside the first;
            published 3 (Deng et al. 2020, for noisy labels).
        top_k: how many of the nearest rivals are pushed harder, below N; 0 is none; published 5 (Zhao et al. 2022).
        top_k_margin: what their angle is lowered by, in radians, in [0, π); published 0.06.
        learn_scale: learn s, within a factor of ten of ``scale``, instead of keeping it.
        space: `Hypersphere`, the default, or nothing else.

    Published:
        s = 30 to 32, m = 0.2 (radians).

    When:
        What most of the field trains with, so the loss to compare with published systems.

    What goes wrong:
        Some libraries take this margin in degrees: 0.2 rad is 11.5°. Through sin θ = √(1 − cos² θ) the gradient at
        perfect alignment would be infinite; here the angle itself is computed. From a random start, warm the margin up.
    """

    margins_in_radians = True

    def target_similarity(self, angles: Tensor) -> Tensor:
        moved = angles + self.margin
        beyond = angles.cos() - (1.0 - math.cos(self.margin))
        return torch.where(moved <= math.pi, moved.cos(), beyond)

    def raised_similarity(self, angles: Tensor) -> Tensor:
        return (angles - self.top_k_margin).clamp_min(0.0).cos()
