"""Weights and centres that do not move, and weights that nothing depends on."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

from curvox.diagnosis.findings import Cause, Checked, Evidence, Finding, graded, listed, merged

if TYPE_CHECKING:
    from curvox.diagnosis.observation import LiveSigns, ParameterProbe, StepProbe

FROZEN_PARAMETERS = Cause(
    "frozen_parameters",
    "Weights that do not move",
    "training",
    "These weights are what they were at the start, although the loss depends on them: they were left out of the "
    "optimiser, detached, or require no gradient. The rest must make do with features that nobody learnt.",
    "Hand all parameters to the optimiser, and look for detach(), no_grad and requires_grad_(False) on the way.",
    "",
    ("learning_rate_too_low", "vanishing_gradient", "collapse", "dimensional_collapse"),
)

UNUSED_PARAMETERS = Cause(
    "unused_parameters",
    "Weights that the loss does not depend on",
    "training",
    "No gradient ever reaches these weights, because their layer is not on the way from recording to loss. They cost "
    "memory, and what was meant to go through them does not.",
    "Connect the layer, or remove it.",
)

CENTRES_NEVER_MOVE = Cause(
    "centres_never_move",
    "Class centres that do not move",
    "training",
    "The centres of the loss stay at random places, so that the encoder must carry each speaker to a place that has "
    "nothing to do with the voice. Speakers that sound alike are not near each other then.",
    "Hand the loss's parameters to the optimiser, and give them a learning rate like the encoder's.",
    "training: {optimizer: {centre_learning_rate_factor: 1.0}}",
)

FROZEN_FAILURE_SHARE = 0.3
"""Of the encoder's weights. Some part may be frozen on purpose; with a third of them the rest learns around it."""

MOVED_AT_ALL = 1e-4
"""Median relative change of the weights that train, above which a weight that is bit for bit as it was stands out."""

CENTRES_MOVED_SHARE = 1e-3
"""Of the encoder's relative change. Centres start at least as large as weights and have a gradient as large."""

NO_GRADIENT_ELEMENTS = 16
"""A parameter this large whose gradient is zero in every number is off the way; a smaller one may be so by chance."""

MOST_NAMED = 4


def check_parameters(step: StepProbe) -> Checked:
    """Look for frozen_parameters, unused_parameters and centres_never_move."""
    encoder = [p for p in step.parameters if p.name.startswith("encoder.")]
    own = [p for p in step.parameters if p.name.startswith("loss.")]
    moved = _median_moved(encoder)
    return merged((_frozen(encoder, moved), _unused(step, moved), _centres(own, step.raw.shape[1], encoder, moved)))


def frozen_now(signs: LiveSigns) -> Finding | None:
    """The finding where the steps of a running training, which has a gradient and a rate, change nothing at all."""
    ratios = signs.all("update_ratio")
    if ratios is None or max(ratios) > 0 or not signs.should_move():
        return None
    evidence = Evidence("change of the encoder over its weights", ratios[-1], "about 0.001", "", "update_ratio")
    return FROZEN_PARAMETERS.finding("failure", evidence)


def _median_moved(parameters: Sequence[ParameterProbe]) -> float | None:
    """How far the parameters that train have gone, None where unknown."""
    known = [p.moved for p in parameters if p.moved is not None and p.trains and p.gradient_norm]
    return statistics.median(known) if known else None


def _stuck(parameter: ParameterProbe, moved: float | None) -> bool:
    """The loss depends on it and it does not move; ``moved`` is how far others have gone."""
    if parameter.gradient_norm is None:
        return False
    if parameter.detached or not parameter.trains:
        return True
    others = moved is not None and moved > MOVED_AT_ALL
    return others and parameter.moved == 0.0 and parameter.gradient_norm > 0 and parameter.weight_norm > 0


def _frozen(encoder: Sequence[ParameterProbe], moved: float | None) -> Checked:
    if not encoder:
        return FROZEN_PARAMETERS.unknown("the encoder has no parameters")
    stuck = [p for p in encoder if _stuck(p, moved)]
    share = sum(p.elements for p in stuck) / sum(p.elements for p in encoder)
    detached, left_out = sum(p.detached for p in stuck), sum(not p.trains for p in stuck)
    return FROZEN_PARAMETERS.judged(
        graded(failure=share > FROZEN_FAILURE_SHARE, warning=bool(stuck)),
        Evidence("encoder weights that do not move", share, "0 %", "%"),
        Evidence("parameters without a gradient although the loss depends on them", float(detached), "0"),
        Evidence("parameters that no optimiser moves", float(left_out), "0"),
        where=_named(stuck),
    )


def _unused(step: StepProbe, moved: float | None) -> Checked:
    if not any(p.gradient_norm for p in step.parameters):
        return UNUSED_PARAMETERS.unknown("the loss of this batch has no gradient at all")
    unused = [p for p in step.parameters if _is_unused(p, moved)]
    share = sum(p.elements for p in unused) / sum(p.elements for p in step.parameters)
    return UNUSED_PARAMETERS.judged(
        graded(warning=bool(unused)),
        Evidence("parameters that no gradient reaches", float(len(unused)), "0"),
        Evidence("of all weights", share, "0 %", "%"),
        where=_named(unused),
    )


def _is_unused(parameter: ParameterProbe, moved: float | None) -> bool:
    if parameter.detached:
        return False
    if parameter.gradient_norm is None:
        return True
    # A zero may be of this batch alone, such as a loss at rest; one that never moved it is not.
    large = parameter.elements >= NO_GRADIENT_ELEMENTS and parameter.weight_norm > 0
    return parameter.gradient_norm == 0.0 and large and bool(moved) and parameter.moved == 0.0


def _centres(
    own: Sequence[ParameterProbe], dim: int, encoder: Sequence[ParameterProbe], moved: float | None
) -> Checked:
    centres = [p for p in own if p.elements >= 2 * dim and p.elements % dim == 0]
    if not centres:
        return CENTRES_NEVER_MOVE.unknown("the loss has no class centres")
    stuck = [p for p in centres if _stuck(p, moved)]
    if stuck and all(_stuck(p, moved) for p in encoder):
        return CENTRES_NEVER_MOVE.absent()  # nothing moves at all, which is frozen_parameters
    slow = [p for p in centres if p not in stuck and _slow(p, moved)]
    evidence = [Evidence("class centres that no step moves", float(len(stuck)), "0")]
    if moved is not None and (gone := [p.moved for p in stuck or slow if p.moved is not None]):
        healthy = f"about that of the encoder, {moved:.3g}"
        evidence.append(Evidence("relative change of the centres", min(gone), healthy))
    severity = graded(failure=bool(stuck), warning=bool(slow))
    return CENTRES_NEVER_MOVE.judged(severity, *evidence, where=_named(stuck or slow))


def _slow(parameter: ParameterProbe, moved: float | None) -> bool:
    if parameter.moved is None or moved is None or moved <= MOVED_AT_ALL or not parameter.gradient_norm:
        return False
    return parameter.moved < CENTRES_MOVED_SHARE * moved


def _named(parameters: Sequence[ParameterProbe]) -> str:
    return listed([p.name for p in parameters], MOST_NAMED)
