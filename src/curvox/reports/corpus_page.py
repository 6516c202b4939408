"""The page of a corpus: what is wrong with it, how it is shared out among speakers, and how its recordings are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from curvox.diagnosis import BADNESS, KINDS, CorpusProblem
from curvox.evaluating import installed_versions
from curvox.reports.corpus_pictures import balance_figure, corpus_histogram, rates_figure
from curvox.reports.page import PageFigure, page_template
from curvox.reports.tables import NOTHING, count, duration

if TYPE_CHECKING:
    from curvox.diagnosis import CorpusExamination, CorpusFigures, SplitBalance

MOST_SHOWN = 50
"""Problems of one kind that stand on the page; the others are in the JSON."""


def render_corpus_page(
    examination: CorpusExamination,
    *,
    name: str,
    command: str = "",
    versions: Sequence[tuple[str, str]] | None = None,
) -> str:
    """Return the HTML of an examination; it needs nothing else, and the same input gives the same text.

    Args:
        examination: what was found.
        name: of the corpus.
        command: how it was made; "" where no command did.
        versions: of the packages; default those installed.
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
        "command": command,
        "versions": installed_versions() if versions is None else versions,
    }
    return page_template("corpus.html.jinja").render(values)


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
