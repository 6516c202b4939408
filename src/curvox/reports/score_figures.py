"""Figures of the scores themselves as inline SVG: their histograms, and how well LLRs are calibrated."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from curvox.errors import InputError
from curvox.metrics import Evaluation, bayes_threshold
from curvox.reports.drawing import GRID, INK, SERIES, draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_HIGHEST_COST = 1.5


def histogram_figure(evaluation: Evaluation, *, name: str = "histogram") -> str:
    """Return the histograms of target and non-target scores, each as the share of its class in every bin.

    Raises:
        InputError: the evaluation has no histogram.
    """
    histogram = evaluation.histogram
    if histogram is None:
        raise InputError("the evaluation has no histogram to draw")
    edges = np.array(histogram.edges)
    sides = (
        (f"targets, {evaluation.targets:,}", histogram.targets, SERIES[0], "-"),
        (f"non-targets, {evaluation.non_targets:,}", histogram.non_targets, SERIES[1], (0, (5, 1.5))),
    )
    threshold = None if evaluation.eer is None else evaluation.eer.threshold

    def paint(figure: Figure, axes: Axes) -> None:
        for label, shares, colour, line in sides:
            heights = _percent(shares)
            axes.stairs(heights, edges, color=colour, fill=True, alpha=0.25, linewidth=0)
            axes.stairs(heights, edges, color=colour, linestyle=line, linewidth=1.4, label=label)
        if threshold is not None and math.isfinite(threshold):
            axes.axvline(threshold, color=INK, linewidth=1, linestyle=(0, (1, 1.5)), label="point of equal error rates")
        axes.set(xlabel=_score_title(evaluation), ylabel="share of the class in a bin, %", xlim=(edges[0], edges[-1]))
        axes.set_ylim(bottom=0)
        axes.grid(True, axis="y")
        figure.legend(loc="outside lower center", ncols=2)

    label = f"Histograms of {evaluation.targets} target and {evaluation.non_targets} non-target scores."
    return draw((5.0, 4.2), paint, name=name, label=label)


def calibration_figure(evaluation: Evaluation, *, name: str = "calibration") -> str:
    """Return the normalised detection cost over prior log-odds, as decided at the Bayes threshold and at the best one.

    Brümmer's normalised Bayes error-rate plot (Brümmer & de Villiers, "The BOSARIS toolkit", 2011): where the two
    curves part, the LLRs are badly calibrated; at 1 a decision is as good as none.

    Raises:
        InputError: the evaluation has no calibration curve, for its scores are not LLRs.
    """
    curve = evaluation.calibration
    if curve is None:
        raise InputError("the evaluation has no calibration curve: its scores are not log-likelihood ratios")
    log_odds = np.array(curve.log_odds)
    actual, lowest = np.array(curve.normalised_dcf), np.array(curve.min_dcf)
    # Costs other than 1 act like another prior; at that prior the Bayes threshold is minus its log-odds.
    marks = [-bayes_threshold(cost.point) for cost in evaluation.min_dcf]
    marks = [mark for mark in marks if log_odds[0] <= mark <= log_odds[-1]]
    top = min(_HIGHEST_COST, 1.08 * max(1.0, float(actual.max())))

    def paint(figure: Figure, axes: Axes) -> None:
        axes.axhline(1.0, color=INK, linewidth=0.8, linestyle=(0, (5, 3)), label="deciding without scores")
        for mark in marks:
            axes.axvline(mark, color=GRID, linewidth=1.6, zorder=1)
        axes.plot(log_odds, lowest, color=SERIES[0], linestyle=(0, (5, 1.5)), label="best threshold")
        axes.plot(log_odds, actual, color=SERIES[1], label="Bayes threshold")
        axes.set(xlabel="log-odds of the prior", ylabel="normalised detection cost")
        axes.set(xlim=(log_odds[0], log_odds[-1]), ylim=(0, top))
        axes.grid(True, axis="y")
        figure.legend(loc="outside lower center", ncols=2)

    worst = int(np.argmax(actual - lowest))
    label = (
        f"Normalised detection cost over the log-odds of the prior. Largest loss by calibration "
        f"{actual[worst] - lowest[worst]:.3f}, at log-odds {log_odds[worst]:.1f}."
    )
    return draw((5.0, 4.2), paint, name=name, label=label)


def _percent(shares: tuple[float, ...]) -> np.ndarray:
    heights = np.array(shares, dtype=np.float64)
    return 100 * heights / max(float(heights.sum()), np.finfo(np.float64).tiny)


def _score_title(evaluation: Evaluation) -> str:
    return "log-likelihood ratio" if evaluation.llrs else "score, larger for the same speaker"
