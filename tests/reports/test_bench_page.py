"""The page of a made-up bench, its tables and figures: every figure on it, nothing fetched, every text as text."""

import re
from dataclasses import replace

import pytest
from made_up_bench import results
from page_reading import Page, require_both_themes, require_ids_that_resolve, require_nothing_from_outside

from curvox.bench import leaderboard
from curvox.errors import InputError
from curvox.reports import BIBTEX
from curvox.reports.figures.bench import curves_figure, difference_figure, forest_figure, is_certain, tree_figure
from curvox.reports.pages.bench import PAPERS, render_bench_page
from curvox.reports.tables.bench import bench_markdown, bench_tables, missing_lines
from curvox.reports.tables.tables import percent, percent_interval

EVIL = "<script>alert('x')</script> & |*_"


@pytest.fixture(scope="module")
def made():
    return results()


@pytest.fixture(scope="module")
def board(made):
    return leaderboard(made, resamples=30)


@pytest.fixture(scope="module")
def html(board, made):
    return render_bench_page(board, made, command='curvox bench "made_up.yaml"', versions=(("curvox", "9.9.9"),))


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


@pytest.fixture(scope="module")
def small(made):
    """Results that are quick to draw: no curves, no tree."""
    return replace(made, records=tuple(replace(record, tree=None, history=()) for record in made.records))


@pytest.fixture(scope="module")
def small_board(small):
    return leaderboard(small, resamples=5)


def test_bench_page__shows_every_setting_with_its_figures(page, board):
    for rank, row in enumerate(board.by("cosine"), start=1):
        eer = f"{percent(row.eer)} {percent_interval(row.interval)} {percent(row.spread)}"
        costs = " ".join(f"{cost:.3f}" for cost in row.min_dcf.values())
        space = "Poincaré ball" if row.setting == "ham" else "sphere"
        assert f"{rank}. {row.title} {space} {eer} {costs} {percent(row.dev_eer)}" in page.text
        groups = " ".join(f"{percent(group.eer)} {percent_interval(group.interval)}" for group in row.groups)
        assert f"{row.title} {groups}" in page.text


def test_bench_page__says_what_is_missing_and_what_was_found(page):
    assert "Not among these figures 1 not trained: triplet-seed_3" in page.text
    assert "All embeddings are one (in 1 of 2)" in page.text
    assert "curvox bench" in page.text
    assert "curvox 9.9.9" in page.text
    assert "30 resamples of the speakers, the same for all runs, seed 0" in page.text
    assert "a made-up machine" in page.text


def test_bench_page__says_in_words_who_leads_and_what_the_tests_tell(page, board):
    best = board.by("cosine")[0]
    assert f"The lowest mean EER by cosine has {best.title}: {percent(best.eer)} %" in page.text
    certain = [test for test in board.tests if test.scorer == "cosine" and test.p_corrected < 0.05]
    worse = {0: "none is", 1: "one is", 2: "2 are", 3: "3 are"}[sum(test.eer.difference > 0 for test in certain)]
    assert f"of 3 settings tested against RAM-Softmax (simulated), none is better and {worse} worse" in page.text


def test_bench_page__asks_for_nothing_from_outside_and_knows_the_dark(html):
    require_nothing_from_outside(html)
    require_ids_that_resolve(html)
    require_both_themes(html)


def test_bench_page__has_labels_for_figures_and_captions_for_tables(page):
    # The ranking, the differences, the curves, and a measure of the tree each.
    assert page.tags.count("svg") == page.tags.count("figcaption") == 3 + 3
    assert page.tags.count("caption") == page.tags.count("table") == 7
    assert len([label for tag, key, label in page.attributes if (tag, key) == ("svg", "aria-label") and label]) == 6


def test_bench_page__cites_losses_and_statistics(html, made):
    assert set(PAPERS) <= set(BIBTEX)
    for key in (*PAPERS, "fang2026ham", "wang2018amsoftmax", "li2022ram"):
        assert f"{{{key}," in html
    assert "chung2020angular" not in html


def test_bench_page__is_the_same_every_time(small_board, small):
    assert render_bench_page(small_board, small) == render_bench_page(small_board, small)


def test_bench_page__takes_every_text_as_text(small_board, small):
    rows = tuple(
        replace(row, title=EVIL + row.setting, groups=tuple(replace(group, name=EVIL) for group in row.groups))
        for row in small_board.rows
    )
    evil = replace(small_board, bench=EVIL, rows=rows, missing=(EVIL,))
    written = render_bench_page(evil, small, command=EVIL, versions=((EVIL, EVIL),))
    assert "<script" not in written
    assert Page(written).text.count(EVIL) > 20
    for line in bench_markdown(evil).splitlines():
        assert "<script" not in line
        if line.startswith("|"):
            assert not re.search(r"(?<!\\)[*_]", line.replace("---", ""))


def test_bench_page__of_one_scorer_without_rival_tree_or_curves(made):
    records = tuple(
        replace(record, tree=None, history=(), vitals={}) for record in made.records if record.setting == "am"
    )
    few = replace(made, records=records, bench=replace(made.bench, rival=None), missing=())
    board = leaderboard(few, scorer="distance", resamples=10)
    text = Page(render_bench_page(board, few)).text
    assert "There are no tests against a rival: there are runs of one setting alone." in text
    for absent in ("Not among these figures", "The label tree", "Learning curves", "Cosine or"):
        assert absent not in text
    assert "No paired tests against a rival: there are runs of one setting alone." in bench_markdown(board, "distance")
    with pytest.raises(InputError, match='no figures by "cosine", it has distance'):
        render_bench_page(board, few, scorer="cosine")


