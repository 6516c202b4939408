"""A short training of a small network by any loss, its error rate, and what its user could observe of it."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from curvox.diagnosis import (
    Death,
    EmbeddedSet,
    EpochVitals,
    RunObservation,
    VitalHistory,
    adapt,
    alignment,
    effective_rank,
    probe_step,
    same_and_different_distances,
    uniformity,
)
from curvox.geometry import AbstractSpace, Euclidean, Hypersphere
from curvox.losses import AbstractLoss
from curvox.metrics import equal_error_rate
from mutants.sound import Loss
from mutants.voices import Voices

WIDTH, DIM = 64, 32
STEPS, EVERY = 300, 15
SPEAKERS, RECORDINGS = 16, 4
RATE, DECAY, NOISE = 5e-3, 1e-2, 0.3
SIDE = 3
"""Recordings whose mean is a side of a dev trial."""

OBSERVED = 8, 40
"""Recordings of each of so many speakers that the doctor is shown."""


Lost = Literal["embeddings", "loss", "gradient"]


@dataclass(frozen=True)
class Subject:
    """What is trained and asked about.

    Attributes:
        make: from dimension and speakers to the loss.
        takes: how it is called.
        compare: "cosine" or "euclidean"; a loss of curvox has its space.
        encoder: from features and dimension to the network.
        rate: over the usual learning rate.
        clip: norm to which the gradient is clipped.
        left_out: the loss's parameters are not handed to the optimiser.
        own_rate: the learning rate of the loss's parameters, over the network's.
    """

    make: Callable[[int, int], Loss]
    takes: str
    compare: str
    encoder: Callable[[int, int], nn.Module]
    rate: float = 1.0
    clip: float | None = None
    left_out: bool = False
    own_rate: float = 1.0

    def space(self, loss: Loss) -> AbstractSpace:
        """Where its embeddings are compared."""
        own = getattr(loss, "space", None)
        if isinstance(own, AbstractSpace):
            return own
        return Hypersphere() if self.compare == "cosine" else Euclidean()


@dataclass(frozen=True)
class Trained:
    """What became of a training: its dev EER, of how it ended, and what was observed."""

    eer: float
    died: str
    observation: RunObservation | None


def plain_encoder(features: int, dim: int) -> nn.Module:
    """The network: two layers."""
    return nn.Sequential(nn.Linear(features, WIDTH), nn.Tanh(), nn.Linear(WIDTH, dim))


def value_of(loss: Loss, takes: str, z: Tensor, y: Tensor, draw: torch.Generator) -> Tensor:
    """Call a loss as its user would on a batch: on twice as many pairs of two speakers as of one, on a triplet for
    each same-speaker pair, or on the first two recordings of each speaker."""
    if takes == "embeddings, speakers":
        out = loss(z, y)
    elif takes == "triplets":
        a, p = ((y[:, None] == y[None]) & ~torch.eye(len(y), dtype=torch.bool)).nonzero().T
        n = torch.multinomial((y[a][:, None] != y[None]).float(), 1, generator=draw)[:, 0]
        out = loss(z[a], z[p], z[n])
    elif takes == "pairs without labels":
        rows = torch.stack([(y == speaker).nonzero().flatten()[:2] for speaker in y.unique()])
        out = loss(z[rows[:, 0]], z[rows[:, 1]])
    else:
        i, j = torch.triu_indices(len(y), len(y), 1)
        same = y[i] == y[j]
        others = (~same).nonzero().flatten()
        kept = others[torch.randperm(len(others), generator=draw)[: 2 * int(same.sum())]]
        rows = torch.cat([same.nonzero().flatten(), kept])
        s = same[rows].float()
        label = {"pairs, same": s, "pairs, different": 1 - s, "pairs, sign": 2 * s - 1}[takes]
        out = loss(z[i[rows]], z[j[rows]], label)
    out = getattr(out, "value", out)
    return out.mean()


def train(
    subject: Subject,
    voices: Voices,
    seed: int,
    *,
    dim: int = DIM,
    steps: int = STEPS,
    shape: tuple[int, int] = (SPEAKERS, RECORDINGS),
    observe: bool = False,
) -> Trained:
    """Train once; an error of the loss on the way ends it, as it would its user's."""
    torch.manual_seed(seed)
    draw = torch.Generator().manual_seed(seed)
    encoder = subject.encoder(voices.train.shape[1], dim)
    loss = subject.make(dim, voices.count)
    own = [p for p in _parameters(loss) if p.requires_grad and not subject.left_out]
    rate = RATE * subject.rate
    groups = [{"params": list(encoder.parameters())}, {"params": own, "lr": rate * subject.own_rate}]
    optimizer = torch.optim.AdamW(groups[: 2 if own else 1], lr=rate, weight_decay=DECAY)
    start = {n: p.detach().clone() for n, p in _named(encoder, loss).items()}
    by_speaker = [(voices.speakers == speaker).nonzero().flatten() for speaker in range(voices.count)]
    log, died = _Log(subject.space(loss)), ""
    for step in range(1, steps + 1):
        rows = _batch(by_speaker, shape, draw)
        x = voices.train[rows] + NOISE * torch.randn(len(rows), voices.train.shape[1], generator=draw)
        z = encoder(x)
        z.retain_grad()
        try:
            value = value_of(loss, subject.takes, z, voices.speakers[rows], draw)
            optimizer.zero_grad()
            if value.requires_grad:
                value.backward()
        except Exception as error:
            died = f"{type(error).__name__}: {error}"
            break
        if subject.clip is not None:
            nn.utils.clip_grad_norm_([p for g in optimizer.param_groups for p in g["params"]], subject.clip)
        watched = observe and (step == 1 or step % EVERY == 0)
        before = [p.detach().clone() for p in encoder.parameters()] if watched else []
        lost = _lost(z, value, encoder)
        if lost:
            died = f"not finite: {lost}"
            break
        if watched:
            log.add(step, value, z, voices.speakers[rows], encoder, optimizer)
        optimizer.step()
        if watched:
            log.moved(before, encoder)
    eer = dev_eer(encoder, voices, log.space)
    seen = None
    if observe:
        seen = _observe(subject, encoder, loss, optimizer, start, voices, log, eer, died, by_speaker, shape, steps)
    return Trained(eer, died, seen)


