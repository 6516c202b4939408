"""A leaderboard as tables: for the page and as Markdown, with the same words in both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from curvox.diagnosis import VITALS, quantity, title_of
from curvox.metrics import Interval
from curvox.reports.tables.tables import (
    NOTHING,
    Cell,
    count,
    duration,
    markdown_rows,
    markdown_text,
    p_text,
    percent,
    percent_interval,
    signed,
    signed_interval,
)

if TYPE_CHECKING:
    from curvox.bench import Leaderboard, SettingFigures, TreeMean

SPACES = {"hypersphere": "sphere", "poincare_ball": "Poincaré ball", "euclidean": "Euclidean"}
SCORERS = {"cosine": "cosine", "distance": "the space's own distance"}
_MOST_COLUMNS = 7
_UNTOLD = ("loss", "dev_eer", "learning_rate", "margin_scale")
"""Vital signs that say nothing at the end of a training, or stand in another table."""
# Student's distribution knows p however small: no resamples are counted.
_ENOUGH = 1_000_000


class BenchTable(NamedTuple):
    """A table: its id and title, the head (a second line is small), rows of a name and cells, what to read in it."""

    name: str
    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    caption: str


def tree_tables(board: Leaderboard, scorer: str) -> tuple[BenchTable, ...]:
    """Return the measures of the label tree, as means over the seeds, in tables of a few columns each.

    The last row is what shuffled labels give. The tables are called "tree", "tree-2", "tree-3", ...
    """
    rows = board.by(scorer)
    made = []
    for number, kinds in enumerate(_few_columns(tree_kinds(rows)), start=1):
        cells = [(row.title, tuple(_tree_cell(row.measure(*kind)) for kind in kinds)) for row in rows if row.tree]
        chances = tuple(_chance(rows, kind) for kind in kinds)
        if any(cell.value != NOTHING for cell in chances):
            cells.append(("shuffled labels", chances))
        table = BenchTable(
            "tree" if number == 1 else f"tree-{number}",
            "What the space holds of the label tree",
            ("setting", *(tree_title(rows, kind, between="\n") for kind in kinds)),
            tuple(cells),
            "On the utterances of the test trials, means over the seeds; after ± half of an interval over speakers "
            "and seeds that errs to the wide side, over speakers alone where there is one seed. ↑ higher is better, "
            "↓ lower is better.",
        )
        made.append(table)
    return tuple(made)


def tree_kinds(rows: Sequence[SettingFigures]) -> list[tuple[str, str | None]]:
    """Return (key, level) of the measures that any row has a value of, measure by measure, level by level."""
    kinds = dict.fromkeys((mean.key, mean.level) for row in rows for mean in row.tree if mean.value is not None)
    order = list(dict.fromkeys(key for key, _ in kinds))
    return sorted(kinds, key=lambda kind: order.index(kind[0]))


def tree_title(rows: Sequence[SettingFigures], kind: tuple[str, str | None], between: str = ", ") -> str:
    """Return the title of a measure with an arrow to where it is better, and its level."""
    mean = next(mean for row in rows for mean in row.tree if (mean.key, mean.level) == kind)
    arrow = {"higher": " ↑", "lower": " ↓"}.get(mean.better or "", "")
    return f"{mean.title}{arrow}{between + mean.level if mean.level else ''}"


def _few_columns(kinds: Sequence[tuple[str, str | None]]) -> list[list[tuple[str, str | None]]]:
    """Part measures into tables; those of one key stay together as far as they fit."""
    parts: list[list[tuple[str, str | None]]] = []
    for key in dict.fromkeys(key for key, _ in kinds):
        own = [kind for kind in kinds if kind[0] == key]
        for start in range(0, len(own), _MOST_COLUMNS):
            some = own[start : start + _MOST_COLUMNS]
            if parts and len(parts[-1]) + len(some) <= _MOST_COLUMNS:
                parts[-1] += some
            else:
                parts.append(some)
    return parts


def _tree_cell(mean: TreeMean | None) -> Cell:
    if mean is None or mean.value is None:
        return Cell(NOTHING, reason="not measured" if mean is None else mean.why_none or "")
    ends = mean.interval
    # The interval of such a mean is symmetric, and half as wide in this form.
    return Cell(f"{mean.value:.3f}", f"± {(ends.high - ends.low) / 2:.3f}" if ends else "")


def _chance(rows: Sequence[SettingFigures], kind: tuple[str, str | None]) -> Cell:
    means = [row.measure(*kind) for row in rows]
    known = [mean.chance for mean in means if mean is not None and mean.chance is not None]
    return Cell(f"{sum(known) / len(known):.3f}" if known else NOTHING)


def bench_tables(board: Leaderboard, scorer: str) -> dict[str, BenchTable]:
    """Return every table of a leaderboard, ranked by one scorer, that has something to show, by its name."""
    made = (
        leaderboard_table(board, scorer),
        tests_table(board, scorer),
        corpora_table(board, scorer),
        scorers_table(board),
        *tree_tables(board, scorer),
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
        cells = [Cell(SPACES.get(row.space, row.space)), _rate_cell(row.eer, row.interval), spread]
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
        f"{_level(board)} interval over speakers and seeds{_alone(board.by(scorer))}. Spread: standard deviation of "
        "the EER over the seeds, in points. Lower is better.",
    )


def tests_table(board: Leaderboard, scorer: str) -> BenchTable:
    """Return the paired tests by one scorer, those that gain most first."""
    titles = {row.setting: row.title for row in board.rows}
    own = [test for test in board.tests if test.scorer == scorer]
    rows = []
    for test in own:
        name = titles[test.second]
        if test.first != board.rival:
            name = f"{name}, less {titles[test.first]}"
        relative = Cell(NOTHING)
        if test.eer.relative is not None and test.eer.relative_interval is not None:
            relative = _difference(test.eer.relative, test.eer.relative_interval, _tenths)
        difference = _difference(test.eer.difference, test.eer.interval)
        rows.append((name, (difference, relative, _p_cell(test.p_value), _p_cell(test.p_corrected))))
    others = ", and of further pairs" if any(test.first != board.rival for test in own) else ""
    against = f" each setting less {titles[board.rival]}{others}" if board.rival is not None else ""
    return BenchTable(
        "tests",
        f"Differences of the mean EER,{against or ' of pairs'}, by {SCORERS.get(scorer, scorer)}",
        ("setting", "points of EER", "relative, %", "p", "p, Holm"),
        tuple(rows),
        f"Below 0 the setting is better. In brackets the {_level(board)} interval of each difference alone, over the "
        f"same draws of speakers and over seeds{_alone(board.by(scorer))}; p likewise. Where a side has one seed there "
        "is no p, for one seed does not tell what another gives. Holm's p is corrected for all tests of this table "
        "that have one.",
    )


def corpora_table(board: Leaderboard, scorer: str) -> BenchTable:
    """Return the EER of every setting in every corpus of the trials."""
    rows = board.by(scorer)
    groups = rows[0].groups if rows else ()
    head = tuple(f"{g.name}\n{count(g.trials)} trials, {count(g.speakers)} speakers" for g in groups)
    return BenchTable(
        "corpora",
        f"EER %, corpus by corpus, by {SCORERS.get(scorer, scorer)}",
        ("setting", *head),
        tuple((row.title, tuple(_group_cell(row, group.name) for group in groups)) for row in rows),
        f"Means over the seeds; in brackets the {_level(board)} interval over the corpus's speakers and the "
        f"seeds{_alone(rows)}.",
    )


def scorers_table(board: Leaderboard) -> BenchTable:
    """Return EERs by both scorers, of the settings whose scorers do not agree, and their tests by the own distance."""
    titles = {row.setting: row.title for row in board.rows}
    rows = []
    for row in board.by("cosine"):
        other = board.row(row.setting, "distance")
        if other is None or other.eers == row.eers:
            continue
        cells = [_rate_cell(of.eer, of.interval) for of in (row, other)]
        cells.append(Cell(signed(other.eer - row.eer, percent)))
        test = board.test(row.setting, "distance")
        if test is not None:
            cells += [_difference(test.eer.difference, test.eer.interval), _p_cell(test.p_corrected)]
        elif board.rival is not None:
            cells += [Cell(NOTHING, reason="the rival itself"), Cell(NOTHING)]
        rows.append((row.title, tuple(cells)))
    against = (f"own distance less {titles[board.rival]}\nby its own distance", "p, Holm") if board.rival else ()
    return BenchTable(
        "scorers",
        "EER % by cosine, and by the space's own distance",
        ("setting", "cosine", "own distance", "distance less cosine", *against),
        tuple(rows),
        "One model, scored in two ways. Settings that are not named here are scored alike by both: on the sphere the "
        "distance orders all trials as the cosine does.",
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
        notes: dict[str, str] = {}
        rows = [[name, *(_noted(cell, notes) for cell in cells)] for name, cells in table.rows]
        caption = " ".join([table.caption, *(f"{mark} {reason}." for reason, mark in notes.items())])
        parts.append(
            f"**{markdown_text(table.title)}**\n\n{markdown_rows(table.head, rows)}\n{markdown_text(caption)}\n"
        )
    if board.why_no_tests:
        parts.append(f"No paired tests against a rival: {markdown_text(board.why_no_tests)}.\n")
    if board.missing:
        lines = "".join(f"- {markdown_text(line)}\n" for line in missing_lines(board.missing))
        parts.append(f"Not among these figures:\n\n{lines}")
    return "\n".join(parts)


def missing_lines(missing: Sequence[str]) -> list[str]:
    """Return a line for each reason why runs are missing, with the runs: "2 not trained: a-seed_1, a-seed_2"."""
    reasons: dict[str, list[str]] = {}
    for line in missing:
        name, _, why = line.removesuffix(")").partition(" (")
        reasons.setdefault(why or "missing", []).append(name)
    return [f"{count(len(names))} {why}: {', '.join(names)}" for why, names in reasons.items()]


def how(board: Leaderboard) -> str:
    """Return where the intervals come from, in a sentence without its stop."""
    redrawn = f", {count(board.redrawn)} drawn again for lack of a class" if board.redrawn else ""
    return f"{count(board.resamples)} resamples of the speakers, the same for all runs, seed {board.seed}{redrawn}"


def _level(board: Leaderboard) -> str:
    return f"{100 * board.level:g} %"


def _p_cell(p: float | None) -> Cell:
    return Cell(NOTHING, reason="one seed") if p is None else Cell(p_text(p, _ENOUGH))


def _alone(rows: Sequence[SettingFigures]) -> str:
    return ", over speakers alone where there is one seed" if any(len(row.seeds) == 1 for row in rows) else ""


def _difference(value: float, interval: Interval, text: Callable[[float], str] = percent) -> Cell:
    return Cell(signed(value, text), signed_interval(interval, text))


def _tenths(rate: float) -> str:
    return f"{100 * rate:.1f}"


def _group_cell(row: SettingFigures, name: str) -> Cell:
    group = row.group(name)
    if group is None or group.eer is None:
        return Cell(NOTHING, reason="not evaluated" if group is None else group.why_none or "")
    return _rate_cell(group.eer, group.interval)


def _rate_cell(rate: float, interval: Interval | None) -> Cell:
    return Cell(percent(rate), percent_interval(interval) if interval else "")


def _noted(cell: Cell, notes: dict[str, str]) -> str:
    """Return a cell with the mark of its reason, which ``notes`` keeps; one reason has one mark."""
    if not cell.reason:
        return str(cell)
    number = str(len(notes) + 1).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{cell} {notes.setdefault(cell.reason, number)}"