def test_tables__name_the_rival_and_sign_the_differences(board):
    tables = bench_tables(board, "cosine")
    assert list(tables) == ["leaderboard", "tests", "corpora", "scorers", "tree", "cost", "vitals"]
    tests = [test for test in board.tests if test.scorer == "cosine"]
    for (name, cells), test in zip(tables["tests"].rows, tests, strict=True):
        assert test.second in name.lower()
        assert cells[0].value == f"{100 * test.eer.difference:+.2f}".replace("-", "−")
    assert "less RAM-Softmax (simulated)" in tables["tests"].title
    # Only the ball's own distance orders trials in another way.
    assert [name for name, _ in tables["scorers"].rows] == ["HAM-Softmax (simulated)"]
    assert tables["tree"].rows[-1][0] == "shuffled labels"
    assert tables["tree"].rows[-1][1][1].value == "0.040"
    assert "Distortion ↓" in tables["tree"].head


def test_tables__keep_to_a_few_columns_of_the_tree(board):
    def many(row):
        first = row.tree[0]
        further = [replace(first, key=f"k{i}", level=level) for i in range(4) for level in ("a", "b", "c", "d")]
        return replace(row, tree=(*row.tree, *further))

    wide = replace(board, rows=tuple(map(many, board.rows)))
    tables = [table for name, table in bench_tables(wide, "cosine").items() if name.startswith("tree")]
    assert [table.name for table in tables] == ["tree", "tree-2", "tree-3", "tree-4", "tree-5"]
    assert all(len(table.head) <= 8 for table in tables)
    assert sum(len(table.head) - 1 for table in tables) == 4 + 16


def test_markdown__has_the_same_figures_as_the_page(board):
    text = bench_markdown(board)
    best = board.by("cosine")[0]
    assert f"| 1. {best.title} | sphere | {percent(best.eer)} {percent_interval(best.interval)} |" in text
    assert r"- 1 not trained: triplet-seed\_3" in text
    heads = re.findall(r"^\| setting \|.*$", text, flags=re.MULTILINE)
    assert len(heads) == 7


def test_missing_lines__gather_runs_by_their_reason():
    missing = ("a-seed_1 (not trained)", "b-seed_1 (stopped (at epoch 7))", "a-seed_2 (not trained)", "odd")
    assert missing_lines(missing) == [
        "2 not trained: a-seed_1, a-seed_2",
        "1 stopped (at epoch 7): b-seed_1",
        "1 missing: odd",
    ]


def test_figures__tell_a_screen_reader_what_they_show(board, made):
    best = board.by("distance")[0]
    label = re.search(r'aria-label="([^"]*)"', forest_figure(board, "distance"))
    assert label is not None
    assert f"{best.title}: {percent(best.eer)}" in label[1]
    test = board.test("ham", "distance")
    assert f"{100 * test.eer.difference:+.2f}" in difference_figure(board, "distance")
    assert "0.709" in tree_figure(board, "distance", ("purity", "speaker"), name="tree")
    assert "In the last epoch" in curves_figure(board, "cosine", made.records)


def test_figures__refuse_what_there_is_not(board, made):
    with pytest.raises(InputError, match="scored by euclid"):
        forest_figure(board, "euclid")
    with pytest.raises(InputError, match="tested against a rival"):
        difference_figure(replace(board, tests=()), "cosine")
    with pytest.raises(InputError, match="measure depth_quality"):
        tree_figure(board, "cosine", ("depth_quality", None), name="x")
    with pytest.raises(InputError, match="dev trials"):
        curves_figure(board, "cosine", [])


def test_bench_markdown__says_a_reason_once_below_its_table(board):
    row = board.rows[0]
    tree = tuple(replace(mean, value=None, interval=None, why_none="points have no depth") for mean in row.tree)
    text = bench_markdown(replace(board, rows=(replace(row, tree=tree), *board.rows[1:])), row.scorer)
    tables = [part for part in text.split("\n\n") if "¹" in part and part.startswith("|")]
    assert tables
    assert "points have no depth" not in "".join(tables)
    assert "¹ points have no depth." in text


def test_bench_page__shows_tests_of_pairs_where_the_rival_has_no_run(small):
    asked = replace(small.bench, against={"ham": ("am",)})
    without = replace(small, bench=asked, records=tuple(r for r in small.records if r.setting != "ram"))
    board = leaderboard(without, scorer="cosine", resamples=10)
    text = Page(render_bench_page(board, without)).text
    assert "HAM-Softmax (simulated), less AM-Softmax (simulated)" in text
    assert "There are no tests against a rival: the rival ram has no finished run yet." in text


def test_bench_page__gives_no_verdict_on_one_seed(small):
    alone = replace(small, records=tuple(record for record in small.records if record.seed == 1))
    board = leaderboard(alone, scorer="cosine", resamples=10)
    page = render_bench_page(board, alone)
    assert "3 settings beside RAM-Softmax (simulated), none of them tested" in Page(page).text
    assert not [test for test in board.tests if is_certain(test)]
    half = replace(small, records=tuple(r for r in small.records if r.seed == 1 or r.setting in ("ram", "ham")))
    text = Page(render_bench_page(leaderboard(half, scorer="cosine", resamples=10), half)).text
    assert "2 settings more have one seed alone." in text
