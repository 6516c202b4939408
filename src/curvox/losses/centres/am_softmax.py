"""AM-, AAM- and RAM-Softmax: additive margins on the cosine, on the angle, and on the cosine without over-push."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from curvox.losses.centres.angular import AbstractAngularLoss, AbstractCosineMarginLoss


class AMSoftmax(AbstractCosineMarginLoss):
    """AM-Softmax: a margin on the cosine (Wang et al. 2018, arXiv:1801.05599).

    Formula:
            t   = s (cos θ_y − m)
            r_j = s cos θ_j
            loss = log( exp(t) + Σ_{j≠y} exp(r_j) ) − t

    θ_j is the angle between the embedding and the centre of speaker j, y the own speaker.

    Args:
        dim: D, of the embeddings.
        speakers: N, at least 2.
        scale: s, above 0; published 30.
        margin: m, subtracted from the cosine, at least 0; published 0.2.
        sub_centres: K, centres a speaker, of which the nearest counts; at least 1, which is none beside the first;
            published 3 (Deng et al. 2020, for noisy labels).
        top_k: how many of the nearest rivals are pushed harder, below N; 0 is none; published 5 (Zhao et al. 2022).
        top_k_margin: what their cosine is raised by, at least 0; published 0.06.
        learn_scale: learn s, within a factor of ten of ``scale``, instead of keeping it.
        space: `Hypersphere`, the default, or nothing else.

    Published:
        s = 30, m = 0.2.

    When:
        The plainest margin and hard to get wrong: the place to start.

    What goes wrong:
        With few speakers a scale of 30 is large: as soon as the margin is kept the loss is nearly zero and nothing is
        left to learn, so lower it. The same margin is a large angle near θ = 0 and a small one near 90°. A full margin
        from a random start can keep a small model from learning anything; warm it up.
    """


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


class RAMSoftmax(AbstractCosineMarginLoss):
    """RAM-Softmax: a margin without over-push (Li et al. 2022, arXiv:2110.09116).

    Formula:
            loss = log( 1 + Σ_{j≠y} exp( max(0, s (cos θ_j − cos θ_y + m)) ) )

    θ_j is the angle between the embedding and the centre of speaker j, y the own speaker. A rival that is further away
    than the margin asks stops pushing; in AM-Softmax it pushes on, a little, for ever.

    Args:
        dim: D, of the embeddings.
        speakers: N, at least 2.
        scale: s, above 0; published 30.
        margin: m, on the cosine, at least 0; published 0.2.
        sub_centres: K, centres a speaker, of which the nearest counts; at least 1, which is none beside the first;
            published 3 (Deng et al. 2020, for noisy labels).
        top_k: how many of the nearest rivals are pushed harder, below N; 0 is none; published 5 (Zhao et al. 2022).
        top_k_margin: what their cosine is raised by, at least 0; published 0.06.
        learn_scale: learn s, within a factor of ten of ``scale``, instead of keeping it.
        space: `Hypersphere`, the default, or nothing else.

    Published:
        s = 30, m = 0.2.

    When:
        In every honest comparison: in the results published with HAM-Softmax this Euclidean loss all but ties it.

    What goes wrong:
        The value reads wrong: each rival beyond the margin still adds exp(0) = 1, so a solved batch has the loss log N
        and not 0, with a gradient of zero. Compare its curve only with itself. With the full margin from the start
        nearly every rival pushes with full force; warm it up.
    """

    floored = True