def _batch(by_speaker: list[Tensor], shape: tuple[int, int], draw: torch.Generator) -> Tensor:
    """P speakers with K recordings each, in no order."""
    chosen = torch.randperm(len(by_speaker), generator=draw)[: shape[0]].tolist()
    rows = [by_speaker[s][torch.randperm(len(by_speaker[s]), generator=draw)[: shape[1]]] for s in chosen]
    together = torch.cat(rows)
    return together[torch.randperm(len(together), generator=draw)]


def _parameters(loss: Loss) -> list[nn.Parameter]:
    return list(loss.parameters()) if isinstance(loss, nn.Module) else []


def _named(encoder: nn.Module, loss: Loss) -> dict[str, nn.Parameter]:
    named = {f"encoder.{name}": p for name, p in encoder.named_parameters()}
    if isinstance(loss, nn.Module):
        named |= {f"loss.{name}": p for name, p in loss.named_parameters()}
    return named


def _lost(z: Tensor, value: Tensor, encoder: nn.Module) -> Lost | None:
    """What was not finite first, as a loop of one's own would ask."""
    if not bool(torch.isfinite(z.detach()).all()):
        return "embeddings"
    if not math.isfinite(float(value.detach())):
        return "loss"
    finite = all(p.grad is None or bool(torch.isfinite(p.grad).all()) for p in encoder.parameters())
    return None if finite else "gradient"


