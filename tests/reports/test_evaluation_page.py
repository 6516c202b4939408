"""The page of one evaluation: every figure on it, nothing fetched, nothing executed, audio inside."""

import base64
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from page_reading import Page, require_ids_that_resolve, require_nothing_from_outside
from rich.console import Console

from curvox.evaluating import Breakdown, back_end_titles, column_titles
from curvox.metrics import evaluate
from curvox.reports import Clip, breakdown_table, figures_table, render_evaluation_page
from curvox.reports.tables.evaluation import figure_cell, figure_title


@pytest.fixture(scope="module")
def html(evaluation_report):
    return render_evaluation_page(evaluation_report)


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def small_evaluation(scores, resamples=0, same_recording=None):
    """Ten targets, ten non-targets, two speakers."""
    target = np.arange(20) < 10
    test = np.where(target, 1, 2)
    return evaluate(
        scores,
        target,
        enrolment_speakers=np.ones(20, int),
        test_speakers=test,
        same_recording=same_recording,
        resamples=resamples,
    )


def test_page__shows_every_figure_with_its_interval(page, evaluation_report):
    evaluation = evaluation_report.evaluation
    keys = {figure.key for figure in evaluation.figures}
    assert {"eer", "auc", "cllr", "min_cllr", "act_dcf:0.01", "frr_at_far:0.001"} <= keys
    for figure in evaluation.figures:
        cell = figure_cell(evaluation, figure.key)
        assert cell.interval
        assert re.search(rf"{re.escape(figure_title(figure))}[^\d]*[^%]*{re.escape(str(cell))}", page.text)


def test_page__says_how_the_scores_were_made(page, evaluation_report):
    scoring, trials = evaluation_report.scoring, evaluation_report.trials
    for text in (
        scoring.scorer,
        "as_norm (top_k 300)",
        scoring.cohort,
        scoring.calibration,
        scoring.space,
        "1,234,567",
    ):
        assert text in page.text
    assert f"{trials.name}: 300 targets, 600 non-targets, 12 speakers" in page.text
    assert "77; 3 trials repeat an earlier one; 8 trials are an earlier one with its sides swapped" in page.text
    assert "20 resamples of the speakers, seed 0" in page.text
    for text in (*evaluation_report.notes, evaluation_report.command, "curvox 9.9.9"):
        assert text in page.text


def test_page__draws_det_histogram_and_calibration(page):
    assert page.tags.count("svg") == page.tags.count("figcaption") == 3
    labels = [label for tag, key, label in page.attributes if (tag, key) == ("svg", "aria-label")]
    assert [label.split()[0] for label in labels] == ["DET", "Histograms", "Normalised"]


def test_page__draws_the_groups_of_a_breakdown_where_there_are_two_to_compare(evaluation_report):
    group = evaluation_report.evaluation.groups["corpus_a"]
    whole = replace(evaluation_report.evaluation, groups={"one": group, "two": group, "three": group})
    parts = (Breakdown("a", ("one", "two")), Breakdown("b", ("three",)), Breakdown("c", ("two", "one", "three")))
    page = Page(render_evaluation_page(replace(evaluation_report, evaluation=whole, breakdowns=parts)))
    labels = [label for tag, key, label in page.attributes if (tag, key) == ("svg", "aria-label")]
    assert [label.split()[0] for label in labels[3:]] == ["Equal", "Equal"]
    ids = page.values("id")
    assert len(ids) == len(set(ids))


def test_page__without_llrs_has_no_calibration_and_says_so(evaluation_report):
    from dataclasses import fields

    evaluation = evaluation_report.evaluation
    plain = replace(
        evaluation,
        llrs=False,
        calibration=None,
        figures=tuple(f for f in evaluation.figures if not f.key.startswith(("cllr", "act_dcf"))),
    )
    assert "calibration" in {field.name for field in fields(plain)}
    scoring = replace(evaluation_report.scoring, calibration="")
    page = Page(render_evaluation_page(replace(evaluation_report, evaluation=plain, scoring=scoring)))
    assert page.tags.count("svg") == 2
    assert "not calibrated" in page.text
    assert "actDCF" not in page.text


