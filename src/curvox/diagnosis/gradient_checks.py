"""Whether the gradient of a step reaches all layers, and from whom it comes."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import torch
from torch import nn

from curvox.diagnosis import thresholds_training as limits
from curvox.diagnosis.findings import Checked, Evidence, Finding, Severity, merged
from curvox.diagnosis.observation import ParameterProbe, StepProbe


def gradient_checks(step: StepProbe, loss: nn.Module | None) -> Checked:
    """Look for vanishing_gradient, exploding_gradient, few_items_rule and no_positives."""
    return merged((_layers(step), _few_items(step), _no_positives(step, loss)))


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
        and not p.detached and p.weight_norm > 0 and p.elements >= limits.LAYER_ELEMENTS
    ]  # fmt: skip


def _layers(step: StepProbe) -> Checked:
    causes = ("vanishing_gradient", "exploding_gradient")
    layers = layer_influence(step)
    if not layers:
        return Checked.impossible("the encoder has no weights that a gradient of this batch reaches", *causes)
    share, where = _drop(layers)
    largest, most = max(layers, key=lambda layer: layer[1])
    findings: list[Finding] = []
    if share < limits.VANISHED_WARNING:
        evidence = (
            Evidence("influence of the first layers, over that of those behind them", share,
                     f"above {limits.VANISHED_WARNING:g}", "", "first_layer_share"),
        )  # fmt: skip
        findings.append(Finding("vanishing_gradient", _severity(share < limits.VANISHED_FAILURE), evidence, where))
    if most > limits.EXPLODED_WARNING:
        evidence = (
            Evidence("influence of one layer, over that of the embeddings", most, "about 1", "", "gradient_norm"),
        )  # fmt: skip
        findings.append(
            Finding("exploding_gradient", _severity(most > limits.EXPLODED_FAILURE), evidence, largest.name)
        )
    return Checked(causes, tuple(findings))


def _severity(failed: bool) -> Severity:
    return "failure" if failed else "warning"


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
    if items < limits.FEW_ITEMS_BATCH:
        why = f"needs a batch of at least {limits.FEW_ITEMS_BATCH} recordings, got {items}"
        return Checked.impossible(why, "few_items_rule")
    total = float(influence.sum())
    if total == 0:
        return Checked.impossible("the loss of this batch has no gradient at all", "few_items_rule")
    few = max(1, items // 20)
    ordered, rows = torch.sort(influence, descending=True)
    several = float(ordered[:few].sum()) / total
    reach = float((influence * step.raw.double().norm(dim=1)).sum())
    if several <= limits.FEW_ITEMS_SHARE or reach <= limits.FEW_ITEMS_REACH:
        return Checked(("few_items_rule",))
    failed = reach > limits.FEW_ITEMS_FAILURE_REACH
    evidence = (
        Evidence(f"share of {few} of {items} recordings in the gradient", several,
                 f"below {limits.FEW_ITEMS_SHARE:.0%}", "%", "top_item_share"),
        Evidence("change of the loss for a relative change of the embeddings", reach,
                 f"below {limits.FEW_ITEMS_REACH:g} where so few are left to learn"),
    )  # fmt: skip
    ruling = rows[:few].tolist()
    where = ", ".join(step.items[row] if row < len(step.items) else f"row {row}" for row in ruling[:5])
    return Checked(("few_items_rule",), (Finding("few_items_rule", _severity(failed), evidence, where),))


def _no_positives(step: StepProbe, loss: nn.Module | None) -> Checked:
    if loss is None:
        return Checked.impossible("the loss itself is not at hand", "no_positives")
    if not _compares_items(step, loss):
        return Checked(("no_positives",))
    share = step.batches_with_positives
    measure = "batches in which a speaker comes twice"
    if share is None:
        share = float(len(step.speakers.unique()) < len(step.speakers))
        measure = "of one batch: a speaker comes twice"
        failed = False
    else:
        failed = share < limits.POSITIVES_FAILURE
    if share >= limits.POSITIVES_WARNING:
        return Checked(("no_positives",))
    evidence = (Evidence(measure, share, "100 %", "%"),)
    return Checked(("no_positives",), (Finding("no_positives", _severity(failed), evidence),))


def _compares_items(step: StepProbe, loss: nn.Module) -> bool:
    """Whether ``loss`` compares recordings with each other: it says so, or has no class centres."""
    if any(getattr(part, "whole_batch", False) for part in loss.modules()):
        return True
    dim = step.raw.shape[1]
    return not any(p.ndim >= 2 and p.shape[-1] == dim for p in loss.parameters())