@torch.no_grad()
def dev_eer(encoder: nn.Module, voices: Voices, space: AbstractSpace) -> float:
    """EER of all pairs of sides of one corpus, a side the mean of `SIDE` recordings of a dev speaker; a half where
    nothing can be compared."""
    encoder.eval()
    raw = encoder(voices.dev)
    encoder.train()
    sides, speakers, groups = _sides(voices)
    unit = F.normalize(raw, dim=1) if isinstance(space, Hypersphere) else raw
    means = unit[sides].mean(1)
    if not bool(torch.isfinite(means).all()):
        return 0.5
    points = space.project(means)
    i, j = torch.triu_indices(len(sides), len(sides), 1)
    within = groups[i] == groups[j]
    i, j = i[within], j[within]
    score = -space.distance(points[i], points[j])
    if not bool(torch.isfinite(score).all()):
        return 0.5
    return float(equal_error_rate(score.double().numpy(), (speakers[i] == speakers[j]).numpy()).value)


def _sides(voices: Voices) -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(0)
    sides, speakers, groups = [], [], []
    for speaker in voices.dev_speakers.unique().tolist():
        own = (voices.dev_speakers == speaker).nonzero().flatten()
        own = own[torch.randperm(len(own), generator=draw)]
        for start in range(0, len(own) - SIDE + 1, SIDE):
            sides.append(own[start : start + SIDE])
            speakers.append(speaker)
            groups.append(int(voices.dev_groups[own[0]]))
    return torch.stack(sides), torch.tensor(speakers), torch.tensor(groups)


class _Log:
    """The vital signs of a loop of one's own."""

    def __init__(self, space: AbstractSpace) -> None:
        self.space, self.steps = space, list[int]()
        self.signs: dict[str, list[float]] = {}

    def add(
        self, step: int, value: Tensor, z: Tensor, y: Tensor, encoder: nn.Module, optimizer: torch.optim.Optimizer
    ) -> None:
        """Take what one step shows."""
        raw = z.detach()
        with torch.no_grad():
            points = self.space.project(raw)
            same, different = same_and_different_distances(self.space, points, y)
        gradient = torch.zeros_like(raw) if z.grad is None else z.grad
        norms = gradient.norm(dim=1)
        total = float(norms.sum())
        weights = list(encoder.parameters())
        lengths = [0.0 if p.grad is None else float(p.grad.norm()) for p in weights]
        whole = math.sqrt(sum(length**2 for length in lengths))
        found = {
            "loss": float(value.detach()),
            "learning_rate": optimizer.param_groups[0]["lr"],
            "effective_rank": effective_rank(points),
            "alignment": alignment(raw, y),
            "uniformity": uniformity(raw),
            "same_distance": float(same.mean()),
            "different_distance": float(different.mean()),
            "active_share": float((norms > 0.01 * norms.mean()).float().mean()) if total > 0 else 0.0,
            "top_item_share": float(norms.max()) / total if total > 0 else math.nan,
            "gradient_norm": whole,
            "first_layer_share": lengths[0] / whole if whole > 0 else math.nan,
        }
        self.steps.append(step)
        for name, number in found.items():
            self.signs.setdefault(name, []).append(number)

    def moved(self, before: list[Tensor], encoder: nn.Module) -> None:
        """Take how far the step went."""
        change = sum(float((p.detach() - b).pow(2).sum()) for p, b in zip(encoder.parameters(), before, strict=True))
        length = sum(float(b.pow(2).sum()) for b in before)
        self.signs.setdefault("update_ratio", []).append(math.sqrt(change / max(length, 1e-30)))

    def history(self, eer: float, planned: int) -> VitalHistory | None:
        """What `curvox.diagnosis` takes."""
        if not self.steps:
            return None
        lengths = min(len(values) for values in self.signs.values())
        signs = {name: np.array(values[:lengths]) for name, values in self.signs.items()}
        last = EpochVitals(1, float(signs["loss"][-1]), eer)
        return VitalHistory(np.array(self.steps[:lengths]), signs, (last,), planned, planned)


