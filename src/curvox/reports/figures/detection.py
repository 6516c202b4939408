"""Figures of systems as inline SVG: DET curves, error rates, learning curves, embeddings in a disk, scores.

``name`` stands before every id in a figure; figures on one page need different names.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from curvox.errors import InputError
from curvox.metrics import Evaluation, bayes_threshold, probit
from curvox.reports.figures.drawing import (
    GRID,
    INK,
    MARKERS,
    OTHER,
    SERIES,
    draw,
    draw_shares,
    empty_disk,
    legend_handle,
    look,
    name_rows,
    plain,
)
from curvox.reports.results import DiskPicture, SystemResult
from curvox.reports.tables.evaluation import figure_cell, groups_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

ALL_TRIALS = "all trials"

_RATES = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.98, 0.99)
_LOWEST_RATE = _RATES[0]
_HIGHEST_COST = 1.5


def det_figure(systems: Sequence[SystemResult], *, name: str = "det") -> str:
    """Return the DET curves of the systems that have one, each with its equal error rate marked.

    Raises:
        InputError: no system has a curve.
    """
    drawn = [(i, system) for i, system in enumerate(systems) if system.evaluation.det]
    if not drawn:
        raise InputError("no system has a DET curve to draw")
    titles = [f"{system.title}: EER {figure_cell(system.evaluation, 'eer').value} %" for _, system in drawn]
    low, high = _det_limits([eer.value for _, system in drawn if (eer := system.evaluation.figure("eer"))])
    ticks = _det_ticks(low, high)
    ends = (float(probit(low)), float(probit(high)))

    def paint(figure: Figure, axes: Axes) -> None:
        axes.plot(ends, ends, color=GRID, linewidth=1, zorder=1)
        for i, system in drawn:
            _det_curve(axes, system.evaluation, i)
        axes.set(xlim=ends, ylim=ends, aspect="equal", xlabel="false acceptance, %", ylabel="false rejection, %")
        labels = [f"{100 * rate:g}" for rate in ticks]
        axes.set_xticks(probit(ticks), labels)
        axes.set_yticks(probit(ticks), labels)
        axes.grid(True)
        _legend(figure, titles, [_handle(i) for i, _ in drawn])

    return draw((5.0, 5.0 + _legend_height(titles)), paint, name=name, label=f"DET curves. {'; '.join(titles)}.")


def eer_figure(systems: Sequence[SystemResult], *, name: str = "eer") -> str:
    """Return the equal error rates with their intervals, on all trials and in every group, a row for each system.

    A row without a figure says why, once for a group without any.
    """
    bands: list[str | None] = [None, *groups_of(systems)]
    step = len(systems) + 1
    names = [fill(plain(ALL_TRIALS if group is None else group), 16) for group in bands]
    # A band is as high as its rows, or as its name where that is folded more often.
    row_in = 0.17 * max(1.0, (1.4 + max(name.count("\n") for name in names)) / step)
    parts = [part for system in systems for part in (system.evaluation, *system.evaluation.groups.values())]
    highest = max(map(_upper_end, parts), default=0.0)

    def paint(figure: Figure, axes: Axes) -> None:
        for place, group in enumerate(bands):
            _eer_band(axes, [system.part(group) for system in systems], place * step)
            if place:
                axes.axhline(place * step - 1, color=GRID, linewidth=0.8)
        middles = [place * step + (len(systems) - 1) / 2 for place in range(len(bands))]
        name_rows(axes, middles, names)
        axes.set(xlim=(0, 105 * highest or 1.0), ylim=(len(bands) * step - 1, -1), xlabel="equal error rate, %")
        _legend(figure, titles, [_handle(i) for i in range(len(systems))])

    titles = [system.title for system in systems]
    height = 0.8 + row_in * len(bands) * step + _legend_height(titles)
    pooled = "; ".join(f"{system.title}: {figure_cell(system.evaluation, 'eer')}" for system in systems)
    return draw((5.0, height), paint, name=name, label=f"Equal error rates in percent. On all trials: {pooled}.")


def loss_figure(systems: Sequence[SystemResult], *, name: str = "loss") -> str:
    """Return the mean training loss of every epoch.

    Raises:
        InputError: no system has a history of it.
    """
    return _learning_curves(systems, "loss", 1.0, "training loss", name)


def dev_eer_figure(systems: Sequence[SystemResult], *, name: str = "dev-eer") -> str:
    """Return the equal error rate on the dev trials after every epoch.

    Raises:
        InputError: no system has a history of it.
    """
    return _learning_curves(systems, "dev_eer", 100.0, "EER on dev trials, %", name)


def accents_by_size(pictures: Sequence[DiskPicture]) -> tuple[str, ...]:
    """Return the accent groups of all pictures, those of most points first, to colour several pictures alike."""
    sizes = Counter(accent for picture in pictures for accent in picture.accents)
    return tuple(sorted(sizes, key=lambda accent: (-sizes[accent], accent)))


def disk_figure(picture: DiskPicture, *, accents: Sequence[str] = (), name: str = "disk", title: str = "") -> str:
    """Return the points in the Poincaré disk, coloured by accent group, marked by gender.

    The circles lie at hyperbolic distances 1 to 5 from the centre (c = 1). Faint straight lines join the utterances of
    a speaker in the order given.

    Args:
        picture: what to draw.
        accents: groups in the order of colours, those past the seventh share a grey; those of the picture if empty.
        name: stands before the ids.
        title: whose embeddings they are, for a screen reader.
    """
    order = list(dict.fromkeys([*accents, *accents_by_size([picture])]))
    colours = {accent: SERIES[i] if i < len(SERIES) else OTHER for i, accent in enumerate(order)}
    markers = {gender: MARKERS[i % len(MARKERS)] for i, gender in enumerate(sorted(set(picture.genders)))}

    def paint(figure: Figure, axes: Axes) -> None:
        empty_disk(axes, [math.tanh(distance / 2) for distance in (1, 2, 3, 4, 5)])
        _speaker_lines(axes, picture, colours)
        kinds = list(zip(picture.accents, picture.genders, strict=True))
        for accent, gender in sorted(set(kinds), key=lambda kind: (order.index(kind[0]), kind[1])):
            x, y = picture.points[[kind == (accent, gender) for kind in kinds]].T
            axes.plot(x, y, linestyle="none", marker=markers[gender], color=colours[accent], markersize=5.5, zorder=3)
        _disk_legend(figure, [accent for accent in order if accent in picture.accents], colours, markers)

    label = (
        f"{title or 'Embeddings'} in the Poincaré disk: {len(picture.points)} utterances of "
        f"{len(set(picture.speakers))} speakers, stress {picture.stress:.3f}."
    )
    return draw((4.6, 5.4), paint, name=name, label=label)


def _det_limits(eers: list[float]) -> tuple[float, float]:
    """Choose ticks around the equal error rates so that the curves fill the square."""
    low = max((rate for rate in _RATES[:7] if rate <= min(eers, default=0.0) / 8), default=_LOWEST_RATE)
    high = min((rate for rate in _RATES[10:] if rate >= 4 * max(eers, default=1.0)), default=_RATES[-1])
    return low, high


def _det_ticks(low: float, high: float) -> list[float]:
    """Return the rates to label, so far apart that their labels do not touch."""
    gap = float(probit(high) - probit(low)) / 12
    ticks: list[float] = []
    for rate in _RATES:
        if low <= rate <= high and (not ticks or probit(rate) - probit(ticks[-1]) >= gap):
            ticks.append(rate)
    return ticks


def _det_curve(axes: Axes, evaluation: Evaluation, i: int) -> None:
    colour, marker, line = look(i)
    if evaluation.det:
        axes.plot(*evaluation.det.deviates(_LOWEST_RATE), color=colour, linestyle=line, zorder=2)
    if eer := evaluation.figure("eer"):
        place = [float(probit(min(max(eer.value, _LOWEST_RATE), 1 - _LOWEST_RATE)))]
        axes.plot(place, place, color=colour, linestyle="none", marker=marker, markersize=9, clip_on=False, zorder=4)


def _upper_end(evaluation: Evaluation) -> float:
    eer = evaluation.figure("eer")
    if eer is None:
        return 0.0
    return max(eer.value, eer.interval.high if eer.interval else 0.0)


def _eer_band(axes: Axes, parts: list[Evaluation | None], top: int) -> None:
    reasons = [plain(figure_cell(part, "eer").reason) for part in parts]
    if reasons[0] and len(set(reasons)) == 1:
        _reason(axes, reasons[0], top + (len(parts) - 1) / 2)
        return
    for i, part in enumerate(parts):
        colour, marker, _ = look(i)
        eer = part and part.figure("eer")
        if eer is None:
            _reason(axes, reasons[i], top + i)
            continue
        if eer.interval:
            ends = [100 * eer.interval.low, 100 * eer.interval.high]
            axes.plot(ends, [top + i, top + i], color=colour, solid_capstyle="butt", zorder=2)
        axes.plot([100 * eer.value], [top + i], color=colour, marker=marker, clip_on=False, zorder=3)


def _reason(axes: Axes, reason: str, y: float) -> None:
    axes.annotate(reason, (0, y), (4, 0), textcoords="offset points", va="center", fontsize=9)


def _learning_curves(
    systems: Sequence[SystemResult], field: Literal["loss", "dev_eer"], unit: float, title: str, name: str
) -> str:
    curves: list[tuple[int, list[int], list[float]]] = []
    for i, system in enumerate(systems):
        known = [(record.epoch, value) for record in system.history if (value := getattr(record, field)) is not None]
        if known:
            curves.append((i, [epoch for epoch, _ in known], [unit * value for _, value in known]))
    if not curves:
        raise InputError(f"no system has a history of its {title}")

    def paint(figure: Figure, axes: Axes) -> None:
        for i, epochs, values in curves:
            colour, marker, line = look(i)
            axes.plot(epochs, values, color=colour, linestyle=line, marker=marker, markersize=5)
        axes.set(xlabel="epoch", ylabel=title)
        if all(value >= 0 for _, _, values in curves for value in values):
            axes.set_ylim(bottom=0)
        axes.locator_params(axis="x", integer=True)
        axes.grid(True)
        _legend(figure, titles, [_handle(i) for i, _, _ in curves])

    titles = [systems[i].title for i, _, _ in curves]
    last = "; ".join(f"{systems[i].title}: {values[-1]:.2f}" for i, _, values in curves)
    return draw(
        (5.0, 3.7 + _legend_height(titles)), paint, name=name, label=f"{title} by epoch. In the last one, {last}."
    )


def _speaker_lines(axes: Axes, picture: DiskPicture, colours: dict[str, str]) -> None:
    chosen: dict[tuple[str, str, str], list[int]] = {}
    for i, path in enumerate(zip(picture.genders, picture.accents, picture.speakers, strict=True)):
        chosen.setdefault(path, []).append(i)
    for (_, accent, _), numbers in chosen.items():
        x, y = picture.points[np.array(numbers)].T
        axes.plot(x, y, color=colours[accent], linewidth=0.6, alpha=0.4, zorder=2)


def _disk_legend(figure: Figure, accents: list[str], colours: dict[str, str], markers: dict[str, str]) -> None:
    named = [accent for accent in accents if colours[accent] != OTHER]
    entries = [(accent, legend_handle(colours[accent], "o")) for accent in named]
    if len(named) < len(accents):
        entries.append((f"{len(accents) - len(named)} more", legend_handle(OTHER, "o")))
    entries += [(gender, legend_handle(INK, marker)) for gender, marker in markers.items()]
    _legend(figure, [label for label, _ in entries], [mark for _, mark in entries], columns=3)


def _handle(i: int) -> Line2D:
    """Return the line and mark of the i-th system, for a legend."""
    colour, marker, line = look(i)
    return legend_handle(colour, marker, line)


def _columns(labels: list[str], columns: int = 2) -> int:
    return columns if max(map(len, labels)) <= 56 // columns else 1


def _legend_height(labels: list[str]) -> float:
    """Return the height of a legend in inches."""
    return 0.1 + 0.21 * math.ceil(len(labels) / _columns(labels))


def _legend(figure: Figure, labels: list[str], handles: list[Line2D], columns: int = 2) -> None:
    labels = [plain(label) for label in labels]
    figure.legend(handles, labels, loc="outside lower center", ncols=_columns(labels, columns))


def histogram_figure(evaluation: Evaluation, *, name: str = "histogram") -> str:
    """Return the histograms of target and non-target scores, each as the share of its class in every bin.

    Raises:
        InputError: the evaluation has no histogram.
    """
    histogram = evaluation.histogram
    if histogram is None:
        raise InputError("the evaluation has no histogram to draw")
    sides = [
        (f"targets, {evaluation.targets:,}", _shares(histogram.targets)),
        (f"non-targets, {evaluation.non_targets:,}", _shares(histogram.non_targets)),
    ]
    eer = evaluation.figure("eer")
    threshold = math.inf if eer is None or eer.threshold is None else eer.threshold

    def also(axes: Axes) -> None:
        if math.isfinite(threshold):
            axes.axvline(threshold, color=INK, linewidth=1, linestyle=(0, (1, 1.5)), label="point of equal error rates")

    score = "log-likelihood ratio" if evaluation.llrs else "score, larger for the same speaker"
    label = f"Histograms of {evaluation.targets} target and {evaluation.non_targets} non-target scores."
    titles = (score, "share of the class in a bin, %")
    edges = np.array(histogram.edges)
    return draw_shares((5.0, 4.2), sides, edges, titles=titles, name=name, label=label, also=also)


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


def _shares(counts: tuple[float, ...]) -> NDArray[np.float64]:
    heights = np.array(counts, dtype=np.float64)
    return heights / max(float(heights.sum()), np.finfo(np.float64).tiny)
