"""The page of a bench: the ranking with its intervals, paired tests, curves, the tree, cost and vital signs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from curvox.errors import InputError
from curvox.reports.figures.bench import curves_figure, difference_figure, forest_figure, is_certain, tree_figure
from curvox.reports.pages.page import PageFigure, fill_page
from curvox.reports.tables.bench import SCORERS, bench_tables, how, missing_lines, tree_kinds, tree_title
from curvox.reports.tables.tables import count, percent, percent_interval

if TYPE_CHECKING:
    from curvox.bench import BenchResults, Leaderboard, PairedTest

PAPERS = (
    "bouthillier2021variance",
    "bisani2004bootstrap",
    "satterthwaite1946variance",
    "welch1947generalization",
    "holm1979sequentially",
)
"""BibTeX keys of what the intervals and tests are made of."""

_FOREST = (
    "Large mark: mean over the seeds. Bar: {level:g} % interval over speakers and seeds, over speakers alone where "
    "there is one seed. Small dots: the seeds. The line stands at the lowest mean. Bars of two settings may overlap "
    "though they differ: their speakers are the same, and the paired differences below know it."
)
_DIFFERENCES = (
    "Bar: {level:g} % interval of each difference alone, over speakers and seeds. Filled: different from the rival "
    "after Holm's correction for all tests of the table. A side of one seed counts no seeds, so it is never filled."
)
_CURVES = (
    "Line: mean over the seeds. Band: from the best to the worst of them. In grey: all other settings. Scored by the "
    "distance of each loss's own space, as the training does when it keeps its best epoch."
)
_TREES = "Numbers: places in the ranking. Thin lines: both intervals. Lower is better told apart."

_DRAWN = ("purity", "tree_correlation", "map", "distortion", "cophenetic", "delta_relative")
_MOST_DRAWN = 4
_CERTAIN = 0.05


def render_bench_page(
    board: Leaderboard,
    results: BenchResults,
    *,
    scorer: str | None = None,
    command: str = "",
    versions: Sequence[tuple[str, str]] | None = None,
) -> str:
    """Return the HTML of a bench; the same input gives the same text.

    Args:
        board: the figures, by one scorer or by both.
        results: the runs behind them, for learning curves and papers.
        scorer: by which settings are ranked; "cosine" if None, or the only one there is.
        command: the command line that makes this page again.
        versions: of the packages, as (name, version); default those installed.

    Raises:
        InputError: the leaderboard has no figures by this scorer.
    """
    if scorer is None:
        scorer = "cosine" if "cosine" in board.scorers else board.scorers[0]
    if scorer not in board.scorers:
        raise InputError(f'the leaderboard has no figures by "{scorer}", it has {", ".join(board.scorers)}')
    level = 100 * board.level
    values = {
        "title": f"Bench {board.bench}",
        "subtitle": _subtitle(board),
        "summary": list(_summary(board, scorer)),
        "missing": missing_lines(board.missing),
        "tables": bench_tables(board, scorer),
        "ranking": PageFigure(forest_figure(board, scorer), "Mean EER, with its interval", _FOREST.format(level=level)),
        "differences": _differences(board, scorer, level),
        "why_no_tests": board.why_no_tests,
        "curves": _curves(board, results, scorer),
        "trees": list(_trees(board, scorer)),
    }
    machines = "; ".join(dict.fromkeys(record.machine for record in results.records if record.machine))
    facts = [("Intervals", f"{level:g} %; {how(board)}"), *([("Machine", machines)] if machines else [])]
    papers = [*PAPERS, *_papers(results)]
    return fill_page("bench", values, command=command, versions=versions, facts=facts, papers=papers)


def _subtitle(board: Leaderboard) -> str:
    settings = len({row.setting for row in board.rows})
    runs = sum(len(row.seeds) for row in board.by(board.scorers[0]))
    return (
        f"{_settings(settings)}, {count(runs)} runs, on {count(board.trials)} trials of the list {board.list}: "
        f"{count(board.targets)} targets, {count(board.trials - board.targets)} non-targets, "
        f"{count(board.speakers)} speakers."
    )


def _summary(board: Leaderboard, scorer: str) -> Iterator[str]:
    """Say in words who leads, what the dev trials would have chosen, and what the tests can tell."""
    rows, titles = board.by(scorer), {row.setting: row.title for row in board.rows}
    best = rows[0]
    yield (
        f"The lowest mean EER by {SCORERS.get(scorer, scorer)} has {best.title}: {percent(best.eer)} % "
        f"{percent_interval(best.interval)}, over {_seeds(len(best.seeds))}."
    )
    chosen = board.best_on_dev(scorer)
    if chosen is not None:
        other = f"{chosen.title}, with {percent(chosen.eer)} % on the test trials"
        yield f"The dev trials choose {'the same' if chosen.setting == best.setting else other}."
    for name in (scorer, *(other for other in board.scorers if other != scorer)):
        tests = [test for test in board.tests if test.scorer == name and test.first == board.rival]
        if tests and board.rival is not None:
            yield f"Scored by {SCORERS.get(name, name)}: {_verdict(tests, titles[board.rival])}"


def _verdict(tests: Sequence[PairedTest], rival: str) -> str:
    told = [test for test in tests if test.p_corrected is not None]
    if not told:
        return (
            f"{_settings(len(tests))} beside {rival}, none of them tested: one seed does not tell what another gives, "
            "and by itself the difference of two seeds can be as large as that of two losses."
        )
    tests, untold = told, len(tests) - len(told)
    certain = [test for test in tests if is_certain(test)]
    better, worse = (sum((test.eer.difference < 0) is below for test in certain) for below in (True, False))
    return (
        f"of {_settings(len(tests))} tested against {rival}, {_number(better)} better and {_number(worse)} worse, with "
        f"a p below {_CERTAIN:g} after Holm's correction; of {_number(len(tests) - len(certain), verb='')} these "
        "trials and seeds cannot tell."
        + (f" {_settings(untold).capitalize()} more {'has' if untold == 1 else 'have'} one seed alone." * (untold > 0))
    )


def _settings(number: int) -> str:
    return "one setting" if number == 1 else f"{number} settings"


def _number(number: int, verb: str = "is") -> str:
    """Return "none is", "one is", "3 are", or the number alone without a verb."""
    words = {0: "none", 1: "one"}.get(number, str(number))
    return words if not verb else f"{words} {'is' if number < 2 else 'are'}"


def _seeds(number: int) -> str:
    return "one seed" if number == 1 else f"{number} seeds"


def _differences(board: Leaderboard, scorer: str, level: float) -> PageFigure | None:
    if not any(test.scorer == scorer and test.first == board.rival for test in board.tests):
        return None
    svg = difference_figure(board, scorer)
    return PageFigure(svg, "Paired differences from the rival", _DIFFERENCES.format(level=level))


def _curves(board: Leaderboard, results: BenchResults, scorer: str) -> PageFigure | None:
    if not any(epoch.dev_eer is not None for record in results.records for epoch in record.history):
        return None
    svg = curves_figure(board, scorer, results.records)
    return PageFigure(svg, "EER on the dev trials, epoch by epoch", _CURVES)


def _trees(board: Leaderboard, scorer: str) -> Iterator[PageFigure]:
    rows = board.by(scorer)
    chosen: dict[str, tuple[str, str | None]] = {}
    for kind in tree_kinds(rows):
        # Of the levels that of the speakers, which the error rate is about; else the first.
        if kind[0] not in chosen or kind[1] == "speaker":
            chosen[kind[0]] = kind
    drawn = [chosen[key] for key in _DRAWN if key in chosen][:_MOST_DRAWN]
    for number, kind in enumerate(drawn):
        yield PageFigure(tree_figure(board, scorer, kind, name=f"tree-{number}"), tree_title(rows, kind), _TREES)


def _papers(results: BenchResults) -> Iterator[str]:
    """Yield the BibTeX keys of the losses, spaces and lifts of all settings that have a run."""
    trained = {record.setting for record in results.records}
    for setting in results.bench.settings:
        if setting.name in trained:
            yield from _papers_of(setting.tree.get("loss"))


def _papers_of(part: Any) -> Iterator[str]:
    from curvox.geometry import LIFTS, SPACES
    from curvox.losses import LOSSES

    if isinstance(part, str):
        yield from (table[part].paper for table in (LOSSES, SPACES, LIFTS) if part in table)
    elif isinstance(part, Mapping | list | tuple):
        for of in part.values() if isinstance(part, Mapping) else part:
            yield from _papers_of(of)
