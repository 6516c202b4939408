"""What the course of a run shows: train and dev going apart, steps too long or too short, gradients that jump."""

from __future__ import annotations

import numpy as np

from curvox.diagnosis import thresholds_training as limits
from curvox.diagnosis.findings import Checked, Evidence, Finding, Severity, merged
from curvox.diagnosis.history_signs import Numbers, running_medians, sign, signs_together
from curvox.diagnosis.observation import VitalHistory

_HIGH, _LOW = "learning_rate_too_high", "learning_rate_too_low"


def history_checks(history: VitalHistory, *, items: int | None = None) -> Checked:
    """Look at the course of a run.

    Args:
        history: its vital signs.
        items: recordings in a batch; without it few_items_rule goes by the effective rank, which is below it.

    Returns:
        findings of overfitting, margin_ramp, learning_rate_too_high, learning_rate_too_low, exploding_gradient,
        vanishing_gradient and few_items_rule. A loss that rises while the margin does is no evidence of anything else.
    """
    checks = (_overfitting, _margin_ramp, _lengths_of_steps, _jumping_loss, _explosions, _first_layers)
    return merged((*(check(history) for check in checks), _few_items(history, items)))


def _overfitting(history: VitalHistory) -> Checked:
    epochs = [epoch for epoch in history.epochs if epoch.loss is not None and epoch.dev_eer is not None]
    if len(epochs) < limits.LEAST_EPOCHS:
        return Checked.impossible(
            f"needs at least {limits.LEAST_EPOCHS} epochs with a training loss and a dev EER, got {len(epochs)}",
            "overfitting",
        )
    width = limits.EPOCH_WINDOW
    losses = np.array([epoch.loss for epoch in epochs], dtype=np.float64)
    eers = np.array([epoch.dev_eer for epoch in epochs], dtype=np.float64)
    best = int(eers.argmin())
    loss, eer, lowest = float(losses[-width:].mean()), float(eers[-width:].mean()), float(eers[best])
    falls = loss < losses[best] - limits.LOSS_FALL * abs(losses[best])
    apart = falls and len(epochs) - 1 - best >= width
    # the smaller of both, so that one bad epoch at the end is not taken for the trend
    rise = float(min(eer, eers[-width:].min())) - lowest
    severity = _severity_of_rise(rise, lowest, by_heart=loss < limits.SOLVED_LOSS * losses[best]) if apart else None
    if severity is None:
        return Checked(("overfitting",))
    evidence = (
        Evidence(f"dev EER over the last {width} epochs", eer, f"about {lowest:.1%}, the best", "%", "dev_eer"),
        Evidence("epoch of the best dev EER", float(epochs[best].epoch), f"near the last, {epochs[-1].epoch}"),
        Evidence("training loss at the end", loss, f"at the best epoch it was {losses[best]:.3g}", "", "loss"),
    )
    return Checked(("overfitting",), (Finding("overfitting", severity, evidence),))


def _severity_of_rise(rise: float, best: float, *, by_heart: bool) -> Severity | None:
    if rise > limits.EER_RISE_FAILURE + limits.EER_RISE_FAILURE_SHARE * best:
        return "failure"
    if rise > limits.EER_RISE_WARNING + limits.EER_RISE_WARNING_SHARE * best or (
        by_heart and rise > limits.SOLVED_RISE
    ):
        return "warning"
    return None


def _margin_ramp(history: VitalHistory) -> Checked:
    loss, scale = signs_together(history, "loss", "margin_scale")
    if len(loss) < limits.LEAST_LOGS:
        return _too_few_logs(len(loss), "margin_ramp")
    growing = np.flatnonzero(np.diff(scale) > 0)
    if not len(growing) or scale.max() - scale.min() < limits.RAMP:
        return Checked(("margin_ramp",))
    smooth = running_medians(loss, limits.START_LOGS)
    first, last = int(growing[0]), int(growing[-1]) + 1
    lowest, highest = float(smooth[first]), first
    rise = 0.0
    for place in range(first, last + 1):  # the highest above what was the lowest before it
        lowest = min(lowest, float(smooth[place]))
        if smooth[place] - lowest > rise:
            rise, highest = float(smooth[place]) - lowest, place
    if rise <= limits.RAMP_RISE * abs(lowest):
        return Checked(("margin_ramp",))
    evidence = (
        Evidence("loss while the margin grew", float(smooth[highest]), f"it had been {lowest:.3g}", "", "loss"),
        Evidence("margin scale by then", float(scale[highest]), f"it was {scale[first]:.3g}", "", "margin_scale"),
    )
    return Checked(("margin_ramp",), (Finding("margin_ramp", "note", evidence),))


def _lengths_of_steps(history: VitalHistory) -> Checked:
    """Whether the first steps overwrite the weights, or none of all changes them."""
    _, ratios = sign(history, "update_ratio")
    if not len(ratios):
        return Checked.impossible("the lengths of the steps were not logged", _HIGH, _LOW)
    usual, peak = float(np.median(ratios[: limits.START_LOGS])), float(ratios.max())
    vital = "update_ratio"
    findings: list[Finding] = []
    if usual > limits.STEP_WARNING or peak > limits.PEAK_STEP_WARNING:
        severe = usual > limits.STEP_FAILURE or peak > limits.PEAK_STEP_FAILURE
        evidence = (
            Evidence("length of the first steps over the weights", usual, f"below {limits.STEP_WARNING:g}", "", vital),
            Evidence("the longest step over the weights", peak, f"below {limits.PEAK_STEP_WARNING:g}", "", vital),
        )
        findings.append(Finding(_HIGH, "failure" if severe else "warning", evidence))
    _, norms = sign(history, "gradient_norm")
    # without a gradient nothing moves, whatever the rate; where nothing moves at all it is no question of length
    if 0.0 < peak < limits.STEP_TOO_SHORT and len(ratios) >= limits.START_LOGS and len(norms) and norms.min() > 0:
        evidence = (Evidence("the longest step over the weights", peak, "about 0.001", "", vital),)
        findings.append(Finding(_LOW, "failure", evidence))
    return Checked((_HIGH, _LOW), tuple(findings))


