"""What a diagnosis looks at: embeddings of recordings, the course of a run, one training step, the recordings.

All of it is plain data, measured elsewhere; every part of a `RunObservation` but its name may be missing, and what
needs it is then listed as not checked. This module imports no torch.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

    from curvox.audio import RecordingQuality
    from curvox.geometry import AbstractSpace
    from curvox.losses import AbstractLoss

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Vital:
    """One number that is followed over a run: its name in logs, what people call it, its unit, how to read it."""

    name: str
    title: str
    unit: str
    reading: str


VITALS: dict[str, Vital] = {
    vital.name: vital
    for vital in (
        Vital("loss", "Loss", "", "falls; a margin that is being raised may make it rise"),
        Vital("dev_eer", "Dev EER", "%", "falls; 50 % is chance"),
        Vital("effective_rank", "Effective rank", "", "of the batch, at most its recordings less one; rises early"),
        Vital("alignment", "Alignment", "", "mean squared chord of same-speaker unit vectors; falls"),
        Vital("uniformity", "Uniformity", "", "log mean exp(-2 chord²) of all pairs; falls, 0 is collapse"),
        Vital("same_distance", "Same-speaker distance", "", "mean in the loss's space; falls"),
        Vital(
            "different_distance", "Different-speaker distance", "", "mean in the loss's space; stays above the former"
        ),
        Vital("active_share", "Active recordings", "%", "with a gradient above a hundredth of the batch's mean"),
        Vital("top_item_share", "Largest share of one recording", "%", "of the batch's gradient; small"),
        Vital("gradient_norm", "Gradient norm", "", "of encoder and loss together; no jumps"),
        Vital(
            "first_layer_share", "Gradient of the first layers", "%", "share of the encoder's first parameters; not 0"
        ),
        Vital("update_ratio", "Length of a step", "", "change over weight, of the encoder; about 0.001"),
        Vital("learning_rate", "Learning rate", "", "as scheduled"),
        Vital("margin_scale", "Margin scale", "", "share of the full margin, as scheduled"),
        Vital("radius_low", "Radius, 5 % quantile", "", "of the points, over the largest radius; only on the ball"),
        Vital("radius_mid", "Radius, median", "", "of the points, over the largest radius; only on the ball"),
        Vital("radius_high", "Radius, 95 % quantile", "", "of the points, over the largest radius; only on the ball"),
    )
}
"""Every vital sign by name."""


@dataclass(frozen=True)
class EmbeddedSet:
    """Recordings as a model embeds them.

    Attributes:
        raw: (N, D) raw encoder output, detached, on the CPU.
        speakers: (N,) int64.
        space: where they are compared.
        sessions: (N,) int64, alike where a speaker's recordings are of one session; None where unknown.
        channels: (N,) int64, numbers of the manifest's channels; None where unknown.
        names: of the recordings, for the evidence; empty where unknown.
        speaker_names: of the speakers, by number; empty where unknown.
    """

    raw: Tensor
    speakers: Tensor
    space: AbstractSpace
    sessions: Tensor | None = None
    channels: Tensor | None = None
    names: tuple[str, ...] = ()
    speaker_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class EpochVitals:
    """One epoch, from 1: mean training loss and dev EER as a fraction, None where missing."""

    epoch: int
    loss: float | None
    dev_eer: float | None


@dataclass(frozen=True)
class VitalHistory:
    """Vital signs over a run.

    Attributes:
        steps: (T,) the optimiser steps that were logged, rising.
        signs: by name in `curvox.diagnosis.VITALS`, (T,) with NaN where a step has none.
        epochs: what was measured once an epoch.
        steps_per_epoch: of the run.
        planned_steps: how many the recipe asks for.
    """

    steps: NDArray[np.int64]
    signs: Mapping[str, NDArray[np.float64]]
    epochs: tuple[EpochVitals, ...]
    steps_per_epoch: int
    planned_steps: int

    def sign(self, name: str) -> tuple[NDArray[np.int64], Numbers]:
        """Steps and values of a vital sign where it was logged and finite."""
        values = self.signs.get(name)
        if values is None:
            return self.steps[:0], np.zeros(0)
        kept = np.isfinite(values)
        return self.steps[kept], values[kept]

    def signs_together(self, first: str, second: str) -> tuple[Numbers, Numbers]:
        """Values of two vital signs where both were logged."""
        none = np.full(len(self.steps), np.nan)
        one, other = self.signs.get(first, none), self.signs.get(second, none)
        kept = np.isfinite(one) & np.isfinite(other)
        return one[kept], other[kept]


LEAST_LOGS = 5
"""Logged steps, below which a median and a peak say nothing."""

START_LOGS = 3
"""Logs that stand for the start of a run."""


def running_medians(values: Numbers, width: int) -> Numbers:
    """Return the medians of ``width`` values about each, of fewer at both ends."""
    half = width // 2
    return np.array([np.median(values[max(0, i - half) : i + half + 1]) for i in range(len(values))])


def too_few_logs(found: int, least: int = LEAST_LOGS) -> str:
    """Return why a history with ``found`` logs of a sign cannot be judged."""
    return f"needs at least {least} logged steps that tell, got {found}"


LIVE_LOGS = 3
"""Logs of a running training that must agree."""


@dataclass
class LiveSigns:
    """Vital signs of a training while it goes on: those of the last logs, and what is kept of earlier ones.

    Attributes:
        step: the last logged.
        norms: every gradient norm so far.
    """

    step: int = 0
    norms: list[float] = field(default_factory=list)
    _recent: deque[dict[str, float]] = field(default_factory=lambda: deque(({},), maxlen=LIVE_LOGS))
    _lowest: tuple[float, float] | None = None

    def add(self, step: int, signs: Mapping[str, float]) -> None:
        """Take the signs of one more step; those that are NaN are left out."""
        self.step = step
        self._recent.append({name: float(value) for name, value in signs.items() if not math.isnan(value)})
        if (norm := self.now.get("gradient_norm")) is not None:
            self.norms.append(norm)

    @property
    def now(self) -> dict[str, float]:
        """The signs of the last step."""
        return self._recent[-1]

    def all(self, name: str) -> list[float] | None:
        """Return the values of a sign in the last `LIVE_LOGS` logs, None where one lacks it or there are fewer."""
        values = [signs[name] for signs in self._recent if name in signs]
        return values if len(values) == LIVE_LOGS else None

    def should_move(self) -> bool:
        """Tell whether the last logs all had a gradient, and none but rates above zero."""
        norms, rates = self.all("gradient_norm"), self.all("learning_rate")
        return norms is not None and min(norms) > 0 and (rates is None or max(rates) > 0)

    def lowest_loss(self, loss: float, margin_scale: float) -> tuple[float, float]:
        """Return the lowest loss that was asked about, this one included, and the margin scale it was met at."""
        if self._lowest is None or loss < self._lowest[0]:
            self._lowest = (loss, margin_scale)
        return self._lowest


@dataclass(frozen=True)
class Origin:
    """The first operation that made numbers that are not finite out of finite ones.

    Attributes:
        operation: such as "aten.sqrt"; on the way back the node of autograd, such as "SqrtBackward0".
        module: dotted name of the module it happened in, "" outside of all.
        backward: it happened on the way back.
        rows: of its result, in which the bad numbers stand, 16 at most; empty where rows are no recordings.
        half: the result is in float16, which ends at 65,504.
        given: the name of the parameter, or "input", that was not finite before any operation; "" where none was. The
            operation is then the first that took it.
    """

    operation: str
    module: str
    backward: bool
    rows: tuple[int, ...] = ()
    half: bool = False
    given: str = ""

    def __str__(self) -> str:
        where = f" in {self.module}" if self.module else ""
        kind = " (float16)" if self.half else ""
        taken = f", which was given {self.given} with numbers that are not finite" if self.given else ""
        return f"{self.operation}{kind}{where}{taken}"


@dataclass(frozen=True)
class ParameterProbe:
    """One parameter in one training step.

    Attributes:
        name: dotted, beginning with "encoder." or "loss.".
        elements: how many numbers it holds.
        weight_norm: Euclidean norm of it.
        gradient_norm: of its gradient; None where the loss does not depend on it.
        trains: it requires a gradient and an optimiser has it.
        moved: norm of its change since the start of the run over the norm it had there; None where unknown.
        detached: the loss depends on it, and yet no gradient reaches it.
    """

    name: str
    elements: int
    weight_norm: float
    gradient_norm: float | None
    trains: bool
    moved: float | None = None
    detached: bool = False


@dataclass(frozen=True)
class StepProbe:
    """One training step, measured without changing the model.

    Attributes:
        value: of the loss.
        raw: (B, D) embeddings of the batch, detached.
        speakers: (B,).
        items: names of the recordings; empty where unknown.
        gradient: (B, D) of the value by the raw embeddings.
        item_influence: (B,) norm of the gradient that each recording alone sends into the encoder's last layer, or of
            its row of ``gradient`` where that is all there is.
        parameters: in the order of the model, first layers first, then those of the loss.
        learning_rate: the highest of the schedule.
        response: loss of the very same batch after one step of the optimiser with ``learning_rate`` times the key.
        batches_with_positives: share of the plan's batches in which some speaker comes twice; None where unknown.
        dtype_maximum: largest absolute activation met on the way, in float32.
        precision: as the recipe has it.
        origin: where numbers that are not finite were born, None where all are finite or it is unknown.
    """

    value: float
    raw: Tensor
    speakers: Tensor
    gradient: Tensor
    item_influence: Tensor
    parameters: tuple[ParameterProbe, ...]
    learning_rate: float
    response: Mapping[float, float]
    items: tuple[str, ...] = ()
    batches_with_positives: float | None = None
    dtype_maximum: float | None = None
    precision: str = "32-true"
    origin: Origin | None = None

    def named(self, rows: Iterable[int]) -> list[str]:
        """Return the names of these recordings, or what number they have."""
        return [self.items[row] if row < len(self.items) else f"row {row}" for row in rows]


@dataclass(frozen=True)
class Death:
    """How a run died.

    Attributes:
        kind: what was not finite first; "zeros" where embeddings became zero vectors, which have no direction.
        step: the optimiser step.
        operation: the first operation that returned NaN or infinity, with the module it is in; "" where unknown.
        backward: it was met on the way back.
        items: the recordings of the batch it was met in, those with bad numbers where they are known.
        message: what the run said.
    """

    kind: Literal["embeddings", "loss", "gradient", "weights", "zeros"]
    step: int
    operation: str
    backward: bool
    items: tuple[str, ...]
    message: str


@dataclass(frozen=True)
class RecordingFacts:
    """What is known of the recordings without any model; all sequences are in one order.

    Attributes:
        names, speakers, sessions, splits: from the manifest.
        durations_s: of speech and silence together.
        digests: of the decoded samples; equal where the content is.
        quality: as `curvox.audio.measure_quality` has it, for all or for a sample (None elsewhere).
        levels_db: mean power of each, in dB of full scale, -inf for zeros, NaN where it was not measured; None where
            unknown. It tells silence from a steady sound, in which speech is not found by energy either.
    """

    names: tuple[str, ...]
    speakers: tuple[str, ...]
    sessions: tuple[str, ...]
    splits: tuple[str, ...]
    durations_s: NDArray[np.float64]
    digests: tuple[str, ...]
    quality: tuple[RecordingQuality | None, ...]
    levels_db: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class RunObservation:
    """Everything that could be measured of a run, finished, running or dead; None for what could not.

    ``missing`` says why a part is None, by the part's name. ``loss`` is the run's own, with what it has learnt.
    """

    name: str
    loss: AbstractLoss | None = None
    train: EmbeddedSet | None = None
    dev: EmbeddedSet | None = None
    step: StepProbe | None = None
    history: VitalHistory | None = None
    recordings: RecordingFacts | None = None
    death: Death | None = None
    missing: Mapping[str, str] = field(default_factory=dict)
