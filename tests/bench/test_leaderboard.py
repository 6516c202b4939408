"""The leaderboard of a made-up bench: what is in it, in which order, and what it does not hang on."""

import json
from dataclasses import replace

import numpy as np
import pytest
from made_up_bench import results

from curvox.bench import BenchResults, ScoredList, Trials, leaderboard
from curvox.bench.ranking import space_of
from curvox.errors import InputError, UnknownNameError
from curvox.losses import create_loss
from curvox.metrics import OperatingPoint, equal_error_rate, evaluate, min_dcf


@pytest.fixture(scope="module")
def made():
    return results()


@pytest.fixture(scope="module")
def board(made):
    return leaderboard(made, resamples=60)


def of(made, setting):
    return [record for record in made.records if record.setting == setting]


def choice(board, scorer):
    row = board.best_on_dev(scorer)
    assert row is not None
    return row


def test_leaderboard__has_a_row_for_every_setting_by_every_scorer_the_best_first(board):
    assert {(row.setting, row.scorer) for row in board.rows} == {
        (setting, scorer) for setting in ("ram", "ham", "am", "triplet") for scorer in ("cosine", "distance")
    }
    assert [row.eer for row in board.rows] == sorted(row.eer for row in board.rows)
    assert board.rows[0] == board.row("ham", "distance")
    assert board.by("distance")[0] == board.rows[0]


def test_leaderboard__has_means_over_seeds_of_what_metrics_say(made, board):
    labels = made.trials["test"].labels
    for row in board.rows:
        records = of(made, row.setting)
        scores = [record.scores("test", row.scorer) for record in records]
        eers = [equal_error_rate(one, labels).value for one in scores]
        assert row.eers == pytest.approx(eers)
        assert row.eer == pytest.approx(np.mean(eers))
        assert row.spread == pytest.approx(np.std(eers, ddof=1))
        assert row.interval.low < row.eer < row.interval.high
        cost = np.mean([min_dcf(one, labels, OperatingPoint(0.01)).value for one in scores])
        assert row.min_dcf["min_dcf:0.01"] == pytest.approx(cost)
        assert set(row.min_dcf) == {"min_dcf:0.01", "min_dcf:0.05"}
        assert row.seconds == np.mean([record.seconds for record in records])
        assert row.seeds == tuple(record.seed for record in records)


def test_leaderboard__takes_every_corpus_by_itself(made, board):
    trials = made.trials["test"]
    for row in board.rows:
        assert [group.name for group in row.groups] == ["narrow", "wide"]
        for group in row.groups:
            mask = trials.corpora == group.name
            eers = [
                equal_error_rate(record.scores("test", row.scorer)[mask], trials.labels[mask]).value
                for record in of(made, row.setting)
            ]
            assert group.eer == pytest.approx(np.mean(eers))
            assert (group.trials, group.speakers) == (mask.sum(), 12)
            assert group.interval.low < group.eer < group.interval.high


def test_leaderboard__of_one_run_has_the_interval_of_an_evaluation(made):
    alone = replace(made, records=tuple(of(made, "ram")[:1]))
    row = leaderboard(alone, scorer="cosine", resamples=60, seed=4).rows[0]
    trials, scores = made.trials["test"], alone.records[0].scores("test", "cosine")
    whole = evaluate(
        scores,
        trials.labels,
        enrolment_speakers=trials.enrolment_speakers,
        test_speakers=trials.test_speakers,
        resamples=60,
        seed=4,
    )
    assert whole.eer_interval is not None
    expected = whole.eer_interval.low, whole.eer_interval.high
    assert (row.interval.low, row.interval.high) == pytest.approx(expected, rel=1e-9)
    assert row.spread is None


def test_leaderboard__tests_every_other_setting_against_the_rival(board):
    assert board.rival == "ram"
    assert {(test.first, test.second, test.scorer) for test in board.tests} == {
        ("ram", setting, scorer) for setting in ("ham", "am", "triplet") for scorer in ("cosine", "distance")
    }
    for test in board.tests:
        rival, own = board.row("ram", test.scorer), board.row(test.second, test.scorer)
        assert test.eer.difference == pytest.approx(own.eer - rival.eer)
        assert test.eer.relative == pytest.approx(own.eer / rival.eer - 1)
        assert test.p_value <= test.p_corrected <= 3 * test.p_value
        assert test.seeds == (3, 2 if test.second == "triplet" else 3)
    worst = board.test("triplet", "cosine")
    assert worst.p_value < 0.05
    assert worst.eer.interval.low > 0
    # Holm's least p of three tests is three times itself.
    least = min((test for test in board.tests if test.scorer == "cosine"), key=lambda test: test.p_value)
    assert least.p_corrected == pytest.approx(min(1, 3 * least.p_value))


