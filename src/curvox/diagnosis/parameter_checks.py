"""Which weights a training step cannot move."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from curvox.diagnosis import thresholds_training as limits
from curvox.diagnosis.findings import Checked, Evidence, Finding, Severity, merged
from curvox.diagnosis.observation import ParameterProbe, StepProbe

MOST_NAMED = 4


def parameter_checks(step: StepProbe) -> Checked:
    """Look for frozen_parameters, unused_parameters and centres_never_move."""
    encoder = [p for p in step.parameters if p.name.startswith("encoder.")]
    own = [p for p in step.parameters if p.name.startswith("loss.")]
    moved = _median_moved(encoder)
    return merged((_frozen(encoder, moved), _unused(step, moved), _centres(own, step.raw.shape[1], encoder, moved)))


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
    others = moved is not None and moved > limits.MOVED_AT_ALL
    return others and parameter.moved == 0.0 and parameter.gradient_norm > 0 and parameter.weight_norm > 0


def _frozen(encoder: Sequence[ParameterProbe], moved: float | None) -> Checked:
    if not encoder:
        return Checked.impossible("the encoder has no parameters", "frozen_parameters")
    stuck = [p for p in encoder if _stuck(p, moved)]
    if not stuck:
        return Checked(("frozen_parameters",))
    share = sum(p.elements for p in stuck) / sum(p.elements for p in encoder)
    severity: Severity = "failure" if share > limits.FROZEN_FAILURE_SHARE else "warning"
    detached, left_out = sum(p.detached for p in stuck), sum(not p.trains for p in stuck)
    evidence = (
        Evidence("encoder weights that do not move", share, "0 %", "%"),
        Evidence("parameters without a gradient although the loss depends on them", float(detached), "0"),
        Evidence("parameters that no optimiser moves", float(left_out), "0"),
    )
    return Checked(("frozen_parameters",), (Finding("frozen_parameters", severity, evidence, _named(stuck)),))


def _unused(step: StepProbe, moved: float | None) -> Checked:
    if not any(p.gradient_norm for p in step.parameters):
        return Checked.impossible("the loss of this batch has no gradient at all", "unused_parameters")
    unused = [p for p in step.parameters if _is_unused(p, moved)]
    if not unused:
        return Checked(("unused_parameters",))
    elements = sum(p.elements for p in unused)
    evidence = (
        Evidence("parameters that no gradient reaches", float(len(unused)), "0"),
        Evidence("of all weights", elements / sum(p.elements for p in step.parameters), "0 %", "%"),
    )
    return Checked(("unused_parameters",), (Finding("unused_parameters", "warning", evidence, _named(unused)),))


def _is_unused(parameter: ParameterProbe, moved: float | None) -> bool:
    if parameter.detached:
        return False
    if parameter.gradient_norm is None:
        return True
    # a zero may be of this batch alone, such as a loss at rest; one that never moved it is not
    large = parameter.elements >= limits.NO_GRADIENT_ELEMENTS and parameter.weight_norm > 0
    return parameter.gradient_norm == 0.0 and large and bool(moved) and parameter.moved == 0.0


def _centres(
    own: Sequence[ParameterProbe], dim: int, encoder: Sequence[ParameterProbe], moved: float | None
) -> Checked:
    centres = [p for p in own if p.elements >= 2 * dim and p.elements % dim == 0]
    if not centres:
        return Checked.impossible("the loss has no class centres", "centres_never_move")
    stuck = [p for p in centres if _stuck(p, moved)]
    if stuck and all(_stuck(p, moved) for p in encoder):
        return Checked(("centres_never_move",))  # nothing moves at all, which is frozen_parameters
    slow = [p for p in centres if p not in stuck and _slow(p, moved)]
    if not stuck and not slow:
        return Checked(("centres_never_move",))
    severity: Severity = "failure" if stuck else "warning"
    evidence = [Evidence("class centres that no step moves", float(len(stuck)), "0")]
    if moved is not None and (gone := [p.moved for p in stuck or slow if p.moved is not None]):
        evidence.append(
            Evidence("relative change of the centres", min(gone), f"about that of the encoder, {moved:.3g}")
        )
    finding = Finding("centres_never_move", severity, tuple(evidence), _named(stuck or slow))
    return Checked(("centres_never_move",), (finding,))


def _slow(parameter: ParameterProbe, moved: float | None) -> bool:
    if parameter.moved is None or moved is None or moved <= limits.MOVED_AT_ALL or not parameter.gradient_norm:
        return False
    return parameter.moved < limits.CENTRES_MOVED_SHARE * moved


def _named(parameters: Sequence[ParameterProbe]) -> str:
    shown = ", ".join(p.name for p in parameters[:MOST_NAMED])
    return shown + (f" and {len(parameters) - MOST_NAMED} more" if len(parameters) > MOST_NAMED else "")
