"""A run watched while it goes on: what its vital signs show for sure."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from curvox.diagnosis import thresholds_training as limits
from curvox.diagnosis.findings import Evidence, Finding, Severity


@dataclass
class LiveWatch:
    """Fed with the vital signs of each logged step, it tells what it has become sure of, each cause once.

    A cause is named when the last `LIVE_LOGS` logs agree on it. Signs that a step lacks are left out of it.
    """

    _recent: deque[dict[str, float]] = field(default_factory=lambda: deque(maxlen=limits.LIVE_LOGS))
    _norms: list[float] = field(default_factory=list)
    _lowest: tuple[float, float] | None = None
    _told: set[str] = field(default_factory=set)

    def feed(self, step: int, vitals: Mapping[str, float]) -> tuple[Finding, ...]:
        """Take the vital signs of ``step``, by name in `curvox.diagnosis.VITALS`; return the findings that are new."""
        signs = {name: float(value) for name, value in vitals.items() if not math.isnan(value)}
        spike = self._spike(step, signs)
        self._recent.append(signs)
        found = [spike, self._long_step(step, signs), *self._lasting(), self._ramp(signs)]
        new = tuple(f for f in found if f is not None and f.cause not in self._told)
        self._told.update(finding.cause for finding in new)
        return new

    def _lasting(self) -> list[Finding | None]:
        if len(self._recent) < limits.LIVE_LOGS:
            return []
        return [self._collapse(), self._standing_still(), self._inactive(), self._dead_radius()]

    def _all(self, name: str) -> list[float] | None:
        """The values of a sign in all recent logs, None where one lacks it."""
        values = [signs.get(name) for signs in self._recent]
        return None if any(value is None for value in values) else [value for value in values if value is not None]

    def _collapse(self) -> Finding | None:
        apart, uniform = self._all("different_distance"), self._all("uniformity")
        ranks = self._all("effective_rank")
        # identical points have no rank to speak of, so that rounding alone decides it
        if apart is None or uniform is None or max(apart) > limits.COLLAPSED_DISTANCE:
            return None
        if min(uniform) < limits.COLLAPSED_UNIFORMITY:
            return None
        evidence = [
            Evidence("mean distance of different speakers", apart[-1], "well above 0", "", "different_distance"),
            Evidence("uniformity", uniform[-1], "below -1; 0 where all are one", "", "uniformity"),
        ]
        if ranks is not None:
            evidence.append(Evidence("effective rank", ranks[-1], "ten or more", "", "effective_rank"))
        return Finding("collapse", "failure", tuple(evidence))

    def _standing_still(self) -> Finding | None:
        ratios, rates = self._all("update_ratio"), self._all("learning_rate")
        if ratios is None or max(ratios) > limits.STILL or (rates is not None and max(rates) == 0):
            return None
        norms = self._all("gradient_norm")
        if norms is None or min(norms) == 0:  # without a gradient nothing moves, whatever the rate
            return None
        severity: Severity = "failure" if max(ratios) == 0 else "warning"
        cause = "frozen_parameters" if max(ratios) == 0 else "learning_rate_too_low"
        healthy = "about 0.001"
        return Finding(
            cause,
            severity,
            (Evidence("change of the encoder over its weights", ratios[-1], healthy, "", "update_ratio"),),
        )

    def _inactive(self) -> Finding | None:
        shares, norms = self._all("active_share"), self._all("gradient_norm")
        if shares is None or norms is None or max(shares) > 0 or max(norms) > 0:
            return None
        same, apart = self._all("same_distance"), self._all("different_distance")
        # with all speakers told apart, no gradient is what the end of a good training looks like
        solved = same is not None and apart is not None and apart[-1] > limits.SOLVED * same[-1]
        evidence = Evidence("recordings with a gradient", shares[-1], "some, until all is learnt", "%", "active_share")
        return Finding("never_active", "note" if solved else "failure", (evidence,))

    def _long_step(self, step: int, signs: Mapping[str, float]) -> Finding | None:
        """One step of this length is enough: the weights are what it made them."""
        ratio = signs.get("update_ratio", 0.0)
        if ratio <= limits.PEAK_STEP_FAILURE:
            return None
        evidence = Evidence("length of a step over the weights", ratio, "about 0.001 to 0.01", "", "update_ratio")
        return Finding("learning_rate_too_high", "failure", (evidence,), f"step {step}")

    def _dead_radius(self) -> Finding | None:
        low, high = self._all("radius_low"), self._all("radius_high")
        if low is None or high is None or max(high) - min(low) > limits.SAME_RADIUS or min(low) < limits.AT_THE_RIM:
            return None
        evidence = (
            Evidence("radius, 5 % quantile", low[-1], "below the 95 % quantile", "", "radius_low"),
            Evidence("radius, 95 % quantile", high[-1], "above the 5 % quantile", "", "radius_high"),
        )
        return Finding("dead_radius", "note", evidence)

    def _spike(self, step: int, signs: Mapping[str, float]) -> Finding | None:
        norm = signs.get("gradient_norm")
        if norm is None:
            return None
        before = sorted(self._norms)
        self._norms.append(norm)
        if len(before) < limits.LEAST_LOGS:
            return None
        first = sorted(self._norms[: limits.LOG_WINDOW])
        usual = max(before[len(before) // 2], first[len(first) // 2], self._norms[0])
        if math.isfinite(norm) and not norm > limits.SPIKE_FAILURE * usual > 0:
            return None
        healthy = f"about {usual:.3g}, as before"
        evidence = Evidence("gradient norm", norm, healthy, "", "gradient_norm")
        return Finding("exploding_gradient", "failure", (evidence,), f"step {step}")

    def _ramp(self, signs: Mapping[str, float]) -> Finding | None:
        losses, scales = self._all("loss"), self._all("margin_scale")
        if losses is None or scales is None or len(losses) < limits.LIVE_LOGS:
            return None
        loss, scale = sorted(losses)[len(losses) // 2], scales[-1]
        if self._lowest is None or loss < self._lowest[0]:
            self._lowest = (loss, scale)
        lowest, there = self._lowest
        growing = scales[-1] > scales[0]
        if not growing or scale - there < limits.RAMP or loss - lowest <= limits.RAMP_RISE * abs(lowest):
            return None
        evidence = (
            Evidence("loss", loss, f"it has been {lowest:.3g}", "", "loss"),
            Evidence("margin scale", scale, f"it was {there:.3g} then", "", "margin_scale"),
        )
        return Finding("margin_ramp", "note", evidence)