def test_leaderboard__tests_what_the_bench_asks_for_beside_the_rival(made):
    asked = {"am": ("triplet",), "ham": ("am", "ram"), "ram": ("am",)}
    board = leaderboard(replace(made, bench=replace(made.bench, against=asked)), scorer="distance", resamples=20)
    # Three against the rival and two further; what is asked for twice, or in both directions, is tested once.
    assert len(board.tests) == 5
    better = next(test for test in board.tests if test.first == "triplet")
    assert better == board.test("am", "distance", first="triplet")
    assert better.eer.difference < 0
    assert better.eer.difference == pytest.approx(better.eer.second - better.eer.first)
    half = replace(made, records=tuple(record for record in made.records if record.setting != "triplet"))
    few = leaderboard(replace(half, bench=replace(made.bench, against=asked)), scorer="distance", resamples=20)
    assert {(test.first, test.second) for test in few.tests} == {("ram", "am"), ("ram", "ham"), ("am", "ham")}


def test_leaderboard__of_one_seed_has_intervals_and_tests_nothing(made):
    alone = replace(made, records=tuple(r for r in made.records if r.seed == 1 or r.setting in ("ram", "ham")))
    board = leaderboard(alone, scorer="distance", resamples=60)
    tests = {test.second: test for test in board.tests}
    assert tests["am"].p_value is None
    assert tests["am"].p_corrected is None
    assert tests["am"].eer.interval.low < tests["am"].eer.difference < tests["am"].eer.interval.high
    # Holm's correction is for those that are tested, here a single one.
    assert tests["ham"].p_corrected == tests["ham"].p_value


def test_leaderboard__takes_titles_from_the_bench_file(made):
    settings = tuple(replace(setting, title=f"{setting.title}, anew") for setting in made.bench.settings)
    renamed = replace(made, bench=replace(made.bench, settings=settings))
    assert all(row.title.endswith(", anew") for row in leaderboard(renamed, scorer="cosine", resamples=5).rows)


def test_leaderboard__does_not_hang_on_the_order_of_runs(made, board):
    turned = replace(made, records=made.records[::-1])
    assert leaderboard(turned, resamples=60).rows == board.rows


def test_leaderboard__names_what_is_missing(board):
    assert board.missing == ("triplet-seed_3 (not trained)",)
    assert board.row("triplet", "cosine").seeds == (1, 2)
    assert board.row("triplet", "cosine").findings == (("collapse", 1),)


def test_leaderboard__knows_spaces_and_what_was_learnt(board):
    spaces = {row.setting: row.space for row in board.rows}
    assert spaces == {"ram": "hypersphere", "ham": "poincare_ball", "am": "hypersphere", "triplet": "hypersphere"}
    assert board.row("ham", "cosine").learnt == {"c": pytest.approx(1.2)}
    assert board.row("ham", "cosine").vitals["effective_rank"] == pytest.approx(42)


def test_leaderboard__chooses_a_rival_on_dev_where_none_is_named():
    made = results(rival=None)
    board = leaderboard(made, scorer="distance", resamples=20)
    assert board.rival == choice(board, "distance").setting == "ham"
    without = replace(made, trials={"test": made.trials["test"]})
    assert leaderboard(without, scorer="distance", resamples=20).tests == ()


def test_leaderboard__says_why_there_are_no_tests(made):
    missing = replace(made, records=tuple(record for record in made.records if record.setting != "ram"))
    board = leaderboard(missing, scorer="cosine", resamples=20)
    assert (board.tests, board.rival) == ((), None)
    assert "ram has no finished run" in board.why_no_tests


def test_best_on_dev__looks_at_dev_alone(made, board):
    labels = made.trials["dev"].labels
    for scorer in ("cosine", "distance"):
        means = {
            name: np.mean([equal_error_rate(record.scores("dev", scorer), labels).value for record in of(made, name)])
            for name in ("ram", "ham", "am", "triplet")
        }
        best = min(means, key=means.__getitem__)
        chosen = choice(board, scorer)
        assert (chosen.setting, chosen.dev_eer) == (best, pytest.approx(means[best]))
    blind = tuple(
        replace(record, lists=tuple(replace(s, scores=0 * s.scores) if s.list == "test" else s for s in record.lists))
        for record in made.records
    )
    unseen = leaderboard(replace(made, records=blind), resamples=2)
    for scorer in unseen.scorers:
        assert choice(unseen, scorer).setting == choice(board, scorer).setting


