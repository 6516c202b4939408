"""What a diagnosis looks at: embeddings of recordings, the course of a run, one training step, the recordings.

All of it is plain data, measured elsewhere; every part of a `RunObservation` but its name may be missing, and what
needs it is then listed as not checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from curvox.audio import RecordingQuality
from curvox.diagnosis.origin import Origin
from curvox.geometry import AbstractSpace
from curvox.losses import AbstractLoss


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
