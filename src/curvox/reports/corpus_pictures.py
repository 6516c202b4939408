"""Figures of a corpus as inline SVG: histograms by split, sampling rates, and recordings shared out among speakers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from curvox.reports.drawing import GRID, SERIES, draw, look, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from curvox.diagnosis import CorpusHistogram, SplitBalance

_SIZE = (4.6, 3.3)
_MOST_SPLITS = 6
_SPARSE = 24
_TICKS = [step * 10.0**power for power in range(-2, 6) for step in (1, 2, 5)]


def corpus_histogram(
    histogram: CorpusHistogram, *, name: str, axis: str, factor: float = 1.0, logarithmic: bool = False
) -> str:
    """Return a histogram with one outline a split, as the share of the split's recordings in every bin.

    Args:
        histogram: what to draw; the first six splits are.
        name: stands before every id in the figure.
        axis: title of the horizontal axis.
        factor: what the edges are multiplied with, for instance 100 for per cent.
        logarithmic: whether the horizontal axis is.
    """
    drawn = [(split, counts) for split, counts in histogram.counts.items() if counts.sum()][:_MOST_SPLITS]
    edges = factor * histogram.edges

    def paint(figure: Figure, axes: Axes) -> None:
        for i, (split, counts) in enumerate(drawn):
            shares, line = 100 * counts / counts.sum(), look(i).line
            axes.stairs(shares, edges, color=SERIES[i], fill=True, alpha=0.2, linewidth=0)
            axes.stairs(shares, edges, color=SERIES[i], linestyle=line, linewidth=1.4, label=_title(split, counts))
        if logarithmic:
            axes.set_xscale("log")
            if edges[-1] < 100 * edges[0]:
                axes.set_xticks([t for t in _TICKS if edges[0] <= t <= edges[-1]])
            axes.xaxis.set_major_formatter("{x:g}")
            axes.xaxis.set_minor_formatter("")
        axes.set(xlabel=axis, ylabel="share of the recordings, %", xlim=(edges[0], edges[-1]))
        axes.set_ylim(bottom=0)
        axes.grid(True, axis="y", color=GRID)
        figure.legend(loc="outside lower center", ncols=3)

    sizes = "; ".join(_title(split, counts) for split, counts in drawn)
    return draw(_SIZE, paint, name=name, label=f"Histogram of the {axis}. {sizes}.")


def balance_figure(balances: Sequence[SplitBalance], *, name: str = "balance") -> str:
    """Return the utterances of each speaker, from the one with most to the one with fewest, a curve a split."""
    drawn = list(balances)[:_MOST_SPLITS]

    def paint(figure: Figure, axes: Axes) -> None:
        for i, balance in enumerate(drawn):
            places = np.linspace(0, 100, len(balance.shares)) if len(balance.shares) > 1 else np.array([50.0])
            colour, marker, line = look(i)
            dots = {"marker": marker, "markersize": 5} if len(balance.shares) <= _SPARSE else {}
            label = f"{plain(balance.split) or 'all'}, {balance.speakers:,}"
            axes.plot(places, balance.shares, color=colour, linestyle=line, label=label, **dots)
        most = max(balance.most for balance in drawn)
        if most > 20 * min(balance.fewest for balance in drawn):
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter("{x:g}")
            axes.set_ylim(bottom=0.8)
        else:
            axes.set_ylim(0, 1.08 * most)
            axes.locator_params(axis="y", integer=True)
        axes.set(xlabel="speakers, from the one with most on, %", ylabel="utterances of the speaker", xlim=(0, 100))
        axes.grid(True, color=GRID)
        figure.legend(loc="outside lower center", ncols=3)

    spoken = "; ".join(f"{b.split or 'all'}: {b.fewest} to {b.most}, median {b.median:g}" for b in drawn)
    return draw(_SIZE, paint, name=name, label=f"Utterances of each speaker. {plain(spoken)}.")


def rates_figure(rates_hz: Mapping[int, int], *, name: str = "rates") -> str:
    """Return how many recordings have which sampling rate, as bars with their numbers."""
    rates = [f"{rate / 1000:g} kHz" for rate in rates_hz]
    counts = list(rates_hz.values())

    def paint(figure: Figure, axes: Axes) -> None:
        bars = axes.barh(rates, counts, color=SERIES[0], height=0.6)
        axes.bar_label(bars, [f"{count:,}" for count in counts], padding=4)
        axes.set(xlabel="recordings", xlim=(0, 1.25 * max(counts)))
        axes.set_ylim(len(rates) - 0.4, -0.6)
        axes.locator_params(axis="x", nbins=5, integer=True)
        axes.grid(True, axis="x", color=GRID)

    label = "; ".join(f"{rate}: {count}" for rate, count in zip(rates, counts, strict=True))
    return draw((_SIZE[0], 1.1 + 0.45 * len(rates)), paint, name=name, label=f"Sampling rates. {label}.")


def _title(split: str, counts: np.ndarray) -> str:
    return f"{plain(split) or 'all'}, {int(counts.sum()):,}"
