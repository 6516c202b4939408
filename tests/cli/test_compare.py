"""``curvox compare``: the same trials or none, in whatever order; against the metrics themselves."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from curvox.cli.compare import compare, compare_finished, same_trials
from curvox.corpora import TrialList
from curvox.errors import InputError, OutputExistsError
from curvox.metrics import compare_systems, evaluate
from curvox.reports import (
    Comparison,
    EvaluationReport,
    FinishedEvaluation,
    ScoringFacts,
    TrialFacts,
    read_evaluation_folder,
    write_evaluation_folder,
)


def finished(name: str, separation: float, *, llrs: bool = False, seed: int = 1, title: str = "") -> FinishedEvaluation:
    """240 made-up trials of 12 speakers."""
    rng = np.random.default_rng(5)
    enrolment = rng.integers(0, 12, 240)
    target = np.arange(240) < 80
    test = np.where(target, enrolment, (enrolment + rng.integers(1, 12, 240)) % 12)
    scores = np.random.default_rng(seed).standard_normal(240) + separation * target
    evaluation = evaluate(scores, target, enrolment_speakers=enrolment, test_speakers=test, llrs=llrs, resamples=0)
    return FinishedEvaluation(
        folder=Path("runs") / name / "eval" / "made",
        report=EvaluationReport(ScoringFacts(name, title or name), TrialFacts("made.txt"), evaluation),
        enrolments=tuple(f"e{speaker}-{i}" for i, speaker in enumerate(enrolment)),
        tests=tuple(f"t{speaker}-{i}" for i, speaker in enumerate(test)),
        scores=scores,
        enrolment_speakers=tuple(f"s{speaker}" for speaker in enrolment),
        test_speakers=tuple(f"s{speaker}" for speaker in test),
    )


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
        assert compared.figure("eer") == other.report.evaluation.figure("eer")


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


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    made = []
    for i, name in enumerate(("first", "second")):
        one = finished(name, 1.0 + i, seed=i)
        trials = TrialList(one.enrolments, one.tests, one.labels, "made.txt")
        speakers = dict(zip((*one.enrolments, *one.tests), (*one.enrolment_speakers, *one.test_speakers), strict=True))
        made.append(tmp_path / "runs" / name / "eval" / "made")
        write_evaluation_folder(made[-1], one.report, trials=trials, scores=one.scores, speakers=speakers)
    return made


def test_command__prints_each_language_and_writes_all(
    folders: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compare(folders, resamples=10, output=tmp_path / "out")
    printed = capsys.readouterr().out
    compare(folders, resamples=10, as_json=True)
    tree = json.loads(capsys.readouterr().out)
    comparison = Comparison.from_dict(tree)
    for system in comparison.systems:
        assert system.title in printed
    compare(folders, resamples=10, latex=True)
    latex = capsys.readouterr().out
    compare(folders, resamples=10, markdown=True)
    markdown = capsys.readouterr().out
    out = tmp_path / "out"
    assert (out / "comparison.tex").read_text() == latex
    assert (out / "comparison.md").read_text() == markdown
    assert json.loads((out / "comparison.json").read_text()) == tree
    page = (out / "report.html").read_text()
    assert "Paired tests" in page
    assert "curvox compare first/eval/made second/eval/made" in page
    with pytest.raises(OutputExistsError, match="exists already"):
        compare(folders, resamples=10, output=out)


def test_command__finds_the_one_evaluation_of_a_run_and_names_several(folders: list[Path]) -> None:
    runs = [folder.parent.parent for folder in folders]
    for run in runs:
        (run / "recipe.yaml").touch()
    compare(runs, resamples=10)
    compare(runs, trials=Path("elsewhere/made.txt"), resamples=10)
    folders[0].rename(folders[0].with_name("other"))
    folders[1].rename(folders[1].with_name("other"))
    compare(runs, resamples=10)
    (runs[0] / "eval" / "third").mkdir()
    (runs[0] / "eval" / "third" / "evaluation.json").touch()
    with pytest.raises(InputError, match=r"name one of its evaluations \(.*other, .*third\)"):
        compare(runs, resamples=10)


def test_command__finds_and_makes_evaluations_of_a_back_end_with_settings(
    tiny_run: Path, voices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [Path(shutil.copytree(tiny_run, tmp_path / name)) for name in ("one", "two")]
    trials = voices / "trials" / "test.txt"
    for known in (False, True):
        compare(runs, trials, back_end="as_norm:top_k=4", resamples=5)
        printed = capsys.readouterr()
        assert "two: HAM-Softmax, as_norm" in printed.out
        assert ("was not evaluated" in " ".join(printed.err.split())) != known
    folders = [run / "eval" / "test-as_norm-top_k-4" for run in runs]
    assert [read_evaluation_folder(folder).report.scoring.settings["top_k"] for folder in folders] == [4, 4]


def test_command__refuses_one_system_and_two_languages(folders: list[Path]) -> None:
    with pytest.raises(InputError, match="two systems or more, got 1"):
        compare(folders[:1])
    with pytest.raises(InputError, match="one of --markdown, --latex and --json"):
        compare(folders, latex=True, as_json=True)
