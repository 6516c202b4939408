"""Losses of a batch of embeddings and speakers, as users of PyTorch write them. ``fault`` is a mistake made there."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def same_speaker(y: Tensor, fault: str) -> Tensor:
    """(B, B) of who is of one speaker, the diagonal included."""
    if fault == "mask_of_all":  # y.T of a vector is the vector: everybody is of one speaker
        return (y[:, None] == y.view(-1, 1)).expand(-1, len(y))
    same = y[:, None] == y[None, :]
    return ~same | torch.eye(len(y), dtype=torch.bool) if fault == "inverted_mask" else same


def distances(z: Tensor, fault: str) -> Tensor:
    """(B, B) Euclidean; the root has no derivative at zero."""
    squares = (z[:, None] - z[None]).pow(2).sum(-1)
    return squares.sqrt() if fault == "sqrt_at_zero" else squares.clamp(min=1e-8).sqrt()


def batch_hard(z: Tensor, y: Tensor, *, margin: float = 0.3, fault: str = "") -> Tensor:
    """Every positive of an anchor against the hardest negative, on unit vectors."""
    d, same = distances(F.normalize(z, dim=1), fault), same_speaker(y, fault)
    positive = same & ~torch.eye(len(y), dtype=torch.bool)
    if fault == "only_pulls":
        return d[positive].mean()
    negative = d.masked_fill(same, 1e6).min(1).values
    rest = (d - negative[:, None] + margin)[positive]
    return rest.mean() if fault == "no_clamp" else rest.clamp(min=0).mean()


def batch_hard_soft(z: Tensor, y: Tensor, *, fault: str = "") -> Tensor:
    """The same with a soft margin and embeddings as they come."""
    d, same = distances(z, fault), same_speaker(y, fault)
    return F.softplus((d * same).max(1).values - d.masked_fill(same, 1e6).min(1).values).mean()


def batch_all(z: Tensor, y: Tensor, *, margin: float = 0.2, fault: str = "") -> Tensor:
    """The mean over the triplets that are active."""
    similarity, same = F.normalize(z, dim=1) @ F.normalize(z, dim=1).T, same_speaker(y, fault)
    positive = same & ~torch.eye(len(y), dtype=torch.bool)
    rest = similarity[:, None, :] - similarity[:, :, None] + margin
    kept = positive[:, :, None] & ~same[:, None, :]
    if fault == "no_clamp":
        return rest[kept].mean()
    rest = rest.clamp(min=0) * kept
    return rest.sum() / (rest > 0).sum().clamp(min=1)


def semi_hard(z: Tensor, y: Tensor, *, margin: float = 0.2, fault: str = "") -> Tensor:
    """For every positive the nearest negative that is farther than it, on squared distances of unit vectors."""
    d = distances(F.normalize(z, dim=1), fault).pow(2)
    same = same_speaker(y, fault)
    a, p = (same & ~torch.eye(len(y), dtype=torch.bool)).nonzero().T
    near = d[a, p]
    others = d[a].masked_fill(same[a], float("inf"))
    beyond = others.masked_fill(others <= near[:, None], float("inf")).min(1).values
    hardest = d[a].masked_fill(same[a], -float("inf")).max(1).values
    far = torch.where(beyond.isfinite(), beyond, hardest)
    rest = near - far + margin
    return rest.mean() if fault == "no_clamp" else rest.clamp(min=0).mean()


def quadruplet(z: Tensor, y: Tensor, *, margin: float = 0.4, fault: str = "") -> Tensor:
    """A positive nearer than a negative of the anchor, and nearer than two strangers, by half the margin."""
    d = distances(F.normalize(z, dim=1), fault).pow(2)
    same = same_speaker(y, fault)
    a, p = (same & ~torch.eye(len(y), dtype=torch.bool)).nonzero().T
    near = d[a, p][:, None]
    far = d.masked_fill(same, float("inf"))
    hardest, strangers = far[a].min(1).values[:, None], far.min(1).values[None, :]
    first, second = near - hardest + margin, near - strangers + margin / 2
    if fault == "no_clamp":
        return first.mean() + second.mean()
    return first.clamp(min=0).mean() + second.clamp(min=0).mean()


def quadruplet_soft(z: Tensor, y: Tensor, *, scale: float = 10.0, fault: str = "") -> Tensor:
    """Every same pair against every different pair of the batch, by a log-sum-exp of cosines."""
    similarity, same = F.normalize(z, dim=1) @ F.normalize(z, dim=1).T, same_speaker(y, fault)
    positive = same & ~torch.eye(len(y), dtype=torch.bool)
    up, down = (-scale * similarity[positive]).logsumexp(0), (scale * similarity[~same]).logsumexp(0)
    if fault == "only_pulls":
        return up
    if fault == "only_pushes":
        return down
    return F.softplus(up + down) / scale


def supervised_contrastive(z: Tensor, y: Tensor, *, temperature: float = 0.1, fault: str = "") -> Tensor:
    """The mean log probability of the others of one's speaker among all others of the batch."""
    z = F.normalize(z, dim=1)
    itself = torch.eye(len(y), dtype=torch.bool)
    logits = (z @ z.T / temperature).masked_fill(itself, -1e9)
    positive = same_speaker(y, fault) & ~itself
    if fault == "only_pulls":
        return -(logits * positive).sum(1).div(positive.sum(1).clamp(min=1)).mean()
    log_p = logits.softmax(1) if fault == "no_log" else logits.log_softmax(0 if fault == "wrong_axis" else 1)
    return -(log_p.masked_fill(~positive, 0)).sum(1).div(positive.sum(1).clamp(min=1)).mean()


