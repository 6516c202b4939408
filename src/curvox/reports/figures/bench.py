"""Figures of a bench as inline SVG: forest plots, learning curves, error rate against measures of the tree.

A space has a colour and a mark of its own, the same in all of them. ``name`` stands before every id in a figure;
figures on one page need different names.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from textwrap import fill, shorten
from typing import TYPE_CHECKING

import numpy as np

from curvox.errors import InputError
from curvox.reports.figures.drawing import GRID, INK, OTHER, PAPER, SERIES, draw, legend_handle, name_rows, plain
from curvox.reports.tables.bench import SCORERS, SPACES, tree_title
from curvox.reports.tables.tables import percent, percent_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    from curvox.bench import Leaderboard, PairedTest, RunRecord, SettingFigures
    from curvox.metrics import Interval

_LOOKS = {"hypersphere": (SERIES[0], "o"), "poincare_ball": (SERIES[1], "D"), "euclidean": (SERIES[2], "s")}
_WIDTH = 9.0
_ROW = 0.27
_LETTERS = 46
_COLUMNS = 4
_PANEL_LETTERS = 30
_CERTAIN = 0.05


def forest_figure(board: Leaderboard, scorer: str, *, name: str = "forest") -> str:
    """Return the mean EER of every setting: a mark, its interval as a bar, and a small dot for each seed.

    Raises:
        InputError: no setting has scores by this scorer.
    """
    rows = board.by(scorer)
    if not rows:
        raise InputError(f"no setting is scored by {scorer}")

    def paint(figure: Figure, axes: Axes) -> None:
        for place, row in enumerate(rows):
            colour, marker = _look(row.space)
            _bar(axes, row.interval, place, colour)
            axes.plot(_percent(*row.eers), [place + 0.27] * len(row.eers), color=colour, linestyle="none", marker=".")
            _mark(axes, 100 * row.eer, place, colour, marker)
        best = 100 * rows[0].eer
        axes.axvline(best, color=GRID, linewidth=1, zorder=0)
        _rows(axes, [f"{place}. {row.title}" for place, row in enumerate(rows, start=1)])
        axes.set(xlabel=f"equal error rate by {SCORERS.get(scorer, scorer)}, %")
        axes.set_xlim(left=max(0.0, axes.get_xlim()[0]))
        _legend(figure, rows, {"a seed": legend_handle(INK, ".")})

    label = "; ".join(f"{row.title}: {percent(row.eer)} {percent_interval(row.interval)}" for row in rows)
    return draw((_WIDTH, 1.1 + _ROW * len(rows)), paint, name=name, label=f"Mean equal error rates, %. {label}.")


def difference_figure(board: Leaderboard, scorer: str, *, name: str = "differences") -> str:
    """Return the paired differences from the rival: filled marks where Holm's p is below 0.05.

    Raises:
        InputError: there are no tests against the rival by this scorer.
    """
    tests = [test for test in board.tests if test.scorer == scorer and test.first == board.rival]
    if not tests:
        raise InputError(f"no setting is tested against a rival by {scorer}")
    rows = {row.setting: row for row in board.by(scorer)}

    def paint(figure: Figure, axes: Axes) -> None:
        axes.axvline(0, color=INK, linewidth=1, zorder=1)
        for place, test in enumerate(tests):
            colour, marker = _look(rows[test.second].space)
            _bar(axes, test.eer.interval, place, colour)
            _mark(axes, 100 * test.eer.difference, place, colour, marker, filled=is_certain(test))
        _rows(axes, [rows[test.second].title for test in tests])
        rival = plain(rows[tests[0].first].title)
        axes.set(xlabel=f"better   ←   points of EER less {rival}   →   worse")
        hollow = legend_handle(INK, "o", face=PAPER, edge=INK, edge_width=1.6)
        more = {"Holm's p below 0.05": legend_handle(INK, "o"), "not": hollow}
        _legend(figure, [rows[test.second] for test in tests], more)

    label = "; ".join(f"{rows[test.second].title}: {_signed(test)}" for test in tests)
    return draw((_WIDTH, 1.1 + _ROW * len(tests)), paint, name=name, label=f"Differences of mean EER. {label}.")


def curves_figure(board: Leaderboard, scorer: str, records: Sequence[RunRecord], *, name: str = "curves") -> str:
    """Return a small picture for each setting: its EER on the dev trials by epoch, before all the others in grey.

    The line is the mean over the seeds that have the epoch, the band reaches from the lowest to the highest.

    Raises:
        InputError: no run has a dev EER on record.
    """
    rows = board.by(scorer)
    curves = {row.setting: curve for row in rows if (curve := _curve(records, row.setting))}
    if not curves:
        raise InputError("no run has an EER on dev trials on record")
    shown = [row for row in rows if row.setting in curves]
    columns = min(_COLUMNS, len(shown))
    lines = math.ceil(len(shown) / columns)
    last = max(max(curve) for curve in curves.values())
    high = min(50.0, 105 * max(max(values) for curve in curves.values() for values in curve.values()))

    def paint(figure: Figure, axes: Axes) -> None:
        axes.remove()
        panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
        for panel in panels.flat[len(shown) :]:
            panel.set_axis_off()
        for place, row in enumerate(shown):
            panel = panels.flat[place]
            for other in curves.values():
                panel.plot(list(other), [100 * np.mean(v) for v in other.values()], color=GRID, linewidth=0.7)
            _panel(panel, curves[row.setting], row, place + 1)
            panel.set(xlim=(0.5, last + 0.5), ylim=(0, high))
            if place + columns >= len(shown):
                panel.tick_params(labelbottom=True)
        figure.supxlabel("epoch", fontsize=11)
        figure.supylabel("EER on the dev trials, %", fontsize=11)

    ends = "; ".join(f"{row.title}: {percent(float(np.mean(list(curves[row.setting].values())[-1])))}" for row in shown)
    label = f"EER on dev trials by epoch, mean over seeds. In the last epoch, {ends}."
    return draw((_WIDTH, 0.6 + 1.7 * lines), paint, name=name, label=label)


def tree_figure(board: Leaderboard, scorer: str, kind: tuple[str, str | None], *, name: str) -> str:
    """Return the mean EER of every setting against a measure of the tree, numbered as in the ranking.

    Raises:
        InputError: no setting has this measure.
    """
    rows = board.by(scorer)
    known = [(rank, row, mean) for rank, row in enumerate(rows, start=1) if (mean := row.measure(*kind))]
    points = [(rank, row, mean.value, mean.interval) for rank, row, mean in known if mean.value is not None]
    if not points:
        raise InputError(f"no setting has the measure {kind[0]} of the tree")

    def paint(figure: Figure, axes: Axes) -> None:
        for rank, row, value, interval in points:
            colour, marker = _look(row.space)
            eer = 100 * row.eer
            axes.plot(
                [value] * 2, _percent(row.interval.low, row.interval.high), color=colour, linewidth=0.7, alpha=0.5
            )
            if interval is not None:
                axes.plot([interval.low, interval.high], [eer, eer], color=colour, linewidth=0.7, alpha=0.5)
            _mark(axes, value, eer, colour, marker)
            axes.annotate(str(rank), (value, eer), (5, 4), textcoords="offset points", fontsize=9)
        axes.set(xlabel=plain(tree_title(rows, kind)), ylabel="equal error rate, %")
        axes.grid(True)
        _legend(figure, [row for _, row, _, _ in points], {})

    label = "; ".join(f"{row.title}: {value:.3f}, EER {percent(row.eer)}" for _, row, value, _ in points)
    return draw((5.0, 4.4), paint, name=name, label=f"{tree_title(rows, kind)} against EER. {label}.")


def is_certain(test: PairedTest) -> bool:
    """Say whether a difference is told from 0 after Holm's correction."""
    return test.p_corrected is not None and test.p_corrected < _CERTAIN