def test_page__has_a_table_for_each_breakdown_with_counts(page, evaluation_report):
    group = evaluation_report.evaluation.groups["corpus_a"]
    counts = f"{group.targets} {group.non_targets} {group.speakers}"
    cells = " ".join(str(figure_cell(group, key)) for key in ("eer", "cllr", "min_dcf:0.01", "act_dcf:0.01"))
    assert f"corpus_a (1) {cells} {counts}" in page.text
    assert f"(1) {group.too_small}" in page.text
    strangers = evaluation_report.evaluation.groups["strangers"]
    assert f"1 group without figures strangers: no target trials (0 + {strangers.non_targets} trials)" in page.text


def test_page__says_when_a_group_is_too_small(evaluation_report):
    small = small_evaluation(np.linspace(1, 0, 20))
    assert small.too_small
    whole = replace(evaluation_report.evaluation, groups={"tiny": small})
    report = replace(evaluation_report, evaluation=whole, breakdowns=(Breakdown("size", ("tiny",)),))
    page = Page(render_evaluation_page(report))
    assert "tiny (1)" in page.text
    assert f"(1) {small.too_small}" in page.text


def test_page__begins_with_what_is_wrong_with_the_scores(evaluation_report):
    constant = small_evaluation(np.zeros(20))
    assert constant.health is not None
    assert constant.health.warnings
    page = Page(render_evaluation_page(replace(evaluation_report, evaluation=constant, breakdowns=())))
    first = page.text.index(constant.health.warnings[0])
    assert first < page.text.index("Figures of all trials")
    assert "Before you read on" not in Page(render_evaluation_page(evaluation_report)).text


def test_page__without_figures_says_why(evaluation_report):
    empty = replace(evaluation_report.evaluation.groups["strangers"])
    page = Page(render_evaluation_page(replace(evaluation_report, evaluation=empty, breakdowns=(), worst=())))
    assert "There are no figures: no target trials." in page.text
    assert "svg" not in page.tags


def test_page__plays_the_worst_errors_from_inside_itself(evaluation_report, clips):
    html = render_evaluation_page(evaluation_report, clips=clips)
    page = Page(html)
    players = [value for tag, key, value in page.attributes if (tag, key) == ("audio", "src")]
    sides = [side for trial in evaluation_report.worst for side in (trial.enrolment, trial.test)]
    assert len(players) == len(sides) == 10
    for side, address in zip(sides, players, strict=True):
        kind, data = address.split(";base64,")
        assert kind == "data:audio/flac"
        assert base64.b64decode(data) == clips[side.utterance].audio
    assert "media-src data:" in "".join(page.values("content"))
    assert page.text.index("Strangers that scored highest") < page.text.index("enrolment 0")
    assert page.text.index("Speakers that scored lowest") < page.text.index("enrolment 3")
    assert "enrolment 0 speaker speaker 0; gender f; duration 2.0 s" in page.text
    assert page.text.count("decided wrongly") == 3


def test_page__says_why_a_recording_cannot_be_played(evaluation_report, clips):
    clips["test 0"] = Clip(b"", 0.0, cut=False, reason="it is gone <b>")
    clips["test 1"] = replace(clips["test 1"], cut=True)
    page = Page(render_evaluation_page(evaluation_report, clips=clips))
    assert page.tags.count("audio") == 9
    assert "no audio: it is gone <b>" in page.text
    assert page.text.count("the first 1.5 s") == 1


def test_page__is_silent_without_clips(page):
    assert "audio" not in page.tags
    assert "pass it on only" not in page.text


def test_page__asks_for_nothing_from_outside(html):
    require_nothing_from_outside(html)


def test_page__ids_are_unique_and_labels_resolve(html):
    require_ids_that_resolve(html)


