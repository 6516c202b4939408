"""The doctor at work, on a batch and any loss, on what was observed of a run, and on a run while it goes on.

Which causes judge what stands here too: everything that can be measured, with the checks that it goes to, in order.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from curvox.diagnosis.adapters import BatchLoss, adapt
from curvox.diagnosis.causes import (
    CAUSES,
    course,
    data,
    embeddings,
    gradients,
    labels,
    loss_form,
    numbers,
    parameters,
    rates,
    scales,
    space,
)
from curvox.diagnosis.findings import Checked, Finding, Severity, merged
from curvox.diagnosis.observation import EmbeddedSet, LiveSigns, RunObservation, StepProbe, VitalHistory
from curvox.diagnosis.probes.loss import measure_batch, measure_loss
from curvox.diagnosis.probes.pairs import EmbeddingPairs, PointsInBall, pairs_of, why_unusable
from curvox.diagnosis.verdict import Diagnosis, diagnosis_of
from curvox.errors import InputError
from curvox.geometry import AbstractSpace
from curvox.losses import AbstractLoss

LEAST_RECORDINGS, LEAST_SPEAKERS = 4, 2

NEEDS = {
    "step": ("numbers", "training"),
    "train": ("embeddings", "space"),
    "recordings": ("data",),
    "loss": ("loss",),
    "history": ("training",),
}
"""The kinds of causes that each part of an observation is needed for."""

LIVE_CHECKS = (
    gradients.spike_now,
    rates.too_long_now,
    embeddings.collapsed_now,
    parameters.frozen_now,
    rates.too_short_now,
    loss_form.inactive_now,
    space.dead_radius_now,
    course.ramp_now,
)
"""What the vital signs of a running training are asked after each log."""

_NEED_FINITE_STEP = (
    "frozen_parameters", "unused_parameters", "centres_never_move", "learning_rate_too_high", "learning_rate_too_low",
    "exploding_gradient", "vanishing_gradient", "few_items_rule", "no_positives",
)  # fmt: skip


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
        return diagnosis_of([numbers.lost_embeddings((~finite).tolist())])
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
        yield numbers.check_death(run.death)
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
        yield data.check_recordings(run.recordings)


def _missing(run: RunObservation) -> Iterable[Checked]:
    for part, groups in NEEDS.items():
        if getattr(run, part) is None:
            causes = tuple(cause.name for cause in CAUSES.values() if cause.group in groups)
            yield Checked.impossible(run.missing.get(part, f"nothing is known of the {part}"), *causes)


def _last_vitals(run: RunObservation) -> dict[str, float]:
    """The last value of every vital sign that is a number."""
    signs = {} if run.history is None else run.history.signs
    known = {name: values[~np.isnan(values)] for name, values in signs.items()}
    return {name: float(values[-1]) for name, values in known.items() if len(values)}


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


# --- what is checked, and in which order ---


def loss_parts(loss: AbstractLoss, raw: Tensor, speakers: Tensor) -> list[Checked]:
    """Check a loss on batches made for it and on this one of finite embeddings (B, D)."""
    measures = measure_loss(loss, raw)
    return [loss_form.check_form(measures), scales.check_scale(measures), batch_checks(loss, raw, speakers)]


def batch_checks(loss: AbstractLoss, raw: Tensor, speakers: Tensor) -> Checked:
    """Check what the loss does on this very batch: NaN and where it was born, no gradient, no pairs."""
    if loss.whole_batch and len(speakers.unique()) == len(speakers):
        return data.no_positives_among(len(speakers))
    try:
        measures = measure_batch(loss, raw, speakers)
    except InputError as refusal:
        if isinstance(loss, BatchLoss):
            raise
        return Checked.impossible(f"the loss refuses this batch: {refusal}", "not_finite", "never_active")
    found = (numbers.lost_in_batch(measures), loss_form.inactive_in_batch(measures))
    return Checked(("not_finite", "never_active", "no_positives"), tuple(f for f in found if f is not None))


def step_checks(step: StepProbe, loss: nn.Module | None = None) -> Checked:
    """Look for what one training step can show; without its ``loss`` no_positives is not looked for."""
    lost = numbers.check_step(step)
    if not numbers.is_finite(step):
        return merged((lost, Checked.impossible("the step is not finite", *_NEED_FINITE_STEP)))
    gradient = gradients.check_gradient(step)
    response = _less_than(gradient, rates.check_response(step))
    return merged((lost, parameters.check_parameters(step), response, gradient, data.check_positives(step, loss)))


def _less_than(gradient: Checked, response: Checked) -> Checked:
    """Rank a rate too high below a gradient that explodes in the layers: then any rate is too high for some step."""
    explosion = next((f for f in gradient.findings if f.cause == gradients.EXPLODING_GRADIENT.name), None)
    if explosion is None:
        return response
    below: Severity = "warning" if explosion.severity == "failure" else "note"
    too_high = rates.LEARNING_RATE_TOO_HIGH.name
    findings = (replace(f, severity=below) if f.cause == too_high else f for f in response.findings)
    return replace(response, findings=tuple(findings))


def history_checks(history: VitalHistory, *, items: int | None = None) -> Checked:
    """Look at the course of a run; a loss that rises while the margin does is no evidence of anything else.

    Args:
        history: its vital signs.
        items: recordings in a batch; without it few_items_rule goes by the effective rank, which is below it.
    """
    parts = (
        course.check_epochs(history),
        course.check_ramp(history),
        rates.check_lengths(history),
        rates.check_loss_of_run(history),
        gradients.check_spikes(history),
        gradients.check_first_layers(history),
        gradients.check_first_batches(history, items),
    )
    return merged(parts)


def embedding_checks(items: EmbeddedSet) -> Checked:
    """Look for what became of the embeddings; of very large sets a part is looked at."""
    return _of_pairs(items, embeddings.OF_EMBEDDINGS, embeddings.check_embeddings)


def space_checks(items: EmbeddedSet, loss: AbstractLoss | None = None) -> Checked:
    """Look for what goes wrong in a Poincaré ball; in another space there is nothing to look for.

    ``loss`` is the run's; its space is taken where there is one, since that is where the gradient comes from.
    """
    ball = (items.space if loss is None else loss.space).ball
    if ball is None:
        return Checked(())
    of_ball = replace(items, space=ball)
    return _of_pairs(of_ball, space.OF_SPACE, lambda pairs: space.check_ball(PointsInBall(ball, pairs)))


def label_checks(items: EmbeddedSet, dev: EmbeddedSet | None = None) -> Checked:
    """Look for labels that do not fit the voices among ``items``, and for a channel that stands for the speaker."""
    others = None if dev is None or why_unusable(dev) else pairs_of(dev)
    return _of_pairs(items, labels.OF_LABELS, lambda pairs: labels.check_labels(pairs, others))


def _of_pairs(items: EmbeddedSet, causes: tuple[str, ...], check: Callable[[EmbeddingPairs], Checked]) -> Checked:
    """Check the pairs of a set for ``causes``, where it can be judged."""
    why = why_unusable(items)
    return Checked.impossible(why, *causes) if why else check(pairs_of(items))
