"""Which causes judge what: everything that can be measured, with the checks that it goes to, in their order."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from curvox.diagnosis.adapters import BatchLoss
from curvox.diagnosis.causes import (
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
from curvox.diagnosis.findings import Checked, Severity, merged
from curvox.diagnosis.observation import EmbeddedSet, StepProbe, VitalHistory
from curvox.diagnosis.probes.ball import PointsInBall
from curvox.diagnosis.probes.loss import measure_batch, measure_loss
from curvox.diagnosis.probes.pairs import EmbeddingPairs, pairs_of, why_unusable
from curvox.errors import InputError
from curvox.losses import AbstractLoss

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


def loss_parts(loss: AbstractLoss, raw: Tensor, speakers: Tensor) -> list[Checked]:
    """The checks of a loss, on batches made for it and on this one of finite embeddings (B, D)."""
    measures = measure_loss(loss, raw)
    return [loss_form.check_form(measures), scales.check_scale(measures), batch_checks(loss, raw, speakers)]


def batch_checks(loss: AbstractLoss, raw: Tensor, speakers: Tensor) -> Checked:
    """What the loss does on this very batch: NaN and where it was born, no gradient, no pairs."""
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
    explosions = [finding for finding in gradient.findings if finding.cause == gradients.EXPLODING_GRADIENT.name]
    if not explosions:
        return response
    below: Severity = "warning" if explosions[0].severity == "failure" else "note"
    findings = (
        replace(finding, severity=below) if finding.cause == rates.LEARNING_RATE_TOO_HIGH.name else finding
        for finding in response.findings
    )
    return replace(response, findings=tuple(findings))


def history_checks(history: VitalHistory, *, items: int | None = None) -> Checked:
    """Look at the course of a run; a loss that rises while the margin does is no evidence of anything else.

    Args:
        history: its vital signs.
        items: recordings in a batch; without it few_items_rule goes by the effective rank, which is below it.
    """
    checks = (
        course.check_epochs,
        course.check_ramp,
        rates.check_lengths,
        rates.check_loss_of_run,
        gradients.check_spikes,
        gradients.check_first_layers,
    )
    return merged((*(check(history) for check in checks), gradients.check_first_batches(history, items)))


def embedding_checks(items: EmbeddedSet) -> Checked:
    """Look for what became of the embeddings; of very large sets a part is looked at."""
    pairs = _pairs(items)
    if isinstance(pairs, str):
        return Checked.impossible(pairs, *embeddings.OF_EMBEDDINGS)
    return embeddings.check_embeddings(pairs)


def space_checks(items: EmbeddedSet, loss: AbstractLoss | None = None) -> Checked:
    """Look for what goes wrong in a Poincaré ball; in another space there is nothing to look for.

    ``loss`` is the run's; its space is taken where there is one, since that is where the gradient comes from.
    """
    ball = (items.space if loss is None else loss.space).ball
    if ball is None:
        return Checked(())
    pairs = _pairs(replace(items, space=ball))
    if isinstance(pairs, str):
        return Checked.impossible(pairs, *space.OF_SPACE)
    return space.check_ball(PointsInBall(ball, pairs))


def label_checks(items: EmbeddedSet, dev: EmbeddedSet | None = None) -> Checked:
    """Look for labels that do not fit the voices among ``items``, and for a channel that stands for the speaker."""
    pairs, others = _pairs(items), "" if dev is None else _pairs(dev)
    if isinstance(pairs, str):
        return Checked.impossible(pairs, *labels.OF_LABELS)
    return labels.check_labels(pairs, None if isinstance(others, str) else others)


def _pairs(items: EmbeddedSet) -> EmbeddingPairs | str:
    """The pairs of a set, or why it cannot be judged."""
    return why_unusable(items) or pairs_of(items)
