"""AAM-Softmax (ArcFace): additive margin on the angle (Deng et al. 2019, arXiv:1801.07698)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from curvox.errors import InputError
from curvox.geometry import AbstractSpace
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

    def __init__(
        self,
        dim: int,
        speakers: int,
        *,
        scale: float = 30.0,
        margin: float = 0.2,
        sub_centres: int = 1,
        top_k: int = 0,
        top_k_margin: float = 0.06,
        learn_scale: bool = False,
        space: AbstractSpace | None = None,
    ) -> None:
        super().__init__(
            dim,
            speakers,
            scale=scale,
            margin=margin,
            sub_centres=sub_centres,
            top_k=top_k,
            top_k_margin=top_k_margin,
            learn_scale=learn_scale,
            space=space,
        )
        largest = max(self.full_margin, self.full_top_k_margin)
        if largest >= math.pi:
            raise InputError(f"margin and top_k_margin are angles in radians and must stay below π, got {largest:g}")
        self.margin_scale_limit = math.pi / largest if largest > 0 else math.inf

    def target_similarity(self, angles: Tensor) -> Tensor:
        moved = angles + self.margin
        beyond = angles.cos() - (1.0 - math.cos(self.margin))
        return torch.where(moved <= math.pi, moved.cos(), beyond)

    def raised_similarity(self, angles: Tensor) -> Tensor:
        return (angles - self.top_k_margin).clamp_min(0.0).cos()
