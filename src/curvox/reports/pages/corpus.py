"""The page of a corpus: what is wrong with it, how it is shared out among speakers, and how its recordings are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from curvox.diagnosis import BADNESS, KINDS, CorpusProblem
from curvox.reports.figures.drawing import SERIES, draw, draw_shares, look, plain
from curvox.reports.pages.page import PageFigure, fill_page
from curvox.reports.tables.tables import NOTHING, count, duration

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from curvox.diagnosis import CorpusExamination, CorpusFigures, CorpusHistogram, SplitBalance

_SIZE = (4.6, 3.3)
_MOST_SPLITS = 6
_SPARSE = 24
_TICKS = [step * 10.0**power for power in range(-2, 6) for step in (1, 2, 5)]
MOST_SHOWN = 50
"""Problems of one kind that stand on the page; the others are in the JSON."""


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

    def stretch(axes: Axes) -> None:
        axes.set_xscale("log")
        if edges[-1] < 100 * edges[0]:
            axes.set_xticks([t for t in _TICKS if edges[0] <= t <= edges[-1]])
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("")

    sides = [(f"{plain(split) or 'all'}, {int(counts.sum()):,}", counts / counts.sum()) for split, counts in drawn]
    label = f"Histogram of the {axis}. {'; '.join(title for title, _ in sides)}."
    also, titles = stretch if logarithmic else None, (axis, "share of the recordings, %")
    return draw_shares(_SIZE, sides, edges, titles=titles, name=name, label=label, alpha=0.2, columns=3, also=also)


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
        axes.grid(True)
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
        axes.grid(True, axis="x")

    label = "; ".join(f"{rate}: {count}" for rate, count in zip(rates, counts, strict=True))
    return draw((_SIZE[0], 1.1 + 0.45 * len(rates)), paint, name=name, label=f"Sampling rates. {label}.")


def render_corpus_page(
    examination: CorpusExamination,
    *,
    name: str,
    command: str = "",
    versions: Sequence[tuple[str, str]] | None = None,
) -> str:
    """Return the HTML of an examination; the same input gives the same text.

    Args:
        examination: what was found.
        name: of the corpus.
        command: the command line that makes this page again.
        versions: of the packages, as (name, version); default those installed.
    """
    counts = examination.counts
    worst = next((badness for badness in BADNESS if counts[badness]), "none")
    values = {
        "title": f"Corpus {name}",
        "subtitle": _subtitle(examination),
        "worst": worst,
        "verdict": _verdict(examination),
        "audio": examination.facts is not None,
        "kinds": list(_kinds(examination.problems)),
        "balances": [_balance_row(balance) for balance in examination.figures.balances],
        "figures": list(_figures(examination.figures)),
        "formats": [(form, count(number)) for form, number in examination.figures.formats.items()],
        "channels": [(str(channels), count(number)) for channels, number in examination.figures.channels.items()],
    }
    return fill_page("corpus", values, command=command, versions=versions)


def _subtitle(examination: CorpusExamination) -> str:
    report, balances = examination.report, examination.figures.balances
    lengths_s = [balance.duration_s for balance in balances if balance.duration_s is not None]
    length = duration(sum(lengths_s)) if lengths_s and len(lengths_s) == len(balances) else "length unknown"
    return (
        f"{count(report.speakers)} speakers, {count(report.utterances)} utterances, {length}; format {report.format}."
    )


def _verdict(examination: CorpusExamination) -> str:
    counts = examination.counts
    parts = [f"{count(counts[b])} {b}{'s' if counts[b] != 1 else ''}" for b in BADNESS if counts[b]]
    return ", ".join(parts).capitalize() if parts else "Nothing is wrong with it"


def _kinds(problems: Sequence[CorpusProblem]) -> Iterator[dict[str, Any]]:
    for kind, (_, title) in KINDS.items():
        own = [problem for problem in problems if problem.kind == kind]
        if own:
            yield {
                "kind": kind,
                "badness": own[0].badness,
                "title": f"{title[0].upper()}{title[1:]}",
                "count": count(len(own)),
                "rows": [(problem.where or NOTHING, problem.message) for problem in own[:MOST_SHOWN]],
                "more": count(len(own) - MOST_SHOWN) if len(own) > MOST_SHOWN else "",
            }


def _balance_row(balance: SplitBalance) -> tuple[str, ...]:
    seconds = (balance.least_s, balance.median_s, balance.most_s)
    return (
        balance.split or "all",
        count(balance.speakers),
        count(balance.utterances),
        NOTHING if balance.sessions is None else count(balance.sessions),
        duration(balance.duration_s) if balance.duration_s is not None else NOTHING,
        f"{count(balance.fewest)} / {balance.median:g} / {count(balance.most)}",
        " / ".join(duration(s or 0.0) for s in seconds) if balance.duration_s is not None else NOTHING,
        count(balance.one_utterance),
        NOTHING if balance.one_session is None else count(balance.one_session),
    )


def _figures(figures: CorpusFigures) -> Iterator[PageFigure]:
    if figures.balances:
        caption = "The flatter the curve, the more evenly training hears its speakers."
        yield PageFigure(balance_figure(figures.balances), "Utterances of each speaker", caption)
    if figures.durations_s is not None:
        svg = corpus_histogram(figures.durations_s, name="durations", axis="duration, s", logarithmic=True)
        yield PageFigure(svg, "Durations", "Of every utterance, as it was decoded.")
    if figures.levels_db is not None:
        svg = corpus_histogram(figures.levels_db, name="levels", axis="level, dB of full scale")
        caption = "Mean power. Speech is recorded at −35 to −15 dB; what is quieter than −80 dB stands there."
        yield PageFigure(svg, "Levels", caption)
    if figures.silence is not None:
        svg = corpus_histogram(figures.silence, name="silence", axis="share that is not speech, %", factor=100.0)
        yield PageFigure(svg, "Silence", "By energy. At 100 % nothing that could be speech was found.")
    if figures.clipping is not None:
        svg = corpus_histogram(
            figures.clipping, name="clipping", axis="clipped samples, %", factor=100.0, logarithmic=True
        )
        caption = f"Of recordings with any; {count(figures.unclipped)} have none. From 0.5 % on it is audible."
        yield PageFigure(svg, "Clipping", caption)
    if figures.rates_hz:
        caption = "As the files have them. Training converts all to one."
        yield PageFigure(rates_figure(figures.rates_hz), "Sampling rates", caption)
