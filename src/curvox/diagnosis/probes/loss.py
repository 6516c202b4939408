"""What a loss does, measured on batches made for it and on the one given.

A loss is asked four questions. Does its gradient change when other recordings are of one speaker? Where do free
embeddings go that follow it? What is left of it when all speakers are solved, and with everybody in one point? How long
is its gradient beside the embeddings? All of it happens on a copy of the loss, on the CPU, with chance of its own.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn import functional as F

from curvox.diagnosis.observation import Origin
from curvox.diagnosis.probes.origin import find_origin
from curvox.diagnosis.probes.pairs import ranks_among
from curvox.diagnosis.probes.softmax import Softmax, softmaxes_of
from curvox.errors import InputError
from curvox.geometry import AbstractSpace
from curvox.losses import AbstractLoss

DESCENT_STEPS, DESCENT_STEP = 150, 0.05
"""Adam steps that free embeddings take, and the length of each over the embeddings' root mean square."""

SHORT = 0.01
"""Length of the longest step of an embedding, over its own length, when the pull is measured."""

COUNTS = (2, 8)
"""Numbers of speakers, two recordings each, of the solved and collapsed scenes."""

SPEAKERS, RECORDINGS = 8, 4
"""Of the scenes at random, where the loss has that many classes."""

LENGTHS = (1e-3, 1e-2, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 3.0, 10.0, 30.0, 1e2, 1e3, 1e4)
"""Lengths of embeddings that solved and collapsed scenes are tried at, closer together where a ball bends."""

WITHIN = 1e-4
"""How far recordings of one speaker are apart in a solved scene, and all in a collapsed one, over their length."""

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Scene:
    """Raw embeddings (B, D) float32 and speakers (B,) from 0 on, recordings of a speaker side by side."""

    raw: Tensor
    speakers: Tensor


@dataclass(frozen=True)
class Response:
    """The loss on one batch.

    Attributes:
        value: of it.
        gradient: (B, D) by the raw embeddings, zero where there is none.
        relative: sum over the recordings of gradient length times embedding length: B times the mean change of a
            recording's own share of the loss when its embedding changes by its length.
    """

    value: float
    gradient: Tensor
    relative: float

    @property
    def finite(self) -> bool:
        """Value and gradient are."""
        return math.isfinite(self.value) and bool(torch.isfinite(self.gradient).all())


@dataclass(frozen=True)
class LabelResponse:
    """Gradients of one batch under two groupings into speakers: their cosine, and their difference over the first.

    The cosine is 1, and the difference 0, where the labels make no difference.
    """

    cosine: float
    difference: float


@dataclass(frozen=True)
class Pull:
    """Mean relative change of same- and of different-speaker distances in one short step against the gradient."""

    same: float
    different: float


@dataclass(frozen=True)
class Descent:
    """Free embeddings, and the loss's own parameters, followed the gradient from chance on.

    Attributes:
        auc: share of (same, different) pairs in which the same-speaker pair is the nearer, afterwards.
        spread: mean distance of all pairs, after over before.
    """

    auc: float
    spread: float


@dataclass(frozen=True)
class Rests:
    """What is left of the loss in solved and collapsed batches of `COUNTS` speakers, by number of speakers.

    Attributes:
        solved: the least value over the `LENGTHS` of the embeddings.
        collapsed: the same with everybody in one point.
        alone: solved and collapsed with one recording of each speaker, so that there are no same-speaker pairs; None
            where the loss does not take that.
    """

    solved: dict[int, float]
    collapsed: dict[int, float]
    alone: tuple[float, float] | None = None

    @property
    def fewest(self) -> int:
        """The smallest number of speakers."""
        return min(self.solved)

    @property
    def most(self) -> int:
        """The largest number of speakers."""
        return max(self.solved)

    def share(self, count: int) -> float:
        """What is left with ``count`` speakers solved, over the collapsed value."""
        return self.solved[count] / self.collapsed[count] if self.collapsed[count] > 0 else 0.0


@dataclass(frozen=True)
class LossMeasures:
    """All that was measured of a loss; a part that the loss refused is None, and ``refusals`` says why."""

    at_random: Response | None
    labels: LabelResponse | None
    pull: Pull | None
    descent: Descent | None
    rests: Rests | None
    refusals: tuple[str, ...]
    has_centres: bool
    softmaxes: tuple[Softmax, ...]


@dataclass(frozen=True)
class BatchMeasures:
    """What a loss does on a batch that was given.

    Attributes:
        response: value and gradient.
        auc: of same- against different-speaker distances; None where one kind is missing.
        spread: standard deviation of all distances over the length of an embedding.
        origin: where numbers were lost; None where all are finite or it is unknown.
    """

    response: Response
    auc: float | None
    spread: float
    origin: Origin | None = None