class _Called(nn.Module):
    """The loss of a batch, called as in the training."""

    def __init__(self, loss: Loss, takes: str) -> None:
        super().__init__()
        self.loss, self.takes = loss, takes

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        return value_of(self.loss, self.takes, z, y, torch.Generator().manual_seed(0))


def _observe(
    subject: Subject,
    encoder: nn.Module,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    start: dict[str, Tensor],
    voices: Voices,
    log: _Log,
    eer: float,
    died: str,
    by_speaker: list[Tensor],
    shape: tuple[int, int],
    steps: int,
) -> RunObservation:
    """What a user of `curvox.diagnosis` can put together of a loop of their own."""
    each, most = OBSERVED
    rows = torch.cat([own[:each] for own in by_speaker[:most]])
    train_set, missing = _embedded(encoder, voices.train[rows], voices.speakers[rows], log.space), {}
    train_set = replace(train_set, sessions=voices.sessions[rows])
    dev_rows = torch.cat(
        [(voices.dev_speakers == s).nonzero().flatten()[:each] for s in voices.dev_speakers.unique().tolist()]
    )
    dev_set = _embedded(encoder, voices.dev[dev_rows], voices.dev_speakers[dev_rows], log.space)
    adapted, step = None, None
    try:
        adapted = (
            loss
            if isinstance(loss, AbstractLoss)
            else adapt(loss, takes=subject.takes, dim=train_set.raw.shape[1], space=log.space)
        )
    except Exception as error:
        missing["loss"] = f"{type(error).__name__}: {error}"
    batch = _batch(by_speaker, shape, torch.Generator().manual_seed(99))
    called = loss if isinstance(loss, AbstractLoss) else _Called(loss, subject.takes)
    initial = (
        start
        if called is loss
        else {n.replace("loss.", "loss.loss.", 1) if n.startswith("loss.") else n: t for n, t in start.items()}
    )
    if not died:
        try:
            step = probe_step(
                lambda: encoder(voices.train[batch]), encoder, called, voices.speakers[batch], lambda: optimizer,
                learning_rate=optimizer.param_groups[0]["lr"], initial=initial, batches_with_positives=1.0,
                clip_gradient_norm=subject.clip,
            )  # fmt: skip
        except Exception as error:
            missing["step"] = f"{type(error).__name__}: {error}"
    found: dict[str, Lost] = {"embeddings": "embeddings", "loss": "loss", "gradient": "gradient"}
    kind = found.get(died.removeprefix("not finite: "))
    at = log.steps[-1] if log.steps else 1
    death = None if kind is None else Death(kind, at, "", kind == "gradient", (), died)
    if died:
        missing["step"] = died
    return RunObservation(
        "loop", adapted, train_set, dev_set, step, log.history(eer, steps), None, death, missing
    )  # fmt: skip


@torch.no_grad()
def _embedded(encoder: nn.Module, x: Tensor, y: Tensor, space: AbstractSpace) -> EmbeddedSet:
    return EmbeddedSet(encoder(x).detach().float(), y.long(), copy.deepcopy(space))


def untrained_batch(
    subject: Subject, voices: Voices, seed: int, *, dim: int, shape: tuple[int, int], length: float
) -> tuple[Any, Tensor, Tensor]:
    """A loss and a batch of an untrained encoder, as one asks the doctor before a training."""
    torch.manual_seed(seed)
    draw = torch.Generator().manual_seed(seed)
    encoder = subject.encoder(voices.train.shape[1], dim)
    loss = subject.make(dim, voices.count)
    by_speaker = [(voices.speakers == speaker).nonzero().flatten() for speaker in range(voices.count)]
    rows = _batch(by_speaker, shape, draw)
    with torch.no_grad():
        return loss, length * encoder(voices.train[rows]), voices.speakers[rows]