class LearnedTemperature(nn.Module):
    """The same, the temperature learned as in CLIP."""

    def __init__(self, *, temperature: float = 0.1, fault: str = "") -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(1 / temperature).log())
        self.fault = fault

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        z, itself = F.normalize(z, dim=1), torch.eye(len(y), dtype=torch.bool)
        logits = (z @ z.T * self.log_scale.exp()).masked_fill(itself, -1e9)
        positive = same_speaker(y, self.fault) & ~itself
        log_p = logits.log_softmax(0 if self.fault == "wrong_axis" else 1)
        return -log_p.masked_fill(~positive, 0).sum(1).div(positive.sum(1).clamp(min=1)).mean()


def neighbours(z: Tensor, y: Tensor, *, temperature: float = 1.0, fault: str = "") -> Tensor:
    """Neighbourhood components: the probability that a neighbour drawn by distance is of one's speaker."""
    itself = torch.eye(len(y), dtype=torch.bool)
    logits = (-distances(z, "").pow(2) / (z.shape[1] * temperature / 4)).masked_fill(itself, -1e9)
    p = logits.softmax(0 if fault == "wrong_axis" else 1)
    right = (p * (same_speaker(y, fault) & ~itself)).sum(1)
    return -right.mean() if fault == "no_log" else -(right + 1e-6).log().mean()


def lifted(z: Tensor, y: Tensor, *, margin: float = 1.0, fault: str = "") -> Tensor:
    """All positives and all negatives of an anchor, smoothly, by distances of unit vectors."""
    d, same = distances(F.normalize(z, dim=1), fault), same_speaker(y, fault)
    positive = same & ~torch.eye(len(y), dtype=torch.bool)
    near = (4 * d).masked_fill(~positive, -1e9).logsumexp(1) / 4
    far = (4 * (margin - d)).masked_fill(same, -1e9).logsumexp(1) / 4
    if fault == "only_pulls":
        return near.mean()
    return (near + far).mean() if fault == "no_clamp" else (near + far).clamp(min=0).pow(2).mean()