def respond(loss: AbstractLoss, raw: Tensor, speakers: Tensor) -> Response:
    """Value and gradient of a loss on a batch, under fixed chance; the loss's own gradients are left alone."""
    leaf = raw.detach().clone().requires_grad_()
    with torch.random.fork_rng(devices=()), torch.enable_grad():
        torch.manual_seed(0)
        value = loss(leaf, speakers).value
        gradient = None
        if value.requires_grad:
            (gradient,) = torch.autograd.grad(value, (leaf,), allow_unused=True)
    gradient = torch.zeros_like(raw) if gradient is None else gradient
    relative = float((gradient.double().norm(dim=-1) * raw.double().norm(dim=-1)).sum())
    return Response(float(value.detach()), gradient, relative)


def regrouped(speakers: Tensor) -> Tensor:
    """The same labels dealt to other recordings, so that hardly any same-speaker pair remains."""
    order = speakers.argsort(stable=True)
    recordings = max(1, int(speakers.unique(return_counts=True)[1].max()))
    # Reading a speaker-by-recording table down its columns pairs recordings of different speakers.
    places = torch.arange(len(speakers))
    dealt = torch.cat([places[start::recordings] for start in range(recordings)])
    out = torch.empty_like(speakers)
    out[order[dealt]] = speakers[order]
    return out


def respond_to_labels(loss: AbstractLoss, raw: Tensor, speakers: Tensor) -> LabelResponse:
    """Compare the gradients under ``speakers`` and under other labels of the same counts."""
    first, second = (respond(loss, raw, labels).gradient.double() for labels in (speakers, regrouped(speakers)))
    norms = float(first.norm()), float(second.norm())
    cosine = float((first * second).sum()) / (norms[0] * norms[1]) if min(norms) > 0 else 1.0
    difference = float((first - second).norm()) / norms[0] if norms[0] > 0 else float(second.norm() > 0)
    return LabelResponse(cosine, difference)


def pair_distances(space: AbstractSpace, raw: Tensor, speakers: Tensor) -> tuple[Tensor, Tensor]:
    """Distances of all same-speaker and of all different-speaker pairs, each pair once."""
    with torch.no_grad():
        points = space.project(raw)
        first, second = torch.triu_indices(len(raw), len(raw), 1)
        distances = space.distance(points[first], points[second])
    same = speakers[first] == speakers[second]
    return distances[same], distances[~same]


def pull_of(space: AbstractSpace, raw: Tensor, speakers: Tensor, gradient: Tensor) -> Pull | None:
    """How a step against ``gradient``, in which no embedding moves by more than `SHORT` of its length, changes the
    distances; None where nothing moves."""
    moves = gradient.norm(dim=-1) / raw.norm(dim=-1).clamp_min(1e-12)
    if float(moves.max()) <= 0 or not torch.isfinite(moves).all():
        return None
    before = pair_distances(space, raw, speakers)
    after = pair_distances(space, raw - SHORT / moves.max() * gradient, speakers)
    same, different = (float((new / old.clamp_min(1e-12) - 1.0).mean()) for old, new in zip(before, after, strict=True))
    return Pull(same, different)


def auc_of_distances(same: Tensor, different: Tensor) -> float:
    """Share of (same, different) with same < different, ties half: 1 is perfect, 0.5 chance."""
    return float(1.0 - ranks_among(same, different).mean() / (2 * len(different)))


