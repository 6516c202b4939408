"""Gradients that do not reach all layers, that explode, and that come from a few recordings."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from curvox.diagnosis.findings import Cause, Checked, Evidence, Finding, graded, merged
from curvox.diagnosis.observation import LEAST_LOGS, START_LOGS, too_few_logs

if TYPE_CHECKING:
    from curvox.diagnosis.observation import LiveSigns, ParameterProbe, StepProbe, VitalHistory

EXPLODING_GRADIENT = Cause(
    "exploding_gradient",
    "The gradient explodes",
    "training",
    "The norm of the gradient is many times the usual one, all the time or in single steps. One such step undoes what "
    "many others built.",
    "Clip the gradient, warm up the learning rate, and look which layer it comes from.",
    "training: {optimizer: {clip_gradient_norm: 5.0}}",
    ("learning_rate_too_high",),
)

VANISHING_GRADIENT = Cause(
    "vanishing_gradient",
    "The gradient vanishes on its way",
    "training",
    "The loss has a gradient, but next to nothing of it reaches the first layers: something on the way is saturated, "
    "or multiplies by a small number. Those layers stay as they were drawn.",
    "Look at the layer in the evidence: normalise before a saturating activation, or replace it.",
    "",
    ("learning_rate_too_low", "frozen_parameters"),
)

FEW_ITEMS_RULE = Cause(
    "few_items_rule",
    "A few recordings rule the loss",
    "training",
    "Most of the gradient of a batch comes from very few of its recordings, so the others are hardly learnt from. Such "
    "recordings are often mislabelled, damaged or outliers.",
    "Listen to the recordings in the evidence; then bound their influence (a smaller scale, semi-hard instead of "
    "hardest mining, gradient clipping).",
    "loss: {mining: semi_hard}",
)

VANISHED_WARNING, VANISHED_FAILURE = 1e-3, 1e-4
"""Influence of the first layers over that of those behind them: above 0.1 in healthy networks of any depth."""

LAYER_ELEMENTS = 16
"""Numbers in a weight that counts as a layer; a learnt scalar may have little influence and be right."""

FIRST_LAYER_GONE = 1e-5
"""Share of the first weights in the encoder's gradient, over a run: 0.1 in healthy ones."""

EXPLODED_WARNING, EXPLODED_FAILURE = 50.0, 500.0
"""Influence of a layer over that of the embeddings: about 1 in a linear layer, 5 before batch normalisation."""

SPIKE_WARNING, SPIKE_FAILURE = 30.0, 200.0
"""Gradient norm over the largest of its median, that of the first logs and the very first: to three in healthy runs."""

FIRST_LOGS = 5
"""Logs that say what a gradient is at first."""

FEW_ITEMS_BATCH = 16
"""Recordings in a batch, below which one of them has much of the gradient by right."""

FEW_ITEMS_RANK = 6
"""Effective rank of a batch, from which it has enough recordings where their number is not known."""

FEW_ITEMS_SHARE = 0.9
"""Share of one recording, or of 5 % of them, in the gradient. In pair losses a recording has a partner as large."""

FEW_ITEMS_REACH, FEW_ITEMS_FAILURE_REACH = 1.0, 10.0
"""Change of the loss for a relative change of the embeddings. Where all but the last errors are learnt, these have the
gradient, and should, but it is small."""

TOP_ITEM_WARNING, TOP_ITEM_FAILURE = 0.3, 0.4
"""Share of one recording in the gradient of the first batches, in which all are to be learnt: 0.1 of 32."""


def check_gradient(step: StepProbe) -> Checked:
    """Look for vanishing_gradient, exploding_gradient and few_items_rule in a training step."""
    return merged((_layers(step), _few_items(step)))