def test_page__takes_every_text_as_text(evaluation_report):
    evil = "<script>alert('x')</script>"
    side = replace(evaluation_report.worst[0].enrolment, utterance=evil, speaker=evil, facts={evil: evil})
    worst = (replace(evaluation_report.worst[0], enrolment=side, test=side),)
    whole = replace(evaluation_report.evaluation, groups={evil: evaluation_report.evaluation.groups["corpus_a"]})
    report = replace(
        evaluation_report,
        scoring=replace(evaluation_report.scoring, name=evil, title=evil, scorer=evil, back_end=evil, cohort=evil),
        trials=replace(evaluation_report.trials, name=evil, corpus=evil),
        evaluation=whole,
        breakdowns=(Breakdown(evil, (evil,)),),
        worst=worst,
        notes=(evil,),
        command=evil,
        versions=((evil, evil),),
    )
    clip = Clip(b"x", 1.0, cut=False)
    written = render_evaluation_page(report, clips={evil: clip})
    assert "<script" not in written
    page = Page(written)
    assert page.text.count(evil) >= 18
    assert "script" not in page.tags


def test_page__is_the_same_every_time(evaluation_report, html):
    assert render_evaluation_page(evaluation_report) == html


def test_page__knows_the_dark(html):
    light, dark = html.split("prefers-color-scheme: dark")
    for variable in set(re.findall(r"var\((--[\w-]+)", html)):
        assert f"{variable}:" in light
        assert f"{variable}:" in dark


def printed(table, width=80):
    file = io.StringIO()
    Console(file=file, width=width, color_system=None).print(table)
    return file.getvalue()


def test_figures_table__has_a_row_a_figure_and_a_column_a_back_end(evaluation_report):
    plain = replace(evaluation_report, scoring=replace(evaluation_report.scoring, back_end="plain", calibration=""))
    text = printed(figures_table([plain, evaluation_report]), width=100)
    evaluation = evaluation_report.evaluation
    for figure in evaluation.figures:
        assert any(
            line.count(str(figure_cell(evaluation, figure.key))) == 2 and f" {figure_title(figure)} " in line
            for line in text.splitlines()
        )
    assert "HAM-Softmax, as_norm" in text
    assert "in brackets the 95 % interval" in text


def test_figures_table__heads_each_setting_of_a_back_end_by_another_name(evaluation_report):
    def of(**settings):
        scorer = settings.pop("scorer", "cosine")
        scoring = replace(evaluation_report.scoring, scorer=scorer, settings={**settings, "cohort_speakers": 510})
        return replace(evaluation_report, scoring=scoring)

    reports = [of(top_k=100), of(top_k=300), of(top_k=300, scorer="euclidean"), of(top_k=100, enrolment="frechet_mean")]
    titles = column_titles(reports)
    assert len(set(titles)) == len(titles)
    assert titles[2] == "HAM-Softmax, as_norm top_k=300 scorer=euclidean, calibrated"
    assert back_end_titles(reports[:2]) == ["as_norm top_k=100", "as_norm top_k=300"]
    plain = replace(reports[0], scoring=replace(reports[0].scoring, back_end="plain"))
    assert column_titles([plain, reports[0]]) == ["HAM-Softmax, calibrated", "HAM-Softmax, as_norm, calibrated"]
    text = printed(figures_table(reports[:2]), width=120)
    assert "as_norm top_k=100" in text
    assert "as_norm top_k=300" in text


def test_breakdown_table__fits_80_columns_and_says_why_a_group_means_little(evaluation_report):
    small = small_evaluation(np.linspace(1, 0, 20))
    evaluation = replace(
        evaluation_report.evaluation, groups={**evaluation_report.evaluation.groups, "[red]tiny": small}
    )
    text = printed(breakdown_table(evaluation, Breakdown("size", ("corpus_a", "strangers", "[red]tiny"))))
    assert max(map(len, text.splitlines())) <= 80
    group = evaluation.groups["corpus_a"]
    for key in ("eer", "cllr", "min_dcf:0.01"):
        assert figure_cell(group, key).value in text
        assert figure_cell(group, key).interval in text
    assert "by size" in text
    below = " ".join(text.split())
    assert re.search(r"\[red\]tiny .*\(2\)", below)
    assert f"strangers: no target trials (0 + {evaluation.groups['strangers'].non_targets} trials)" in below
    for number, why in enumerate((group.too_small, small.too_small), start=1):
        assert f"({number}) {why}" in below
