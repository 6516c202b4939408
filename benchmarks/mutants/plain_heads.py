"""Losses with something for each speaker: heads, proxies and centres, as users of PyTorch write them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Criterion = Callable[[Tensor, Tensor], Tensor]


class Linear(nn.Module):
    """A linear layer and a cross-entropy."""

    def __init__(
        self, dim: int, speakers: int, *, bias: bool = True, criterion: Criterion = F.cross_entropy, fault: str = ""
    ) -> None:
        super().__init__()
        self.fc, self.criterion = nn.Linear(dim, speakers, bias=bias), criterion

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        return self.criterion(self.fc(z), y)


class MultiLayer(nn.Module):
    """A head of two layers, which are thrown away after training."""

    def __init__(self, dim: int, speakers: int, *, criterion: Criterion = F.cross_entropy, fault: str = "") -> None:
        super().__init__()
        self.head = nn.Sequential(nn.BatchNorm1d(dim), nn.ReLU(), nn.Linear(dim, speakers))
        self.criterion = criterion

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        return self.criterion(self.head(z), y)


def smoothed(logits: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy with a tenth of the labels smoothed away."""
    return F.cross_entropy(logits, y, label_smoothing=0.1)


def one_against_rest(logits: Tensor, y: Tensor) -> Tensor:
    """A yes-or-no question for each speaker."""
    return F.binary_cross_entropy_with_logits(logits, F.one_hot(y, logits.shape[1]).float()) * 20


class Cosine(nn.Module):
    """Cosines to class weights, times a scale, with an additive margin on the cosine or on the angle."""

    def __init__(
        self,
        dim: int,
        speakers: int,
        *,
        scale: float = 20.0,
        margin: float = 0.0,
        angular: bool = False,
        learned: bool = False,
        criterion: Criterion = F.cross_entropy,
        fault: str = "",
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(speakers, dim))
        nn.init.xavier_uniform_(self.weight)
        self.scale = nn.Parameter(torch.tensor(scale)) if learned else scale
        self.margin, self.angular, self.criterion, self.fault = margin, angular, criterion, fault

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        cosine = F.linear(F.normalize(z, dim=1), F.normalize(self.weight, dim=1))
        if self.angular:
            theta = (
                cosine.clamp(-1, 1).acos() if self.fault == "acos_at_one" else cosine.clamp(-1 + 1e-6, 1 - 1e-6).acos()
            )
            moved = (theta + self.margin).cos()
        else:
            moved = cosine - self.margin
        one_hot = F.one_hot(y, cosine.shape[1]).bool()
        if self.fault == "margin_on_others":
            one_hot = ~one_hot
        return self.criterion(torch.where(one_hot, moved, cosine) * self.scale, y)


class FixedCentres(nn.Module):
    """Random unit centres that are never trained, in a buffer, as in nearest-prototype training on purpose."""

    centres: Tensor

    def __init__(
        self, dim: int, speakers: int, *, scale: float = 10.0, criterion: Criterion = F.cross_entropy, fault: str = ""
    ) -> None:
        super().__init__()
        self.register_buffer("centres", F.normalize(torch.randn(speakers, dim), dim=1))
        self.scale, self.criterion = scale, criterion

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        return self.criterion(self.scale * F.normalize(z, dim=1) @ self.centres.T, y)


class GaussianClasses(nn.Module):
    """A Gaussian for each speaker, with a variance that all share: log-likelihoods into a cross-entropy."""

    def __init__(self, dim: int, speakers: int, *, criterion: Criterion = F.cross_entropy, fault: str = "") -> None:
        super().__init__()
        self.means = nn.Parameter(torch.randn(speakers, dim))
        self.log_variance = nn.Parameter(torch.tensor(1.0))
        self.criterion = criterion

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        return self.criterion(-0.5 * torch.cdist(z, self.means).pow(2) / self.log_variance.exp(), y)


class SoftmaxAndCentres(nn.Module):
    """Center loss: a linear softmax, and a pull to the mean of one's speaker, which is learned."""

    def __init__(
        self, dim: int, speakers: int, *, criterion: Criterion = F.cross_entropy, weight: float = 0.05, fault: str = ""
    ) -> None:
        super().__init__()
        self.fc, self.centres = nn.Linear(dim, speakers), nn.Parameter(torch.randn(speakers, dim))
        self.criterion, self.weight, self.fault = criterion, weight, fault

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        pull = (z - self.centres[y]).pow(2).sum(1).mean()
        return self.weight * pull if self.fault == "only_pulls" else self.criterion(self.fc(z), y) + self.weight * pull


class ProxyNCA(nn.Module):
    """A proxy for each speaker: the own one against all others, by squared distance of unit vectors."""

    def __init__(self, dim: int, speakers: int, *, scale: float = 6.0, fault: str = "") -> None:
        super().__init__()
        self.proxies, self.scale, self.fault = nn.Parameter(torch.randn(speakers, dim)), scale, fault

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        d = torch.cdist(F.normalize(z, dim=1), F.normalize(self.proxies, dim=1)).pow(2)
        own = d.gather(1, y[:, None])[:, 0] * self.scale
        if self.fault == "only_pulls":
            return own.mean()
        others = (-self.scale * d).scatter(1, y[:, None], -1e9).logsumexp(1)
        return others.mean() if self.fault == "only_pushes" else (own + others).mean()


class ProxyAnchor(nn.Module):
    """Proxies as anchors: each pulls its recordings of the batch and pushes all others."""

    def __init__(self, dim: int, speakers: int, *, scale: float = 16.0, margin: float = 0.1, fault: str = "") -> None:
        super().__init__()
        self.proxies = nn.Parameter(torch.randn(speakers, dim))
        self.scale, self.margin, self.fault = scale, margin, fault

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        similarity = F.normalize(z, dim=1) @ F.normalize(self.proxies, dim=1).T
        own = F.one_hot(y, similarity.shape[1]).bool()
        pull = (-self.scale * (similarity - self.margin)).exp().masked_fill(~own, 0).sum(0).log1p()
        push = (self.scale * (similarity + self.margin)).exp().masked_fill(own, 0).sum(0).log1p()
        pull, push = pull.sum() / own.any(0).sum(), push.mean()
        if self.fault == "only_pulls":
            return pull
        return push if self.fault == "only_pushes" else pull + push