def _look(space: str) -> tuple[str, str]:
    return _LOOKS.get(space, (OTHER, "^"))


def _percent(*rates: float) -> list[float]:
    return [100 * rate for rate in rates]


def _signed(test: PairedTest) -> str:
    low, high = _percent(test.eer.interval.low, test.eer.interval.high)
    return f"{100 * test.eer.difference:+.2f} [{low:+.2f}, {high:+.2f}]"


def _mark(axes: Axes, x: float, y: float, colour: str, marker: str, *, filled: bool = True) -> None:
    face, edge = (colour, PAPER) if filled else (PAPER, colour)
    axes.plot(
        [x], [y], color=colour, marker=marker, markersize=7.5, markerfacecolor=face, markeredgecolor=edge,
        markeredgewidth=0.6 if filled else 1.6, zorder=4,
    )  # fmt: skip


def _bar(axes: Axes, interval: Interval, place: float, colour: str) -> None:
    axes.plot(_percent(interval.low, interval.high), [place, place], color=colour, linewidth=2.2)


def _rows(axes: Axes, titles: Sequence[str]) -> None:
    name_rows(axes, range(len(titles)), [shorten(plain(title), _LETTERS, placeholder=" …") for title in titles])
    axes.set_ylim(len(titles) - 0.4, -0.7)


def _legend(figure: Figure, rows: Sequence[SettingFigures], more: Mapping[str, Line2D]) -> None:
    """Put the spaces of settings below a figure, and ``more`` entries behind them."""
    there = {row.space for row in rows}
    shown = [*(space for space in _LOOKS if space in there), *sorted(there - set(_LOOKS))]
    spaces = {SPACES.get(space, space): legend_handle(*_look(space), "-") for space in shown}
    entries = {**spaces, **more}
    figure.legend(list(entries.values()), list(map(plain, entries)), loc="outside lower center", ncols=len(entries))


def _curve(records: Sequence[RunRecord], setting: str) -> dict[int, list[float]]:
    """Return the dev EERs of the seeds of a setting, epoch by epoch."""
    found: dict[int, list[float]] = {}
    for record in records:
        for epoch in record.history if record.setting == setting else ():
            if epoch.dev_eer is not None:
                found.setdefault(epoch.epoch, []).append(epoch.dev_eer)
    return dict(sorted(found.items()))


def _panel(panel: Axes, curve: dict[int, list[float]], row: SettingFigures, rank: int) -> None:
    colour, _ = _look(row.space)
    epochs = list(curve)
    low, mean, high = (_percent(*(float(of(v)) for v in curve.values())) for of in (np.min, np.mean, np.max))
    panel.fill_between(epochs, low, high, color=colour, alpha=0.25, linewidth=0)
    panel.plot(epochs, mean, color=colour, linewidth=1.6)
    title = shorten(plain(f"{rank}. {row.title}"), 2 * _PANEL_LETTERS, placeholder=" …")
    panel.set_title(fill(title, _PANEL_LETTERS), fontsize=9, loc="left")
    panel.tick_params(labelsize=8)
    panel.locator_params(axis="x", integer=True, nbins=4)
    panel.grid(True)
