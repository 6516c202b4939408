"""The doctor at work, on a batch and any loss, on what was observed of a run, and on a run while it goes on."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from curvox.diagnosis.adapters import adapt
from curvox.diagnosis.causes import CAUSES
from curvox.diagnosis.causes.data import check_recordings
from curvox.diagnosis.causes.numbers import check_death, lost_embeddings
from curvox.diagnosis.checks import (
    LIVE_CHECKS,
    embedding_checks,
    history_checks,
    label_checks,
    loss_parts,
    space_checks,
    step_checks,
)
from curvox.diagnosis.findings import Checked, Finding
from curvox.diagnosis.observation import EmbeddedSet, LiveSigns, RunObservation
from curvox.diagnosis.verdict import Diagnosis, diagnosis_of
from curvox.errors import InputError
from curvox.geometry import AbstractSpace

LEAST_RECORDINGS, LEAST_SPEAKERS = 4, 2

NEEDS = {
    "step": ("numbers", "training"),
    "train": ("embeddings", "space"),
    "recordings": ("data",),
    "loss": ("loss",),
    "history": ("training",),
}
"""The kinds of causes that each part of an observation is needed for."""


def diagnose(
    loss: Callable[..., Any],
    embeddings: Tensor | np.ndarray,
    speakers: Tensor | np.ndarray,
    *,
    takes: str = "embeddings, speakers",
    space: AbstractSpace | None = None,
) -> Diagnosis:
    """Say what is wrong with a loss, or with the embeddings of one batch, before training or in the middle of it.

    The loss is asked on batches made for it (speakers at random, all solved, all in one point) and on this one. It is
    copied: its parameters and their gradients stay as they are.

    Args:
        loss: a loss of curvox, or any callable of tensors.
        embeddings: (B, D) raw encoder output, B >= 4; of an untrained encoder, or made up: a point for each speaker
            and a little noise.
        speakers: (B,) whole numbers, at least two different ones; below the number of speakers that a loss with
            centres was made for.
        takes: how the loss is called, a key of `curvox.diagnosis.SIGNATURES`; never guessed.
        space: where embeddings are compared; default the loss's own, or for other callables `Euclidean`.

    Returns:
        What was found, "healthy" where nothing was, and what could not be looked for.

    Raises:
        InputError: shapes or types that are not these, a batch too small to judge, a loss that cannot be called so.
    """
    raw, numbered = _checked_batch(embeddings, speakers)
    adapted = copy.deepcopy(adapt(loss, takes=takes, dim=raw.shape[1], space=space)).cpu().float()
    finite = torch.isfinite(raw).all(dim=1)
    if not finite.all():
        return diagnosis_of([lost_embeddings((~finite).tolist())])
    items = EmbeddedSet(raw, numbered, adapted.space)
    return diagnosis_of([*loss_parts(adapted, raw, numbered), embedding_checks(items), space_checks(items, adapted)])


def diagnose_run(observation: RunObservation) -> Diagnosis:
    """Look for every cause that the parts of an observation allow.

    Raises:
        InputError: nothing was observed.
    """
    return diagnosis_of([*_parts(observation), *_missing(observation)], vitals=_last_vitals(observation))


@dataclass
class LiveWatch:
    """Fed with the vital signs of each logged step, it tells what it has become sure of, each cause once.

    A cause that needs time is named when the last logs agree on it. Signs that a step lacks are left out of it.
    """

    _signs: LiveSigns = field(default_factory=LiveSigns)
    _told: set[str] = field(default_factory=set)

    def feed(self, step: int, vitals: Mapping[str, float]) -> tuple[Finding, ...]:
        """Take the vital signs of ``step``, by name in `curvox.diagnosis.VITALS`; return the findings that are new."""
        self._signs.add(step, vitals)
        found = [check(self._signs) for check in LIVE_CHECKS]
        new = tuple(f for f in found if f is not None and f.cause not in self._told)
        self._told.update(finding.cause for finding in new)
        return new


def _parts(run: RunObservation) -> Iterable[Checked]:
    loss = None if run.loss is None else copy.deepcopy(run.loss).cpu().float()
    if run.death is not None:
        yield check_death(run.death)
    if loss is not None and run.step is not None and bool(torch.isfinite(run.step.raw).all()):
        yield from loss_parts(loss, run.step.raw.float(), run.step.speakers)
    if run.step is not None:
        yield step_checks(run.step, loss)
    if run.history is not None:
        yield history_checks(run.history, items=None if run.step is None else len(run.step.speakers))
    if run.train is not None:
        yield embedding_checks(run.train)
        yield space_checks(run.train, loss)
        yield label_checks(run.train, run.dev)
    if run.recordings is not None:
        yield check_recordings(run.recordings)


def _missing(run: RunObservation) -> Iterable[Checked]:
    for part, groups in NEEDS.items():
        if getattr(run, part) is None:
            causes = tuple(cause.name for cause in CAUSES.values() if cause.group in groups)
            yield Checked.impossible(run.missing.get(part, f"nothing is known of the {part}"), *causes)


def _last_vitals(run: RunObservation) -> dict[str, float]:
    """The last finite value of every vital sign."""
    if run.history is None:
        return {}
    found = {}
    for name, values in run.history.signs.items():
        finite = values[values == values]
        if len(finite):
            found[name] = float(finite[-1])
    return found


def _checked_batch(raw: Tensor | np.ndarray, speakers: Tensor | np.ndarray) -> tuple[Tensor, Tensor]:
    raw = torch.as_tensor(raw).detach().cpu()
    numbered = torch.as_tensor(speakers).detach().cpu()
    if not raw.is_floating_point() or raw.ndim != 2:
        raise InputError(f"embeddings must be floating-point (B, D), got {raw.dtype} {tuple(raw.shape)}")
    if numbered.is_floating_point() or numbered.dtype == torch.bool or numbered.shape != raw.shape[:1]:
        raise InputError(f"speakers must be whole numbers ({len(raw)},), got {numbered.dtype} {tuple(numbered.shape)}")
    if len(raw) < LEAST_RECORDINGS or len(numbered.unique()) < LEAST_SPEAKERS:
        raise InputError(
            f"a batch needs at least {LEAST_RECORDINGS} recordings of {LEAST_SPEAKERS} speakers to be judged, got "
            f"{len(raw)} of {len(numbered.unique())}; take 32 recordings of 16 speakers, or more"
        )
    return raw.float(), numbered.long()