def _jumping_loss(history: VitalHistory) -> Checked:
    loss = _loss_at_one_margin(history)
    if len(loss) < limits.LEAST_LOGS:
        return _too_few_logs(len(loss), _HIGH)
    start = float(np.median(loss[: limits.START_LOGS]))
    peak = float(running_medians(loss, limits.START_LOGS).max())
    end = float(np.median(loss[-limits.START_LOGS :]))
    if start <= 0 or end < limits.END_OVER_START * start or peak < limits.PEAK_OVER_START_WARNING * start:
        return Checked((_HIGH,))
    evidence = (
        Evidence("loss at the end", end, f"below the {start:.3g} of the start", "", "loss"),
        Evidence("highest loss on the way", peak, f"hardly above the {start:.3g} of the start", "", "loss"),
    )
    severity: Severity = "failure" if peak > limits.PEAK_OVER_START_FAILURE * start else "warning"
    return Checked((_HIGH,), (Finding(_HIGH, severity, evidence),))


def _loss_at_one_margin(history: VitalHistory) -> Numbers:
    """The loss while the margin was what it is at the end: a growing margin raises it, and should."""
    loss, scale = signs_together(history, "loss", "margin_scale")
    return loss[scale == scale[-1]] if len(scale) else sign(history, "loss")[1]


def _explosions(history: VitalHistory) -> Checked:
    steps, norms = sign(history, "gradient_norm")
    steps, norms = steps[norms > 0], norms[norms > 0]  # a batch without an active pair has none, and is not the usual
    if len(norms) < limits.LEAST_LOGS:
        return _too_few_logs(len(norms), "exploding_gradient")
    # late in training most pair losses have next to no gradient, beside which any would seem to explode
    usual = max(float(np.median(norms)), float(np.median(norms[: limits.LOG_WINDOW])), float(norms[0]))
    spikes = np.flatnonzero(norms > limits.SPIKE_WARNING * usual)
    if not len(spikes):
        return Checked(("exploding_gradient",))
    peak = float(norms.max())
    evidence = (
        Evidence("largest gradient norm", peak, f"within {limits.SPIKE_WARNING:g} times the usual {usual:.3g}", "",
                 "gradient_norm"),
        Evidence(f"logged steps of {len(norms)} with such a gradient", float(len(spikes)), "none"),
    )  # fmt: skip
    severity: Severity = "failure" if peak > limits.SPIKE_FAILURE * usual else "warning"
    finding = Finding("exploding_gradient", severity, evidence, f"step {int(steps[spikes[0]])}")
    return Checked(("exploding_gradient",), (finding,))


def _first_layers(history: VitalHistory) -> Checked:
    _, shares = sign(history, "first_layer_share")
    shares = shares[shares > 0]  # a layer without any gradient may be one that is frozen
    if len(shares) < limits.START_LOGS:
        return _too_few_logs(len(shares), "vanishing_gradient", limits.START_LOGS)
    usual = float(np.median(shares))
    if usual >= limits.FIRST_LAYER_GONE:
        return Checked(("vanishing_gradient",))
    measure = "share of the first weights in the encoder's gradient"
    evidence = (Evidence(measure, usual, "about 10 %", "%", "first_layer_share"),)
    return Checked(("vanishing_gradient",), (Finding("vanishing_gradient", "failure", evidence),))


def _few_items(history: VitalHistory, items: int | None) -> Checked:
    least = items if items is not None else int(sign(history, "effective_rank")[1].max(initial=0.0)) + 1
    if least < (limits.FEW_ITEMS_BATCH if items is not None else limits.FEW_ITEMS_RANK):
        why = f"needs batches of at least {limits.FEW_ITEMS_BATCH} recordings"
        return Checked.impossible(why, "few_items_rule")
    _, shares = sign(history, "top_item_share")
    if len(shares) < limits.START_LOGS:
        return _too_few_logs(len(shares), "few_items_rule", limits.START_LOGS)
    # later on few are left to learn, and have the gradient by right
    usual = float(np.median(shares[: limits.START_LOGS]))
    if usual <= limits.TOP_ITEM_WARNING:
        return Checked(("few_items_rule",))
    measure = "share of one recording in the gradient of the first batches"
    evidence = (Evidence(measure, usual, f"below {limits.TOP_ITEM_WARNING:.0%}", "%", "top_item_share"),)
    severity: Severity = "failure" if usual > limits.TOP_ITEM_FAILURE else "warning"
    return Checked(("few_items_rule",), (Finding("few_items_rule", severity, evidence),))


def _too_few_logs(found: int, cause: str, least: int = limits.LEAST_LOGS) -> Checked:
    return Checked.impossible(f"needs at least {least} logged steps that tell, got {found}", cause)
