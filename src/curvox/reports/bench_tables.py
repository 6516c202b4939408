"""A leaderboard as tables: for the page and as Markdown, with the same words in both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from curvox.diagnosis.text import quantity, title_of
from curvox.diagnosis.vitals import VITALS
from curvox.metrics import Interval
from curvox.reports.comparison_tables import markdown_rows, markdown_text, p_text
from curvox.reports.tables import NOTHING, Cell, count, duration, percent, percent_interval

if TYPE_CHECKING:
    from curvox.bench.board_records import Leaderboard, SettingFigures, TreeMean

SPACES = {"hypersphere": "sphere", "poincare_ball": "Poincaré ball", "euclidean": "Euclidean"}
SCORERS = {"cosine": "cosine", "distance": "the space's own distance"}
_UNTOLD = ("loss", "dev_eer", "learning_rate", "margin_scale")
"""Vital signs that say nothing at the end of a training, or stand in another table."""


class BenchTable(NamedTuple):
    """A table: its id and title, the head, rows of a name and cells, and what to read in it."""

    name: str
    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    caption: str


def bench_tables(board: Leaderboard, scorer: str) -> dict[str, BenchTable]:
    """Return every table of a leaderboard that has something to show, by its name.

    Args:
        board: what to show.
        scorer: by which settings are ranked; the others stand in the table "scorers".
    """
    made = (
        leaderboard_table(board, scorer),
        tests_table(board, scorer),
        corpora_table(board, scorer),
        scorers_table(board),
        tree_table(board, scorer),
        cost_table(board, scorer),
        vitals_table(board, scorer),
    )
    return {table.name: table for table in made if table.rows and len(table.head) > 1}


def leaderboard_table(board: Leaderboard, scorer: str) -> BenchTable:
    """Return the ranking: mean EER with its interval, its spread over seeds, costs and the space."""
    costs = tuple(dict.fromkeys(key for row in board.by(scorer) for key in row.min_dcf))
    titles = tuple(f"minDCF({key.split(':')[1]})" for key in costs)
    dev = any(row.dev_eer is not None for row in board.by(scorer))
    rows = []
    for rank, row in enumerate(board.by(scorer), start=1):
        seeds = f"{len(row.seeds)} ({', '.join(map(str, row.seeds))})"
        spread = Cell(NOTHING, reason="one seed") if row.spread is None else Cell(percent(row.spread))
        cells = [Cell(SPACES.get(row.space, row.space)), Cell(percent(row.eer), percent_interval(row.interval)), spread]
        cells += [Cell(f"{row.min_dcf[key]:.3f}") if key in row.min_dcf else Cell(NOTHING) for key in costs]
        if dev:
            cells.append(Cell(NOTHING if row.dev_eer is None else percent(row.dev_eer)))
        rows.append((f"{rank}. {row.title}", (*cells, Cell(seeds))))
    head = ("setting", "space", "EER %", "spread over seeds", *titles, *(["dev EER %"] if dev else []), "seeds")
    return BenchTable(
        "leaderboard",
        f"Ranked by the mean EER, scored by {SCORERS.get(scorer, scorer)}",
        head,
        tuple(rows),
        f"Means over the seeds, on {count(board.trials)} trials of {count(board.speakers)} speakers; in brackets the "
        f"{_level(board)} interval over speakers and seeds. Spread: standard deviation of the EER over the seeds, in "
        "points. Lower is better.",
    )


def tests_table(board: Leaderboard, scorer: str) -> BenchTable:
    """Return the paired tests by one scorer, those that gain most first."""
    titles = {row.setting: row.title for row in board.rows}
    rows = []
    for test in (test for test in board.tests if test.scorer == scorer):
        name = titles[test.second]
        if test.first != board.rival:
            name = f"{name}, less {titles[test.first]}"
        relative = Cell(NOTHING)
        if test.relative is not None and test.relative_interval is not None:
            relative = Cell(_points(test.relative, 1), _interval(test.relative_interval, 1))
        cells = (
            Cell(_points(test.difference), _interval(test.interval)),
            relative,
            Cell(p_text(test.p_value, _ENOUGH)),
            Cell(p_text(test.p_corrected, _ENOUGH)),
        )
        rows.append((name, cells))
    against = f" less {titles[board.rival]}" if board.rival is not None else ""
    return BenchTable(
        "tests",
        f"Mean EER of each setting{against}, by {SCORERS.get(scorer, scorer)}",
        ("setting", "points of EER", "relative, %", "p", "p, Holm"),
        tuple(rows),
        f"Below 0 the setting is better. In brackets the {_level(board)} interval of each difference alone, over the "
        f"same draws of speakers and over seeds; p likewise. Holm's p is corrected for all {len(rows)} tests of this "
        "table.",
    )


def corpora_table(board: Leaderboard, scorer: str) -> BenchTable:
    """Return the EER of every setting in every corpus of the trials."""
    rows = board.by(scorer)
    groups = rows[0].groups if rows else ()
    head = tuple(f"{g.name}: {count(g.trials)} trials, {count(g.speakers)} speakers" for g in groups)
    return BenchTable(
        "corpora",
        f"EER %, corpus by corpus, by {SCORERS.get(scorer, scorer)}",
        ("setting", *head),
        tuple((row.title, tuple(_group_cell(row, group.name) for group in groups)) for row in rows),
        f"Means over the seeds; in brackets the {_level(board)} interval over the corpus's speakers and the seeds.",
    )


def scorers_table(board: Leaderboard) -> BenchTable:
    """Return EERs by both scorers, of the settings whose scorers do not agree."""
    rows = []
    for row in board.by("cosine"):
        other = board.row(row.setting, "distance")
        if other is not None and other.eers != row.eers:
            cells = [Cell(percent(of.eer), percent_interval(of.interval)) for of in (row, other)]
            rows.append((row.title, (*cells, Cell(_points(other.eer - row.eer)))))
    return BenchTable(
        "scorers",
        "EER % by cosine, and by the space's own distance",
        ("setting", "cosine", "own distance", "distance less cosine"),
        tuple(rows),
        "One model, scored in two ways. Settings that are not named here are scored alike by both: on the sphere the "
        "distance orders all trials as the cosine does.",
    )


def tree_table(board: Leaderboard, scorer: str) -> BenchTable:
    """Return the measures of the label tree, as means over the seeds; the last row is what shuffled labels give."""
    rows = board.by(scorer)
    kinds = tree_kinds(rows)
    made = [(row.title, tuple(_tree_cell(row.measure(*kind)) for kind in kinds)) for row in rows if row.tree]
    chances = tuple(_chance(rows, kind) for kind in kinds)
    if made and any(cell.value != NOTHING for cell in chances):
        made.append(("shuffled labels", chances))
    return BenchTable(
        "tree",
        "What the space holds of the label tree",
        ("setting", *(tree_title(rows, kind) for kind in kinds)),
        tuple(made),
        "On the utterances of the test trials, means over the seeds; in brackets an interval over speakers and seeds "
        "that errs to the wide side. ↑ higher is better, ↓ lower is better.",
    )


def cost_table(board: Leaderboard, scorer: str) -> BenchTable:
    """Return what a training cost, when its best epoch was, and what it learnt beside the encoder."""
    rows = []
    for row in board.by(scorer):
        learnt = ", ".join(f"{name} {quantity(value)}" for name, value in row.learnt.items())
        epochs = ", ".join("mean" if epoch == 0 else str(epoch) for epoch in row.best_epochs)
        cells = (duration(row.seconds), count(round(row.steps)), count(row.parameters), epochs, learnt or NOTHING)
        rows.append((row.title, tuple(map(Cell, cells))))
    return BenchTable(
        "cost",
        "What a training cost",
        ("setting", "a run trained in", "steps", "parameters", "best epochs", "learnt beside the encoder"),
        tuple(rows),
        "Means over the seeds; the best epoch of each, chosen on the dev trials.",
    )


def vitals_table(board: Leaderboard, scorer: str) -> BenchTable:
    """Return the last vital signs, and what the doctor found beside the trainings."""
    rows = board.by(scorer)
    names = [name for name in VITALS if name not in _UNTOLD and any(name in row.vitals for row in rows)]
    made = []
    for row in rows:
        cells = [
            Cell(quantity(row.vitals[name], VITALS[name].unit) if name in row.vitals else NOTHING) for name in names
        ]
        found = "; ".join(f"{title_of(name)} (in {seeds} of {len(row.seeds)})" for name, seeds in row.findings)
        made.append((row.title, (*cells, Cell(found or "nothing"))))
    return BenchTable(
        "vitals",
        "Vital signs at the end, and what the doctor found",
        ("setting", *(VITALS[name].title for name in names), "found while training, in how many runs"),
        tuple(made),
        "Means over the seeds of the last values on record.",
    )


def bench_markdown(board: Leaderboard, scorer: str = "cosine") -> str:
    """Return all tables as Markdown, with what is missing and how the figures came about."""
    subject = (
        f"{board.bench}, {board.list}: {count(board.targets)} targets, {count(board.trials - board.targets)} "
        f"non-targets, {count(board.speakers)} speakers. {how(board)}."
    )
    parts = [f"{markdown_text(subject)}\n"]
    for table in bench_tables(board, scorer).values():
        rows = [[name, *map(_noted, cells)] for name, cells in table.rows]
        parts.append(
            f"**{markdown_text(table.title)}**\n\n{markdown_rows(list(table.head), rows, 1, markdown_text)}\n"
            f"{markdown_text(table.caption)}\n"
        )
    if board.why_no_tests:
        parts.append(f"No paired tests: {markdown_text(board.why_no_tests)}.\n")
    if board.missing:
        parts.append("Not among these figures:\n\n" + "".join(f"- {markdown_text(name)}\n" for name in board.missing))
    return "\n".join(parts)


def how(board: Leaderboard) -> str:
    """Return where the intervals come from, in a sentence without its stop."""
    redrawn = f", {count(board.redrawn)} drawn again for lack of a class" if board.redrawn else ""
    return f"{count(board.resamples)} resamples of the speakers, the same for all runs, seed {board.seed}{redrawn}"


def tree_kinds(rows: Sequence[SettingFigures]) -> list[tuple[str, str | None]]:
    """Return (key, level) of the measures that any row has a value of, measure by measure, level by level."""
    kinds = dict.fromkeys((mean.key, mean.level) for row in rows for mean in row.tree if mean.value is not None)
    order = list(dict.fromkeys(key for key, _ in kinds))
    return sorted(kinds, key=lambda kind: order.index(kind[0]))


def tree_title(rows: Sequence[SettingFigures], kind: tuple[str, str | None]) -> str:
    """Return the title of a measure, its level, and an arrow to where it is better."""
    mean = next(mean for row in rows for mean in row.tree if (mean.key, mean.level) == kind)
    arrow = {"higher": " ↑", "lower": " ↓"}.get(mean.better or "", "")
    return f"{mean.title}{f', {mean.level}' if mean.level else ''}{arrow}"


# Student's distribution knows p however small: no resamples are counted.
_ENOUGH = 1_000_000


def _level(board: Leaderboard) -> str:
    return f"{100 * board.level:g} %"


def _points(value: float, places: int = 2) -> str:
    text = f"{100 * abs(value):.{places}f}"
    if not float(text):
        return text
    return f"+{text}" if value > 0 else f"−{text}"


def _interval(interval: Interval, places: int = 2) -> str:
    return f"[{_points(interval.low, places)}, {_points(interval.high, places)}]"


def _group_cell(row: SettingFigures, name: str) -> Cell:
    group = row.group(name)
    if group is None or group.eer is None:
        return Cell(NOTHING, reason="not evaluated" if group is None else group.why_none or "")
    return Cell(percent(group.eer), percent_interval(group.interval) if group.interval else "")


def _tree_cell(mean: TreeMean | None) -> Cell:
    if mean is None or mean.value is None:
        return Cell(NOTHING, reason="not measured" if mean is None else mean.why_none or "")
    ends = mean.interval
    return Cell(f"{mean.value:.3f}", f"[{ends.low:.3f}, {ends.high:.3f}]" if ends else "")


def _chance(rows: Sequence[SettingFigures], kind: tuple[str, str | None]) -> Cell:
    known = list(_chances(rows, kind))
    return Cell(f"{sum(known) / len(known):.3f}" if known else NOTHING)


def _chances(rows: Sequence[SettingFigures], kind: tuple[str, str | None]) -> Iterator[float]:
    for row in rows:
        mean = row.measure(*kind)
        if mean is not None and mean.chance is not None:
            yield mean.chance


def _noted(cell: Cell) -> str:
    return f"{cell} ({cell.reason})" if cell.reason else str(cell)
