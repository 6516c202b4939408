"""The losses of benchmarks/siamese.py: hinge, KL divergence and triplets as commonly written, and their remedies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from curvox.diagnosis import adapt
from curvox.losses import AbstractLoss, ContrastiveHinge, GaussianKL, Triplet
from curvox.testing.specimens import GaussianKLAsGiven, HingeAsGiven


def hardest_triplets(x: Tensor, speakers: Tensor) -> Tensor:
    """(B,) of embeddings (B, D): squared distances, hardest positive and negative, nothing normalised, margin 1."""
    distance = (x[:, None] - x[None, :]).square().sum(-1)
    same = speakers[:, None] == speakers[None, :]
    positive = distance.masked_fill(~same, 0.0).amax(1)
    negative = distance.masked_fill(same, torch.inf).amin(1)
    return (positive - negative + 1.0).relu()


@dataclass(frozen=True)
class Case:
    """One loss: how it is called in file names and on the page, the family it is of, whether it is the remedy."""

    name: str
    title: str
    family: str
    remedy: bool
    make: Callable[[int, int], AbstractLoss]


CASES = (
    Case("hinge_as_written", "hinge as commonly written", "hinge", False, lambda dim, _: HingeAsGiven(dim)),
    Case("kl_as_written", "KL as commonly written", "KL", False, lambda dim, _: GaussianKLAsGiven(dim)),
    Case(
        "triplet_as_written",
        "triplet, hardest, not normalised",
        "triplet",
        False,
        lambda dim, _: adapt(hardest_triplets, dim=dim),
    ),
    Case(
        "contrastive_hinge",
        "`contrastive_hinge`, hardest",
        "hinge",
        True,
        lambda dim, _: ContrastiveHinge(dim, mining="hardest"),
    ),
    Case("gaussian_kl", "`gaussian_kl`, hardest", "KL", True, lambda dim, _: GaussianKL(dim, mining="hardest")),
    Case("triplet", "`triplet`, semi-hard, on the sphere", "triplet", True, lambda dim, _: Triplet(dim)),
)
FAMILIES = tuple(dict.fromkeys(case.family for case in CASES))