def layer_influence(step: StepProbe) -> list[tuple[ParameterProbe, float]]:
    """What a relative change of each of the encoder's weights does, over what one of the embeddings does.

    It is gradient norm times weight norm, of the weight over that of the embeddings: 1 at most for a linear layer that
    makes the embeddings, whatever the size of the loss. Biases, which may have no effect at all, are left out.
    """
    whole = float(step.gradient.double().norm() * step.raw.double().norm())
    if whole == 0:
        return []
    return [
        (p, p.gradient_norm * p.weight_norm / whole)
        for p in step.parameters
        if p.name.startswith("encoder.") and not p.name.endswith("bias") and p.gradient_norm is not None
        and not p.detached and p.weight_norm > 0 and p.elements >= LAYER_ELEMENTS
    ]  # fmt: skip


def _layers(step: StepProbe) -> Checked:
    layers = layer_influence(step)
    if not layers:
        why = "the encoder has no weights that a gradient of this batch reaches"
        return Checked.impossible(why, VANISHING_GRADIENT.name, EXPLODING_GRADIENT.name)
    share, where = _drop(layers)
    largest, most = max(layers, key=lambda layer: layer[1])
    what, healthy = "influence of the first layers, over that of those behind them", f"above {VANISHED_WARNING:g}"
    vanishing = VANISHING_GRADIENT.judged(
        graded(failure=share < VANISHED_FAILURE, warning=share < VANISHED_WARNING),
        Evidence(what, share, healthy, vital="first_layer_share"),
        where=where,
    )
    exploding = EXPLODING_GRADIENT.judged(
        graded(failure=most > EXPLODED_FAILURE, warning=most > EXPLODED_WARNING),
        Evidence("influence of one layer, over that of the embeddings", most, "about 1", vital="gradient_norm"),
        where=largest.name,
    )
    return merged((vanishing, exploding))


def _drop(layers: Sequence[tuple[ParameterProbe, float]]) -> tuple[float, str]:
    """The smallest share that the first layers have of the influence of those behind them, and where the gap is.

    The embeddings, with an influence of 1, are behind all layers.
    """
    influences = [*(influence for _, influence in layers), 1.0]
    names = [*(parameter.name for parameter, _ in layers), "the embeddings"]
    shares, gaps = [max(influences[:-1])], [1.0]
    for place in range(1, len(layers)):
        behind = statistics.median(influences[place:-1])
        shares.append(max(influences[:place]) / behind if behind > 0 else 1.0)
    for place in range(1, len(influences)):
        before = max(influences[:place])
        gaps.append(influences[place] / before if before > 0 else math.inf if influences[place] > 0 else 1.0)
    gap = max(range(len(gaps)), key=gaps.__getitem__)
    return min(shares), f"between {names[gap - 1]} and {names[gap]}"


