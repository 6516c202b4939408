"""Losses of rows of pairs and triplets, as users of PyTorch write them. ``fault`` is a mistake made there."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def hinge(rest: Tensor, fault: str) -> Tensor:
    """What a hinge keeps; without its clamp it goes on below zero."""
    return rest if fault == "no_clamp" else rest.clamp(min=0)


def terms(pull: Tensor, push: Tensor, fault: str) -> Tensor:
    """Both halves of a loss of pairs, or the one that was not forgotten."""
    if fault == "only_pulls":
        return pull
    return push if fault == "only_pushes" else pull + push


def contrastive(x: Tensor, y: Tensor, same: Tensor, *, margin: float = 4.0, fault: str = "") -> Tensor:
    """Squared distances and squared hinges on embeddings as they come."""
    d = F.pairwise_distance(x, y)
    pull = same * d.pow(2)
    push = (1 - same) * (margin - d if fault == "no_clamp" else (margin - d).clamp(min=0).pow(2))
    return terms(pull, push, fault).mean()


def contrastive_cosine(x: Tensor, y: Tensor, different: Tensor, *, margin: float = 0.8, fault: str = "") -> Tensor:
    """One minus the cosine as a distance; the label is 1 for two speakers."""
    d = 1 - F.cosine_similarity(x, y)
    return terms((1 - different) * d, different * hinge(margin - d, fault), fault).mean()


def threshold_hinge(x: Tensor, y: Tensor, sign: Tensor, *, margin: float = 0.3, fault: str = "") -> Tensor:
    """Cosines on the right side of a threshold, by a margin."""
    similarity = F.cosine_similarity(x, y)
    if fault in ("only_pulls", "only_pushes"):
        similarity, sign = (part[(sign > 0) == (fault == "only_pulls")] for part in (similarity, sign))
    return hinge(margin - sign * (similarity - 0.4), fault).mean()


class LogisticPairs(nn.Module):
    """Same or different as a logistic regression on the cosine, with a learned scale and threshold."""

    def __init__(self, *, scale: float = 10.0, fault: str = "") -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.tensor(scale)), nn.Parameter(torch.tensor(-0.3 * scale))
        self.fault = fault

    def forward(self, x: Tensor, y: Tensor, same: Tensor) -> Tensor:
        logits = self.weight * F.cosine_similarity(x, y) + self.bias
        if self.fault == "squashed_twice":
            logits = logits.sigmoid()
        return F.binary_cross_entropy_with_logits(logits, same)


def binomial_deviance(x: Tensor, y: Tensor, sign: Tensor, *, scale: float = 8.0, fault: str = "") -> Tensor:
    """A soft hinge on the cosine."""
    losses = F.softplus(-scale * (F.cosine_similarity(x, y) - 0.5) * sign)
    if fault in ("only_pulls", "only_pushes"):
        losses = losses[(sign > 0) == (fault == "only_pulls")]
    return losses.mean()


def cosine_regression(x: Tensor, y: Tensor, same: Tensor, *, fault: str = "") -> Tensor:
    """The cosine is to be 1 for one speaker and 0 for two."""
    error = (F.cosine_similarity(x, y) - same).pow(2)
    return terms(same * error, (1 - same) * error, fault).mean()


def manhattan_regression(x: Tensor, y: Tensor, same: Tensor, *, scale: float = 0.2, fault: str = "") -> Tensor:
    """exp(-|x - y|) is to be 1 for one speaker and 0 for two, as in the Manhattan LSTM."""
    error = (torch.exp(-scale * (x - y).abs().sum(1)) - same).pow(2)
    return terms(same * error, (1 - same) * error, fault).mean()


def gaussian_kl(
    x: Tensor, y: Tensor, same: Tensor, *, margin: float = 2.0, sigma: float = 1.0, fault: str = ""
) -> Tensor:
    """A hinge on the divergence of two Gaussians of one variance."""
    kl = (x - y).pow(2).sum(1) / (2 * sigma**2 * x.shape[1])
    if fault == "both_alike":
        return (same * kl + (1 - same) * kl).mean()
    return terms(same * kl, (1 - same) * hinge(margin - kl, fault), fault).mean()


class LearnedGaussians(nn.Module):
    """The same with a variance for each dimension, which is learned, and the overlap of the two as a probability."""

    def __init__(self, dim: int, *, fault: str = "") -> None:
        super().__init__()
        self.log_variance = nn.Parameter(torch.zeros(dim))
        self.offset = nn.Parameter(torch.tensor(1.0))
        self.fault = fault

    def forward(self, x: Tensor, y: Tensor, same: Tensor) -> Tensor:
        spread = self.log_variance.exp()
        divergence = ((x - y).pow(2) / (4 * spread)).mean(1)
        logits = self.offset - divergence
        if self.fault == "squashed_twice":
            logits = logits.sigmoid()
        return F.binary_cross_entropy_with_logits(logits, same)


def triplet_squared(a: Tensor, p: Tensor, n: Tensor, *, margin: float = 0.4, fault: str = "") -> Tensor:
    """Squared distances of unit vectors, as FaceNet has them."""
    a, p, n = (F.normalize(part, dim=1) for part in (a, p, n))
    near, far = (a - p).pow(2).sum(1), (a - n).pow(2).sum(1)
    if fault == "only_pulls":
        return near.mean()
    return hinge(near - far + margin, fault).mean()


def triplet_soft(a: Tensor, p: Tensor, n: Tensor, *, scale: float = 1.0, fault: str = "") -> Tensor:
    """A soft margin on Euclidean distances."""
    near, far = F.pairwise_distance(a, p), F.pairwise_distance(a, n)
    if fault in ("only_pulls", "only_pushes"):
        return near.mean() if fault == "only_pulls" else F.softplus(-far).mean()
    return F.softplus(scale * (near - far)).mean()


def triplet_cosine(a: Tensor, p: Tensor, n: Tensor, *, margin: float = 0.3, fault: str = "") -> Tensor:
    """A margin on the cosine."""
    near, far = F.cosine_similarity(a, p), F.cosine_similarity(a, n)
    return hinge(margin + far - near, fault).mean()


def triplet_ratio(a: Tensor, p: Tensor, n: Tensor, *, fault: str = "") -> Tensor:
    """The softmax of both distances is to be 0 and 1, as in "Deep metric learning using triplet network"."""
    distances = torch.stack([F.pairwise_distance(a, p), F.pairwise_distance(a, n)], dim=1)
    shares = distances.softmax(0 if fault == "wrong_axis" else 1)
    return (shares[:, 0] ** 2 + (1 - shares[:, 1]) ** 2).mean()


def info_nce(x: Tensor, y: Tensor, *, temperature: float = 0.1, fault: str = "") -> Tensor:
    """Row i of one side belongs to row i of the other; all other rows are negatives."""
    x, y = F.normalize(x, dim=1), F.normalize(y, dim=1)
    logits, rows = x @ y.T / temperature, torch.arange(len(x))
    if fault == "only_pulls":
        return -(logits.diagonal()).mean()
    if fault == "softmax_first":
        return F.cross_entropy(logits.softmax(1), rows)
    return (F.cross_entropy(logits, rows) + F.cross_entropy(logits.T, rows)) / 2


def n_pair(x: Tensor, y: Tensor, *, fault: str = "") -> Tensor:
    """Inner products of raw embeddings, with a price on their lengths."""
    logits = x @ y.T / x.shape[1] ** 0.5
    if fault == "softmax_first":
        logits = logits.softmax(1)
    if fault == "only_pulls":
        return -logits.diagonal().mean() + 0.02 * (x.pow(2).sum(1) + y.pow(2).sum(1)).mean()
    length = (x.pow(2).sum(1) + y.pow(2).sum(1)).mean()
    return F.cross_entropy(logits, torch.arange(len(x))) + 0.002 * length