def _halves(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Queries and their speakers, supports and theirs: every second recording of a speaker."""
    order = y.argsort(stable=True)
    z, y = z[order], torch.unique(y[order], return_inverse=True)[1]
    place = torch.arange(len(y)) - torch.searchsorted(y, y)
    odd = place % 2 == 1
    return z[odd], y[odd], z[~odd], y[~odd]


def _means(z: Tensor, y: Tensor) -> Tensor:
    return torch.zeros(int(y.max()) + 1, z.shape[1]).index_add(0, y, z) / y.bincount()[:, None]


def prototypes(z: Tensor, y: Tensor, *, temperature: float = 1.0, fault: str = "") -> Tensor:
    """Queries against the means of the supports, by squared Euclidean distance."""
    query, own, support, whose = _halves(z, y)
    means = _means(support, whose)
    if fault == "wrong_axis":  # a mean over all speakers, one for each place in their lists
        means = means.mean(0, keepdim=True) + 0 * means
    logits = -(query[:, None] - means[None]).pow(2).sum(-1) / temperature
    return F.cross_entropy(logits.softmax(1) if fault == "softmax_first" else logits, own)


class CosinePrototypes(nn.Module):
    """The same by cosine, with a learned scale and offset."""

    def __init__(self, *, scale: float = 10.0, fault: str = "") -> None:
        super().__init__()
        self.w, self.b = nn.Parameter(torch.tensor(scale)), nn.Parameter(torch.tensor(-5.0))
        self.fault = fault

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        query, own, support, whose = _halves(z, y)
        means = _means(support, whose)
        logits = self.w.clamp(min=1e-6) * F.cosine_similarity(query[:, None], means[None], dim=-1) + self.b
        return F.cross_entropy(logits.softmax(1) if self.fault == "softmax_first" else logits, own)


def leave_one_out(z: Tensor, y: Tensor, *, scale: float = 10.0, fault: str = "") -> Tensor:
    """Every recording against all means, its own without itself."""
    z, y = F.normalize(z, dim=1), torch.unique(y, return_inverse=True)[1]
    counts, means = y.bincount(), _means(z, y)
    own = (means[y] * counts[y][:, None] - z) / (counts[y] - 1).clamp(min=1)[:, None]
    logits = F.cosine_similarity(z[:, None], means[None], dim=-1)
    logits = logits.scatter(1, y[:, None], F.cosine_similarity(z, own)[:, None]) * scale
    if fault == "softmax_first":
        logits = logits.softmax(1)
    return -logits.gather(1, y[:, None]).mean() if fault == "only_pulls" else F.cross_entropy(logits, y)


def scatter(z: Tensor, y: Tensor, *, fault: str = "") -> Tensor:
    """Little variance within speakers, a standard deviation of one between them in each dimension, no covariance."""
    y = torch.unique(y, return_inverse=True)[1]
    means = _means(z, y)
    within = (z - means[y]).pow(2).mean()
    if fault == "only_pulls":
        return within
    short = 1 - (means.var(0) + 1e-4).sqrt()
    covariance = torch.cov(means.T)
    apart = (covariance - covariance.diagonal().diag()).pow(2).sum() / z.shape[1]
    return within + (short if fault == "no_clamp" else short.clamp(min=0)).mean() + apart / 4


def align_and_spread(z: Tensor, y: Tensor, *, scale: float = 2.0, fault: str = "") -> Tensor:
    """Alignment of one speaker's recordings, and uniformity of all on the sphere."""
    squares = distances(F.normalize(z, dim=1), "").pow(2)
    itself = torch.eye(len(y), dtype=torch.bool)
    same = same_speaker(y, fault) & ~itself
    align, spread = squares[same].mean(), (-scale * squares[~itself]).exp().mean().log()
    if fault == "only_pulls":
        return align
    return spread if fault == "only_pushes" else align + spread


class Remembered(nn.Module):
    """A softmax over the means of all speakers, which follow the embeddings with momentum and have no gradient."""

    means: Tensor

    def __init__(self, dim: int, speakers: int, *, scale: float = 10.0, momentum: float = 0.7, fault: str = "") -> None:
        super().__init__()
        self.register_buffer("means", F.normalize(torch.randn(speakers, dim), dim=1))
        self.scale, self.momentum, self.fault = scale, momentum, fault

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        z = F.normalize(z, dim=1)
        logits = self.scale * z @ self.means.T.clone()
        if self.training and self.fault != "never_updated":
            with torch.no_grad():
                new = _means(z.detach(), torch.unique(y, return_inverse=True)[1])
                at = y.unique()
                self.means[at] = F.normalize(self.momentum * self.means[at] + (1 - self.momentum) * new, dim=1)
        return F.cross_entropy(logits.softmax(1) if self.fault == "softmax_first" else logits, y)


class Queue(nn.Module):
    """A contrastive softmax over a queue of earlier embeddings, as in momentum contrast without its second encoder."""

    bank: Tensor
    owners: Tensor
    place: Tensor

    def __init__(self, dim: int, *, temperature: float = 0.1, length: int = 256, fault: str = "") -> None:
        super().__init__()
        self.register_buffer("bank", F.normalize(torch.randn(length, dim), dim=1))
        self.register_buffer("owners", torch.full((length,), -1))
        self.register_buffer("place", torch.zeros((), dtype=torch.long))
        self.temperature, self.fault = temperature, fault

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        z = F.normalize(z, dim=1)
        everybody, owners = torch.cat([z, self.bank.clone()]), torch.cat([y, self.owners.clone()])
        itself = torch.eye(len(y), len(owners), dtype=torch.bool)
        logits = (z @ everybody.T / self.temperature).masked_fill(itself, -1e9)
        positive = (y[:, None] == owners[None]) & ~itself
        if self.training:
            rows = (self.place + torch.arange(len(y))) % len(self.bank)
            self.bank[rows], self.owners[rows] = z.detach(), y
            self.place += len(y)
        log_p = logits.log_softmax(0 if self.fault == "wrong_axis" else 1)
        return -log_p.masked_fill(~positive, 0).sum(1).div(positive.sum(1).clamp(min=1)).mean()
