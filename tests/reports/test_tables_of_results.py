"""Figures as text."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from curvox.errors import InputError, UnknownNameError
from curvox.metrics import Interval
from curvox.reports import markdown_table, terminal_table
from curvox.reports.tables.evaluation import figure_cell
from curvox.reports.tables.tables import duration, percent, percent_interval


def printed(systems, width=80):
    file = io.StringIO()
    Console(file=file, width=width, color_system=None).print(terminal_table(systems))
    return file.getvalue()


def rows_of(markdown):
    lines = markdown.split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


@pytest.mark.parametrize(("rate", "text"), [(0.0123, "1.23"), (0.0, "0.00"), (0.5, "50.00"), (1.0, "100.00")])
def test_percent__has_two_places(rate, text):
    assert percent(rate) == text


def test_percent_interval__is_in_brackets():
    assert percent_interval(Interval(0.0101, 0.015)) == "[1.01, 1.50]"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (200, "3 min 20 s"),
        (3599.9, "1 h 00 min"),
        (3900, "1 h 05 min"),
    ],
)
def test_duration__carries_into_the_larger_unit(seconds, text):
    assert duration(seconds) == text


def test_figure_cell__takes_the_interval_of_its_own_operating_point(systems):
    evaluation = systems[0].evaluation
    for key in ("min_dcf:0.01", "min_dcf:0.05"):
        cost = evaluation.figure(key)
        ends = cost.interval
        assert str(figure_cell(evaluation, key)) == f"{cost.value:.3f} [{ends.low:.3f}, {ends.high:.3f}]"


def test_figure_cell__says_why_there_is_no_figure(systems, without_figures):
    assert figure_cell(without_figures.evaluation, "eer") == ("–", "", "no target trials")
    assert figure_cell(systems[0].evaluation, "min_dcf:0.3").reason == "min_dcf:0.3 was not evaluated"
    assert figure_cell(systems[0].evaluation, "min_dcf:0.3", "minDCF(0.3)").reason == "minDCF(0.3) was not evaluated"
    assert figure_cell(None, "eer").reason == "not evaluated"


def test_terminal_table__names_every_system_with_its_figures_in_80_columns(systems):
    long = replace(systems[0], name="long", title="AAM-Softmax with a long name, margin 0.2 rad")
    text = printed([*systems, long])
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    for system in systems:
        assert system.title in text
        assert f"{100 * system.evaluation.eer.value:.2f}" in text
        assert f"{system.evaluation.min_dcf[1].value:.3f}" in text
        assert percent_interval(system.evaluation.eer_interval) in text


def test_terminal_table__takes_names_as_text_not_as_markup(systems):
    assert "[red]x[/red]" in printed([replace(systems[0], title="[red]x[/red]")])


def test_terminal_table__shows_why_figures_are_missing(systems, without_figures):
    assert "Strangers only: no target trials" in " ".join(printed([systems[0], without_figures]).split())


def test_markdown_table__has_a_row_a_system_and_a_column_a_figure(systems):
    header, _, *rows = rows_of(markdown_table(systems, groups=("corpus_a",)))
    assert [cell.split(" [")[0] for cell in header] == [
        "loss", "EER %", "minDCF(0.01)", "minDCF(0.05)", r"corpus\_a: EER %",
    ]  # fmt: skip
    for system, row in zip(systems, rows, strict=True):
        part = system.evaluation.groups["corpus_a"]
        assert row[0] == system.title
        assert row[1] == f"{percent(system.evaluation.eer.value)} {percent_interval(system.evaluation.eer_interval)}"
        assert row[4] == f"{percent(part.eer.value)} {percent_interval(part.eer_interval)}"


def test_markdown_table__shows_any_metric_of_the_groups(systems):
    options = {"metrics": (), "groups": ("corpus_a",), "group_metric": "min_dcf:0.05"}
    header, _, *rows = rows_of(markdown_table(systems, **options))
    assert len(header) == 2
    assert "minDCF(0.05)" in header[1]
    assert rows[0][1].startswith(f"{systems[0].evaluation.groups['corpus_a'].min_dcf[1].value:.3f} [")


def test_markdown_table__puts_the_reason_of_a_missing_figure_below(systems):
    text = markdown_table(systems, groups=("corpus_a", "strangers"))
    assert all(row[-1] == "– (1)" for row in rows_of(text)[2:])
    assert text.endswith("\n\n(1) strangers: no target trials\n")


def test_markdown_table__leaves_out_intervals_that_were_not_computed(systems):
    whole = systems[0].evaluation
    bare = replace(whole, figures=tuple(replace(figure, interval=None) for figure in whole.figures), groups={})
    assert "[" not in markdown_table([replace(systems[0], evaluation=bare)])


def test_markdown_table__escapes_names(systems):
    text = markdown_table([replace(systems[0], title="a|b <script> *c*\nd")])
    assert r"| a\|b &lt;script&gt; \*c\* d |" in text


def test_markdown_table__refuses_unknown_groups_and_metrics(systems):
    with pytest.raises(UnknownNameError, match="corpus_a"):
        markdown_table(systems, groups=("corpus_b",))
    with pytest.raises(UnknownNameError, match="eer"):
        markdown_table(systems, metrics=("err",))


def test_tables__refuse_no_system_and_two_of_one_name(systems):
    for table in (terminal_table, markdown_table):
        with pytest.raises(InputError, match="at least one"):
            table([])
        with pytest.raises(InputError, match="must differ, got softmax"):
            table([systems[0], systems[0]])
