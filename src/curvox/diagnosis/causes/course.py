"""What the course of a run shows of itself: train and dev that go apart, and a loss that rises with its margin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from curvox.diagnosis.findings import Cause, Checked, Evidence, Finding, graded
from curvox.diagnosis.observation import LEAST_LOGS, START_LOGS, running_medians, too_few_logs

if TYPE_CHECKING:
    from curvox.diagnosis.observation import LiveSigns, VitalHistory

OVERFITTING = Cause(
    "overfitting",
    "Train and dev go apart",
    "training",
    "The training loss falls while the error rate of the dev trials rises: the model learns these recordings, not "
    "these voices. Its later checkpoints are worse than its earlier ones.",
    "Stop at the best epoch, augment, add speakers, or take a smaller encoder or a larger weight decay.",
    "augmentation: {waveforms: {}, features: {}}",
)

MARGIN_RAMP = Cause(
    "margin_ramp",
    "The loss rises because the margin does",
    "training",
    "The margin is being raised on schedule, and a larger margin makes the same embeddings cost more. This is what a "
    "warm-up is meant to do.",
    "Nothing: read the dev EER meanwhile, not the loss.",
)

LEAST_EPOCHS = 5
"""Below it no epoch can be best and clearly before the end."""

EPOCH_WINDOW = 2
"""Epochs at the end that must all be worse than the best: the dev EER of a small corpus jumps by a point or two."""

LOSS_FALL = 0.03
"""Share by which the training loss must have fallen since the best epoch."""

EER_RISE_WARNING, EER_RISE_WARNING_SHARE = 0.025, 0.08
"""Rise of the dev EER over its best: points, and a share of the best. The best of many epochs is lucky by a point."""

EER_RISE_FAILURE, EER_RISE_FAILURE_SHARE = 0.03, 0.25
"""A rise that no dev set of a hundred target trials has by chance."""

SOLVED_RISE, SOLVED_LOSS = 0.03, 0.2
"""A smaller rise is a warning where what is left of the training loss of the best epoch is less than this share: the
recordings have been learnt by heart since."""

RAMP = 0.05
"""Growth of the margin scale that counts as a ramp."""

RAMP_RISE = 0.05
"""Rise of the loss over its lowest, as a share of it, that the ramp has to explain."""


def check_epochs(history: VitalHistory) -> Checked:
    """Look for overfitting: a training loss that falls while the dev EER rises."""
    epochs = [epoch for epoch in history.epochs if epoch.loss is not None and epoch.dev_eer is not None]
    if len(epochs) < LEAST_EPOCHS:
        why = f"needs at least {LEAST_EPOCHS} epochs with a training loss and a dev EER, got {len(epochs)}"
        return OVERFITTING.unknown(why)
    width = EPOCH_WINDOW
    losses = np.array([epoch.loss for epoch in epochs], dtype=np.float64)
    eers = np.array([epoch.dev_eer for epoch in epochs], dtype=np.float64)
    best = int(eers.argmin())
    loss, eer, lowest = float(losses[-width:].mean()), float(eers[-width:].mean()), float(eers[best])
    falls = loss < losses[best] - LOSS_FALL * abs(losses[best])
    apart = falls and len(epochs) - 1 - best >= width
    # The smaller of both, so that one bad epoch at the end is not taken for the trend.
    rise = float(min(eer, eers[-width:].min())) - lowest
    by_heart = bool(loss < SOLVED_LOSS * losses[best])
    severity = graded(
        failure=rise > EER_RISE_FAILURE + EER_RISE_FAILURE_SHARE * lowest,
        warning=rise > EER_RISE_WARNING + EER_RISE_WARNING_SHARE * lowest or (by_heart and rise > SOLVED_RISE),
    )
    return OVERFITTING.judged(
        severity if apart else None,
        Evidence(f"dev EER over the last {width} epochs", eer, f"about {lowest:.1%}, the best", "%", "dev_eer"),
        Evidence("epoch of the best dev EER", float(epochs[best].epoch), f"near the last, {epochs[-1].epoch}"),
        Evidence("training loss at the end", loss, f"at the best epoch it was {losses[best]:.3g}", "", "loss"),
    )


def check_ramp(history: VitalHistory) -> Checked:
    """Look for margin_ramp: a loss that rises while its margin grows."""
    loss, scale = history.signs_together("loss", "margin_scale")
    if len(loss) < LEAST_LOGS:
        return MARGIN_RAMP.unknown(too_few_logs(len(loss)))
    growing = np.flatnonzero(np.diff(scale) > 0)
    if not len(growing) or scale.max() - scale.min() < RAMP:
        return MARGIN_RAMP.absent()
    first = int(growing[0])
    smooth = running_medians(loss, START_LOGS)[first : growing[-1] + 2]
    rises = smooth - np.minimum.accumulate(smooth)
    lowest, place = float(smooth.min()), int(rises.argmax())
    return MARGIN_RAMP.judged(
        graded(note=bool(rises[place] > RAMP_RISE * abs(lowest))),
        Evidence("loss while the margin grew", float(smooth[place]), f"it had been {lowest:.3g}", vital="loss"),
        Evidence(
            "margin scale by then", float(scale[first + place]), f"it was {scale[first]:.3g}", vital="margin_scale"
        ),
    )


def ramp_now(signs: LiveSigns) -> Finding | None:
    """The finding where the loss of a running training has risen since its margin began to grow."""
    losses, scales = signs.all("loss"), signs.all("margin_scale")
    if losses is None or scales is None:
        return None
    loss, scale = sorted(losses)[len(losses) // 2], scales[-1]
    lowest, there = signs.lowest_loss(loss, scale)
    if scale <= scales[0] or scale - there < RAMP or loss - lowest <= RAMP_RISE * abs(lowest):
        return None
    return MARGIN_RAMP.finding(
        "note",
        Evidence("loss", loss, f"it has been {lowest:.3g}", "", "loss"),
        Evidence("margin scale", scale, f"it was {there:.3g} then", "", "margin_scale"),
    )
