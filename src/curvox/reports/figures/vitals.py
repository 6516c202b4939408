"""Figures of a diagnosis as inline SVG: vital signs over the steps of a run, distances of pairs, radii.

``name`` stands before every id in a figure; figures on one page need different names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from curvox.diagnosis import VITALS
from curvox.errors import InputError
from curvox.reports.figures.drawing import draw, draw_shares, look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from curvox.diagnosis import DistanceHistogram, RadiusHistogram, VitalHistory

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]

_SIZE = (4.2, 2.9)
_HISTOGRAM_SIZE = (5.0, 3.8)
_LEGEND_LETTERS = 40
_WIDE = 50.0
"""Where the largest value is so many times the smallest, the axis is logarithmic."""

_SPACES = {"hypersphere": "angle, radians", "poincare_ball": "hyperbolic distance", "euclidean": "distance"}


@dataclass(frozen=True)
class VitalPanel:
    """Vital signs that are drawn on one pair of axes, and whether their axis may be logarithmic."""

    name: str
    title: str
    vitals: tuple[str, ...]
    may_be_logarithmic: bool = False


PANELS = (
    VitalPanel("loss", "Loss", ("loss",)),
    VitalPanel("dev_eer", "EER on the dev trials", ("dev_eer",)),
    VitalPanel("effective_rank", "Effective rank of a batch", ("effective_rank",)),
    VitalPanel("spread", "Alignment and uniformity", ("alignment", "uniformity")),
    VitalPanel("distances", "Distances within and between speakers", ("same_distance", "different_distance")),
    VitalPanel("active", "Active recordings, and the share of one", ("active_share", "top_item_share")),
    VitalPanel("gradient", "Norm of the gradient", ("gradient_norm",), may_be_logarithmic=True),
    VitalPanel("first_layers", "Gradient of the first layers", ("first_layer_share",), may_be_logarithmic=True),
    VitalPanel("steps", "Length of a step over the weights", ("update_ratio",), may_be_logarithmic=True),
    VitalPanel("learning_rate", "Learning rate", ("learning_rate",), may_be_logarithmic=True),
    VitalPanel("margin", "Margin scale", ("margin_scale",)),
    VitalPanel("radius", "Radius on the ball", ("radius_low", "radius_mid", "radius_high")),
)
"""Which vital signs stand on one picture, in the order of the page; every one of `VITALS` is in one of them."""


def panel_of(vital: str) -> VitalPanel:
    """Return the panel that shows a vital sign."""
    return next(panel for panel in PANELS if vital in panel.vitals)


def curves_of(history: VitalHistory, panel: VitalPanel) -> dict[str, Curve]:
    """Return steps and values of each vital sign of a panel that the run has; without the steps that have none.

    What is measured once an epoch stands at the epoch's last step.
    """
    curves: dict[str, Curve] = {}
    for vital in panel.vitals:
        steps, values = history.steps.astype(np.float64), np.asarray(history.signs.get(vital, ()), dtype=np.float64)
        if len(values) == 0 or not np.isfinite(values).any():
            steps, values = _of_epochs(history, vital)
        known = np.isfinite(values)
        if known.any():
            curves[vital] = (steps[known], values[known])
    return curves


def _of_epochs(history: VitalHistory, vital: str) -> Curve:
    kept = [
        (_end_of(epoch.epoch, history), value)
        for epoch in history.epochs
        if (value := {"loss": epoch.loss, "dev_eer": epoch.dev_eer}.get(vital)) is not None
    ]
    steps, values = zip(*kept, strict=True) if kept else ((), ())
    return np.array(steps, dtype=np.float64), np.array(values, dtype=np.float64)


def vital_figure(history: VitalHistory, panel: VitalPanel, *, name: str) -> str:
    """Return the vital signs of one panel over the optimiser steps.

    Raises:
        InputError: the run has none of them.
    """
    curves = curves_of(history, panel)
    if not curves:
        raise InputError(f"the run has no {' and no '.join(panel.vitals)} to draw")
    in_percent = all(VITALS[vital].unit == "%" for vital in curves)
    scaled = {vital: (steps, values * (100.0 if in_percent else 1.0)) for vital, (steps, values) in curves.items()}
    every = np.concatenate([values for _, values in scaled.values()])
    logarithmic = panel.may_be_logarithmic and every.min() > 0 and every.max() > _WIDE * every.min()
    last_step = _last_step(history)

    def paint(figure: Figure, axes: Axes) -> None:
        for i, (vital, (steps, values)) in enumerate(scaled.items()):
            colour, marker, line = look(i)
            # A handful of points is drawn as what it is.
            dots = {"marker": marker, "markersize": 5} if len(steps) <= 24 else {}
            axes.plot(steps, values, color=colour, linestyle=line, linewidth=1.5, label=VITALS[vital].title, **dots)
        axes.set(xlabel="step", ylabel="%" if in_percent else "", xlim=(0, last_step))
        if logarithmic:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter("{x:g}")
        elif every.min() >= 0:
            axes.set_ylim(0, 1.05 * every.max() or 1.0)
        axes.locator_params(axis="x", nbins=5, integer=True)
        axes.grid(True)
        if len(scaled) > 1:
            figure.legend(loc="outside lower center", ncols=columns)

    titles = [VITALS[vital].title for vital in scaled]
    columns = len(titles) if sum(map(len, titles)) <= _LEGEND_LETTERS else 1
    last = "; ".join(f"{VITALS[vital].title} {values[-1]:.3g}" for vital, (_, values) in scaled.items())
    legend = 0.0 if len(titles) == 1 else 0.1 + 0.21 * len(titles) / columns
    return draw(
        (_SIZE[0], _SIZE[1] + legend), paint, name=name, label=f"{panel.title} over the steps. At the end: {last}."
    )


def _end_of(epoch: int, history: VitalHistory) -> int:
    """Return the last step of an epoch; the last epoch of a run may be cut short."""
    return min(epoch * history.steps_per_epoch, max(history.planned_steps, 1))


def _last_step(history: VitalHistory) -> float:
    ends = [_end_of(epoch.epoch, history) for epoch in history.epochs]
    return float(max([1, *history.steps.tolist(), *ends]))


def distance_figure(histogram: DistanceHistogram, *, name: str = "distances") -> str:
    """Return how far pairs of one speaker and pairs of two lie apart, each as the share of its kind in every bin."""
    sides = (
        (f"one speaker, {histogram.same_pairs:,} pairs", histogram.same),
        (f"two speakers, {histogram.different_pairs:,} pairs", histogram.different),
    )
    axis = _SPACES.get(histogram.space, "distance")
    label = f"Histograms of {histogram.same_pairs} same-speaker and {histogram.different_pairs} other distances."
    titles = (axis, "share of the pairs in a bin, %")
    return draw_shares(_HISTOGRAM_SIZE, sides, histogram.edges, titles=titles, name=name, label=label)


def radius_figure(histogram: RadiusHistogram, *, name: str = "radii") -> str:
    """Return how far the embeddings lie from the origin."""
    axis = "radius of the point over that of the ball" if histogram.on_ball else "length of the raw embedding"
    sides = ((f"{histogram.recordings:,} recordings", histogram.shares),)
    label = f"Histogram of the {axis}, {histogram.recordings} recordings."
    titles = (axis, "share of the recordings in a bin, %")
    return draw_shares(_HISTOGRAM_SIZE, sides, histogram.edges, titles=titles, name=name, label=label)