def _few_items(step: StepProbe) -> Checked:
    influence = step.item_influence.double()
    items = len(influence)
    if items < FEW_ITEMS_BATCH:
        return FEW_ITEMS_RULE.unknown(f"needs a batch of at least {FEW_ITEMS_BATCH} recordings, got {items}")
    total = float(influence.sum())
    if total == 0:
        return FEW_ITEMS_RULE.unknown("the loss of this batch has no gradient at all")
    few = max(1, items // 20)
    ordered, rows = influence.sort(descending=True)
    several = float(ordered[:few].sum()) / total
    reach = float((influence * step.raw.double().norm(dim=1)).sum())
    severity = graded(failure=reach > FEW_ITEMS_FAILURE_REACH, warning=reach > FEW_ITEMS_REACH)
    share = f"share of {few} of {items} recordings in the gradient"
    left = f"below {FEW_ITEMS_REACH:g} where so few are left to learn"
    return FEW_ITEMS_RULE.judged(
        severity if several > FEW_ITEMS_SHARE else None,
        Evidence(share, several, f"below {FEW_ITEMS_SHARE:.0%}", "%", "top_item_share"),
        Evidence("change of the loss for a relative change of the embeddings", reach, left),
        where=", ".join(step.named(rows[: min(few, 5)].tolist())),
    )


def check_spikes(history: VitalHistory) -> Checked:
    """Look for single steps of a run whose gradient is many times the usual one."""
    steps, norms = history.sign("gradient_norm")
    steps, norms = steps[norms > 0], norms[norms > 0]  # a batch without an active pair has none, and is not the usual
    if len(norms) < LEAST_LOGS:
        return EXPLODING_GRADIENT.unknown(too_few_logs(len(norms)))
    # Late in training most pair losses have next to no gradient, beside which any would seem to explode.
    usual = max(float(np.median(norms)), float(np.median(norms[:FIRST_LOGS])), float(norms[0]))
    spikes = np.flatnonzero(norms > SPIKE_WARNING * usual)
    if not len(spikes):
        return EXPLODING_GRADIENT.absent()
    peak = float(norms.max())
    healthy = f"within {SPIKE_WARNING:g} times the usual {usual:.3g}"
    return EXPLODING_GRADIENT.judged(
        graded(failure=peak > SPIKE_FAILURE * usual, warning=True),
        Evidence("largest gradient norm", peak, healthy, "", "gradient_norm"),
        Evidence(f"logged steps of {len(norms)} with such a gradient", float(len(spikes)), "none"),
        where=f"step {int(steps[spikes[0]])}",
    )


def spike_now(signs: LiveSigns) -> Finding | None:
    """The finding where the last gradient of a running training is many times the usual one, or not finite."""
    norm, before = signs.now.get("gradient_norm"), sorted(signs.norms[:-1])
    if norm is None or len(before) < LEAST_LOGS:
        return None
    first = sorted(signs.norms[:FIRST_LOGS])
    usual = max(before[len(before) // 2], first[len(first) // 2], signs.norms[0])
    if math.isfinite(norm) and not norm > SPIKE_FAILURE * usual > 0:
        return None
    evidence = Evidence("gradient norm", norm, f"about {usual:.3g}, as before", "", "gradient_norm")
    return EXPLODING_GRADIENT.finding("failure", evidence, where=f"step {signs.step}")


def check_first_layers(history: VitalHistory) -> Checked:
    """Look for a run in which next to nothing of the gradient reached the first weights."""
    _, shares = history.sign("first_layer_share")
    shares = shares[shares > 0]  # a layer without any gradient may be one that is frozen
    if len(shares) < START_LOGS:
        return VANISHING_GRADIENT.unknown(too_few_logs(len(shares), START_LOGS))
    usual = float(np.median(shares))
    what = "share of the first weights in the encoder's gradient"
    evidence = Evidence(what, usual, "about 10 %", "%", "first_layer_share")
    return VANISHING_GRADIENT.judged(graded(failure=usual < FIRST_LAYER_GONE), evidence)


def check_first_batches(history: VitalHistory, items: int | None) -> Checked:
    """Look for single recordings that had most of the gradient of the first batches, of ``items`` recordings each."""
    least = items if items is not None else int(history.sign("effective_rank")[1].max(initial=0.0)) + 1
    if least < (FEW_ITEMS_BATCH if items is not None else FEW_ITEMS_RANK):
        return FEW_ITEMS_RULE.unknown(f"needs batches of at least {FEW_ITEMS_BATCH} recordings")
    _, shares = history.sign("top_item_share")
    if len(shares) < START_LOGS:
        return FEW_ITEMS_RULE.unknown(too_few_logs(len(shares), START_LOGS))
    # Later on few are left to learn, and have the gradient by right.
    usual = float(np.median(shares[:START_LOGS]))
    what = "share of one recording in the gradient of the first batches"
    evidence = Evidence(what, usual, f"below {TOP_ITEM_WARNING:.0%}", "%", "top_item_share")
    return FEW_ITEMS_RULE.judged(graded(failure=usual > TOP_ITEM_FAILURE, warning=usual > TOP_ITEM_WARNING), evidence)
