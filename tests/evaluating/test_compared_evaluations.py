"""Systems on the same trials or none, in whatever order; against the metrics themselves."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up_evaluations import made_up_finished as finished

from curvox.corpora import read_trials
from curvox.embedder import load
from curvox.errors import InputError
from curvox.evaluating import (
    FinishedEvaluation,
    ScoringFacts,
    compare,
    evaluate,
    write_evaluation_folder,
)
from curvox.evaluating.comparison import compare_finished, same_trials
from curvox.metrics import compare_systems


def reordered(one: FinishedEvaluation, order: list[int]) -> FinishedEvaluation:
    def pick(values):
        return tuple(values[i] for i in order)

    return replace(
        one,
        enrolments=pick(one.enrolments),
        tests=pick(one.tests),
        scores=one.scores[order],
        enrolment_speakers=pick(one.enrolment_speakers),
        test_speakers=pick(one.test_speakers),
    )


def test_compare__is_the_paired_test_of_the_metrics() -> None:
    systems = [finished("first", 1.0), finished("second", 2.0, seed=2), finished("third", 1.5, seed=3)]
    made = compare_finished(systems, resamples=50, seed=4)
    assert made.keys == ("eer", "min_dcf:0.01", "min_dcf:0.05")
    assert made.systems[0].differences == ()
    for other, compared in zip(systems[1:], made.systems[1:], strict=True):
        expected = compare_systems(
            systems[0].scores,
            other.scores,
            systems[0].labels,
            enrolment_speakers=systems[0].enrolment_speakers,
            test_speakers=systems[0].test_speakers,
            keys=made.keys,
            resamples=50,
            seed=4,
        )
        assert compared.differences == expected
        assert compared.figure("eer") == other.evaluation.figure("eer")


def test_compare__does_not_hang_on_the_order_of_trials() -> None:
    first, second = finished("first", 1.0), finished("second", 2.0, seed=2)
    order = np.random.default_rng(0).permutation(240).tolist()
    turned = reordered(second, order)
    np.testing.assert_array_equal(turned.scores[same_trials(first, turned)], second.scores)
    assert compare_finished([first, turned], resamples=20) == compare_finished([first, second], resamples=20)


def test_compare__keeps_trials_that_the_list_repeats() -> None:
    first, second = (reordered(finished(name, 1.0, seed=i), [0, 1, 0, 200]) for i, name in enumerate(("a", "b")))
    turned = reordered(second, [3, 0, 2, 1])
    np.testing.assert_array_equal(turned.scores[same_trials(first, turned)], second.scores)


@pytest.mark.parametrize("turn", [False, True])
def test_compare__names_the_difference_of_other_trials(turn: bool) -> None:
    first, second = finished("first", 1.0), finished("second", 2.0)
    less = reordered(second, list(range(237)))
    pair = min(zip(first.enrolments[237:], first.tests[237:], strict=True))
    with pytest.raises(InputError, match=rf'240 trials of made\.txt\) has 3 that .*"{pair[0]} {pair[1]}"'):
        compare_finished([less, first] if turn else [first, less])


def test_compare__refuses_other_speakers_of_the_same_names() -> None:
    first = finished("first", 1.0)
    speakers = ("somebody", *first.test_speakers[1:])
    other = replace(finished("second", 1.0), test_speakers=speakers)
    with pytest.raises(
        InputError, match=f'"{first.tests[0]}" is of the speaker "{first.test_speakers[0]}" in .*somebody'
    ):
        compare_finished([first, other])


def test_compare__leaves_out_what_only_llrs_have_unless_asked_for() -> None:
    calibrated, raw = finished("first", 1.0, llrs=True), finished("second", 2.0)
    assert set(compare_finished([calibrated, raw], resamples=10).keys) <= {"eer", "min_dcf:0.01", "min_dcf:0.05"}
    both = compare_finished([calibrated, finished("second", 2.0, llrs=True)], resamples=10)
    assert {"cllr", "act_dcf:0.01"} <= set(both.keys)
    with pytest.raises(InputError, match="needs log-likelihood ratios of both"):
        compare_finished([calibrated, raw], keys=["cllr"], resamples=10)
    with pytest.raises(InputError, match='"err" names no figure'):
        compare_finished([calibrated, raw], keys=["err"], resamples=10)


def test_compare__tells_systems_of_one_loss_apart() -> None:
    systems = [finished(name, 1.0, seed=i, title="HAM-Softmax") for i, name in enumerate(("seed1", "seed2"))]
    made = compare_finished(systems, resamples=10)
    assert [system.title for system in made.systems] == ["seed1: HAM-Softmax", "seed2: HAM-Softmax"]
    with pytest.raises(InputError, match="compared with itself"):
        compare_finished([systems[0], systems[0]], resamples=10)


def test_compare__tells_settings_of_one_back_end_apart() -> None:
    systems = [finished("run", 1.0, seed=k) for k in (100, 300)]
    systems = [
        replace(
            one,
            folder=Path("runs") / f"as_norm-{k}",
            report=replace(
                one.report,
                scoring=ScoringFacts("run", "HAM-Softmax", "cosine", "as_norm", {"top_k": k, "cohort_speakers": 9}),
            ),
        )
        for one, k in zip(systems, (100, 300), strict=True)
    ]
    made = compare_finished(systems, resamples=10)
    assert [one.title for one in made.systems] == ["HAM-Softmax, as_norm top_k=100", "HAM-Softmax, as_norm top_k=300"]


def test_compare__takes_evaluations_folders_runs_and_models(tiny_run: Path, voices: Path, tmp_path: Path) -> None:
    trials = voices / "trials" / "test.txt"
    first = evaluate(tiny_run, trials, resamples=5)
    by_cosine = evaluate(tiny_run, trials, voices, scorer="cosine", resamples=5)
    write_evaluation_folder(tmp_path / "cosine", by_cosine)
    expected = compare_finished([first, by_cosine], resamples=5)
    found = compare([tiny_run, tmp_path / "cosine"], trials, resamples=5)
    assert [system.differences for system in found.systems] == [system.differences for system in expected.systems]
    whole = compare([by_cosine, load(tiny_run)], read_trials(trials), voices, resamples=5)
    assert whole.systems[1].figures == first.evaluation.figures[:1] + tuple(
        figure for figure in first.evaluation.figures if figure.key.startswith("min_dcf")
    )
    assert not (tiny_run / "eval").exists()


def test_compare__asks_for_trials_where_something_is_to_be_evaluated(tiny_run: Path) -> None:
    with pytest.raises(InputError, match="needs a trial list"):
        compare([finished("first", 1.0), load(tiny_run)])
    with pytest.raises(InputError, match="two systems or more, got 1"):
        compare([finished("first", 1.0)])