def descend(loss: AbstractLoss, scene: Scene, *, steps: int = DESCENT_STEPS) -> Descent:
    """Let free embeddings and the parameters of a copy of the loss follow its gradient."""
    loss = copy.deepcopy(loss)
    raw = scene.raw.clone().requires_grad_()
    step = DESCENT_STEP * float(scene.raw.square().mean().sqrt())
    own = [parameter for parameter in loss.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam([{"params": [raw], "lr": step}, *({"params": [p], "lr": DESCENT_STEP} for p in own)])
    before = float(torch.cat(pair_distances(loss.space, scene.raw, scene.speakers)).mean())
    with torch.random.fork_rng(devices=()), torch.enable_grad():
        torch.manual_seed(0)
        for _ in range(steps):
            value = loss(raw, scene.speakers).value
            if not value.requires_grad or not torch.isfinite(value):
                break
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
    pairs = pair_distances(loss.space, raw.detach(), scene.speakers)
    after = float(torch.cat(pairs).mean())
    return Descent(auc_of_distances(*pairs), after / before if before > 0 else math.nan)


def rests(loss: AbstractLoss) -> Rests:
    """What is left of a loss without centres when all is solved, and when all is one point."""

    def value(scene: Scene, length: float) -> float:
        with torch.no_grad(), torch.random.fork_rng(devices=()):
            torch.manual_seed(0)
            return float(loss(scene.raw * length, scene.speakers).value)

    def least(scene: Scene, longest: float = math.inf) -> float:
        values = [value(scene, length) for length in LENGTHS if length <= longest]
        return min(filter(math.isfinite, values), default=math.inf)

    def both(count: int, recordings: int) -> tuple[float, float]:
        solved = least(solved_scene(loss.dim, speakers=count, recordings=recordings))
        # The recordings of a long point lie apart by a share of its length, so that it is not one point any more.
        return solved, least(collapsed_scene(loss.dim, speakers=count, recordings=recordings), longest=1.0)

    found = {count: both(count, 2) for count in COUNTS}
    try:
        alone = both(COUNTS[-1], 1)
    except InputError:
        alone = (math.inf, math.inf)
    return Rests(
        {count: solved for count, (solved, _) in found.items()},
        {count: collapsed for count, (_, collapsed) in found.items()},
        alone if all(map(math.isfinite, alone)) else None,
    )


def measure_loss(loss: AbstractLoss, raw: Tensor) -> LossMeasures:
    """Ask a loss all four questions.

    Args:
        loss: it is copied, and asked with its full margin.
        raw: (B, D) usual raw embeddings; their length is taken, and how much they use of a ball.
    """
    given, loss = loss, copy.deepcopy(loss).cpu().float()
    loss.set_margin_scale(1.0)
    speakers = SPEAKERS if loss.speakers is None else min(SPEAKERS, loss.speakers)
    scene = random_scene(loss.dim, speakers=speakers, recordings=RECORDINGS, length=length_of(raw), seed=1)
    refusals: list[str] = []

    def ask(question: Callable[[], Answer]) -> Answer | None:
        try:
            return question()
        except InputError as refusal:
            refusals.append(str(refusal))
            return None

    centres = any(parameter.ndim >= 2 for parameter in loss.parameters())
    at_random = ask(lambda: respond(loss, scene.raw, scene.speakers))
    pull = None
    if at_random is not None and at_random.finite:
        pull = pull_of(loss.space, scene.raw, scene.speakers, at_random.gradient)
    return LossMeasures(
        at_random,
        ask(lambda: respond_to_labels(loss, scene.raw, scene.speakers)),
        pull,
        ask(lambda: descend(loss, scene)),
        None if centres else ask(lambda: rests(loss)),
        tuple(dict.fromkeys(refusals)),
        centres,
        tuple(softmaxes_of(given, raw)),
    )


def measure_batch(loss: AbstractLoss, raw: Tensor, speakers: Tensor) -> BatchMeasures:
    """Ask a loss about a batch of finite embeddings (B, D).

    Raises:
        InputError: the loss refuses the batch.
    """
    response = respond(loss, raw, speakers)
    if not response.finite:
        leaf = raw.clone().requires_grad_()
        return BatchMeasures(response, None, math.nan, find_origin(lambda: loss(leaf, speakers).value, loss))
    same, different = pair_distances(loss.space, raw, speakers)
    auc = auc_of_distances(same, different) if len(same) and len(different) else None
    return BatchMeasures(response, auc, float(torch.cat([same, different]).std()) / length_of(raw))


def length_of(raw: Tensor) -> float:
    """Median length of raw embeddings (B, D); sqrt(D), that of batch-normalised ones, where it is 0 or not finite."""
    median = float(torch.linalg.vector_norm(raw.double(), dim=-1).median())
    return median if math.isfinite(median) and median > 1e-8 else math.sqrt(raw.shape[-1])


# --- batches made to ask a question ---


def random_scene(dim: int, *, speakers: int, recordings: int, length: float, seed: int) -> Scene:
    """Independent normal embeddings of about ``length``: nothing tells whose they are."""
    labels = torch.arange(speakers).repeat_interleave(recordings)
    return Scene(_noise(len(labels), dim, seed) * (length / dim**0.5), labels)


def solved_scene(dim: int, *, speakers: int, recordings: int) -> Scene:
    """Every speaker in a point of its own, as far from all others as ``speakers`` directions can be: a simplex.

    With fewer than ``speakers - 1`` dimensions the directions are those of a fitted simplex, as far apart as they get.
    """
    labels = torch.arange(speakers).repeat_interleave(recordings)
    return Scene(_jittered(simplex(speakers, dim)[labels]), labels)


def collapsed_scene(dim: int, *, speakers: int, recordings: int) -> Scene:
    """Everybody in one point, up to `WITHIN`."""
    labels = torch.arange(speakers).repeat_interleave(recordings)
    return Scene(_jittered(F.normalize(_noise(1, dim), dim=-1).expand(len(labels), dim)), labels)


def _noise(count: int, dim: int, seed: int = 0) -> Tensor:
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(seed))


def _jittered(points: Tensor) -> Tensor:
    return points + WITHIN / points.shape[-1] ** 0.5 * _noise(*points.shape, seed=1)


def simplex(points: int, dim: int) -> Tensor:
    """Unit vectors (N, D) whose cosines are all -1 / (N - 1) where D allows it, else as spread out as descent finds."""
    if dim >= points - 1:
        corners = torch.eye(points, dtype=torch.float64) - 1.0 / points
        basis = torch.linalg.svd(corners)[2][: points - 1]
        return F.normalize(F.pad(corners @ basis.T, (0, dim - points + 1)), dim=-1).float()
    found = _noise(points, dim).requires_grad_()
    optimizer = torch.optim.Adam([found], lr=0.05)
    for _ in range(200):
        unit = F.normalize(found, dim=-1)
        energy = (10.0 * (unit @ unit.T)).fill_diagonal_(-10.0).logsumexp(dim=(0, 1))
        optimizer.zero_grad()
        energy.backward()
        optimizer.step()
    return F.normalize(found.detach(), dim=-1)