def test_leaderboard__is_strict_json(board):
    tree = json.loads(json.dumps(board.to_dict(), allow_nan=False))
    assert tree["rows"][0]["setting"] == "ham"
    assert tree["rows"][0]["interval"]["low"] == board.rows[0].interval.low
    assert tree["missing"] == ["triplet-seed_3 (not trained)"]
    for written, test in zip(tree["tests"], board.tests, strict=True):
        assert written["second_eer"] - written["first_eer"] == pytest.approx(written["difference"])
        assert (written["difference"], written["p_value"]) == (test.eer.difference, test.p_value)
        assert written["relative_interval"]["high"] == test.eer.relative_interval.high


def test_leaderboard__tells_how_far_it_is(made):
    seen = []
    leaderboard(made, scorer="cosine", resamples=5, progress=lambda done, of: seen.append((done, of)))
    assert seen == [(done, 4) for done in range(5)]


def test_leaderboard__shows_a_corpus_of_one_class_without_a_figure(made):
    trials = made.trials["test"]
    corpora = np.where(trials.labels, trials.corpora, "wide")
    odd = Trials(trials.labels, trials.enrolment_speakers, trials.test_speakers, corpora)
    row = leaderboard(replace(made, trials={**made.trials, "test": odd}), scorer="cosine", resamples=5).rows[0]
    narrow = row.group("narrow")
    assert narrow is not None
    assert (narrow.eer, narrow.why_none) == (None, "no non-target trials")
    one = Trials(trials.labels, trials.enrolment_speakers, trials.test_speakers, np.full(len(trials), "wide"))
    assert leaderboard(replace(made, trials={"test": one}), scorer="cosine", resamples=5).rows[0].groups == ()


def test_leaderboard__refuses_what_it_cannot_rank(made):
    with pytest.raises(InputError, match="no run of the bench simulated_bench"):
        leaderboard(replace(made, records=()))
    with pytest.raises(UnknownNameError, match="test"):
        leaderboard(made, list="tests")
    with pytest.raises(InputError, match="no scores of test by euclid"):
        leaderboard(made, scorer="euclid", resamples=5)
    first = made.records[0]
    short = replace(first, lists=tuple(ScoredList(s.list, s.scorer, s.scores[1:]) for s in first.lists))
    with pytest.raises(InputError, match="1200 scores"):
        leaderboard(BenchResults(made.bench, (short,), made.trials, ()), resamples=5)


def test_leaderboard__has_the_tree_as_means_over_seeds(made, board):
    for row in board.rows:
        own = [record.tree.measure("purity", "speaker") for record in of(made, row.setting)]
        mean = row.measure("purity", "speaker")
        assert mean.value == pytest.approx(np.mean([measure.value for measure in own]))
        assert mean.chance == pytest.approx(0.04)
        assert mean.interval.low < mean.value - 0.04
        assert row.measure("distortion").better == "lower"
        assert row.measure("purity", "session") is None
        none = row.measure("depth_quality")
        assert (none.value, none.interval, none.why_none) == (None, None, "quality was not measured")
    assert leaderboard(results(tree=False), scorer="cosine", resamples=5).rows[0].tree == ()


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("ham_softmax", "poincare_ball"),
        ({"name": "am_softmax"}, "hypersphere"),
        ({"name": "triplet", "space": "euclidean"}, "euclidean"),
        ({"name": "triplet", "space": {"name": "poincare_ball", "c": 2.0}}, "poincare_ball"),
        (
            {
                "name": "combined",
                "parts": [{"name": "ram_softmax", "weight": 0.3}, {"name": "ham_softmax", "weight": 2}],
            },
            "poincare_ball",
        ),
        (
            {
                "name": "combined",
                "space_of": "ram_softmax",
                "parts": [{"name": "ram_softmax", "weight": 0.3}, {"name": "ham_softmax", "weight": 0.7}],
            },
            "hypersphere",
        ),
    ],
)
def test_space_of__is_that_of_the_loss_itself(loss, expected):
    assert space_of(loss) == expected
    assert create_loss(loss, dim=16, speakers=4).space.describe()["name"] == expected
