"""``curvox eval``: what it prints and leaves, against the metrics on what it wrote."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from curvox.cli.eval import evaluate_run
from curvox.corpora import make_trials, read_corpus, read_scores, read_trials, write_trials
from curvox.embedder import load
from curvox.errors import InputError, OutputExistsError, UnknownNameError
from curvox.evaluating import read_evaluation_folder
from curvox.metrics import equal_error_rate
from curvox.scoring import score_pairs

LIST = Path("trials") / "test.txt"


@pytest.fixture(scope="module")
def evaluated(own_run: Path, voices: Path) -> Path:
    """Two back ends on two lists, with breakdowns."""
    copy = own_run.parent / "again.txt"
    shutil.copy(voices / LIST, copy)
    evaluate_run(
        own_run,
        [voices / LIST, copy],
        back_end=["plain", "as_norm:top_k=4"],
        cohort=2,
        by=["gender", "session gap"],
        resamples=20,
    )
    return own_run / "eval"


def test_eval__leaves_a_folder_for_each_list_and_back_end(evaluated: Path) -> None:
    folders = {path.name for path in evaluated.iterdir() if path.is_dir()}
    assert folders == {"test", "test-as_norm-top_k-4", "again", "again-as_norm-top_k-4"}
    assert (evaluated / "cohort.safetensors").is_file()
    for name in folders:
        files = {path.name for path in (evaluated / name).iterdir()}
        assert files == {"scores.txt", "speakers.txt", "evaluation.json", "report.html"}


def test_eval__figures_are_those_of_the_scores_it_wrote(evaluated: Path, voices: Path) -> None:
    labels = np.asarray(read_trials(voices / LIST).labels)
    for name in ("test", "test-as_norm-top_k-4"):
        scores = read_scores(evaluated / name / "scores.txt").scores
        tree = json.loads((evaluated / name / "evaluation.json").read_text())
        assert tree["eer"]["value"] == equal_error_rate(scores, labels).value
        figures = {figure["key"]: figure for figure in tree["figures"]}
        assert figures["auc"]["value"] == pytest.approx(roc_auc_score(labels, scores))
        assert figures["eer"]["interval"]["low"] <= tree["eer"]["value"] <= figures["eer"]["interval"]["high"]
        assert "cllr" not in figures


def test_eval__plain_scores_are_those_of_pairs_of_embeddings(evaluated: Path, own_run: Path, voices: Path) -> None:
    model, trials = load(own_run), read_trials(voices / LIST)
    points = model.embed_utterances(read_corpus(voices), trials.utterances).points
    expected = score_pairs(model.space, points, *trials.indices())
    np.testing.assert_allclose(read_scores(evaluated / "test" / "scores.txt").scores, expected, atol=1e-6)
    assert not np.allclose(read_scores(evaluated / "test-as_norm-top_k-4" / "scores.txt").scores, expected, atol=1e-3)


def test_eval__scores_do_not_hang_on_what_else_is_evaluated(evaluated: Path) -> None:
    for name in ("scores.txt", "speakers.txt"):
        assert (evaluated / "test" / name).read_bytes() == (evaluated / "again" / name).read_bytes()


def test_eval__says_how_the_scores_were_made(evaluated: Path, voices: Path) -> None:
    report = read_evaluation_folder(evaluated / "test-as_norm-top_k-4").report
    assert report.scoring.back_end == "as_norm"
    assert report.scoring.cohort == "12 recordings of 6 training speakers, at most 2 of each"
    assert report.scoring.settings["top_k"] == 4
    assert report.scoring.title == "HAM-Softmax"
    assert [part.title for part in report.breakdowns] == ["gender", "session gap"]
    assert report.command.startswith("curvox eval tiny --trials test.txt --trials again.txt --back-end plain")
    lines = [line.split()[1:] for line in (voices / LIST).read_text().splitlines()]
    assert report.trials.swapped == sum([b, a] in lines[:i] for i, (a, b) in enumerate(lines))
    plain = read_evaluation_folder(evaluated / "test").report
    assert (plain.scoring.cohort, plain.scoring.calibration) == ("", "")


def test_eval__plays_the_worst_errors(evaluated: Path) -> None:
    report = read_evaluation_folder(evaluated / "test").report
    page = (evaluated / "test" / "report.html").read_text()
    assert len([trial for trial in report.worst if not trial.target]) == 10
    assert page.count('src="data:audio/flac;base64,') == 2 * len(report.worst)
    assert len(page) < 10_000_000


def test_eval__prints_figures_breakdowns_and_warnings(
    own_run: Path, voices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate_run(own_run, [voices / LIST], by=["gender"], output=tmp_path / "out", resamples=0, audio=False)
    printed = capsys.readouterr().out
    report = read_evaluation_folder(tmp_path / "out").report
    assert f"{100 * report.evaluation.eer.value:.2f}" in printed if report.evaluation.eer else False
    for text in ("AUC", "FRR(FAR=0.001)", "by gender", "warning: ", str(report.evaluation.too_small)):
        assert text in printed
    assert "data:audio" not in (tmp_path / "out" / "report.html").read_text()


def test_eval__of_a_score_file_is_that_of_the_model(evaluated: Path, voices: Path, tmp_path: Path) -> None:
    lines = (evaluated / "test" / "scores.txt").read_text().splitlines()
    (tmp_path / "theirs.txt").write_text("\n".join(reversed(lines)) + "\n")
    evaluate_run(None, [voices / LIST], scores=tmp_path / "theirs.txt", data=voices, resamples=20, audio=False)
    theirs = read_evaluation_folder(tmp_path / "theirs-test").report
    ours = read_evaluation_folder(evaluated / "test").report
    assert theirs.evaluation.figures == ours.evaluation.figures
    assert theirs.scoring.title == "theirs"
    evaluate_run(
        None,
        [voices / LIST],
        scores=tmp_path / "theirs.txt",
        data=voices,
        llrs=True,
        resamples=0,
        output=tmp_path / "o",
    )
    assert read_evaluation_folder(tmp_path / "o").report.evaluation.figure("cllr") is not None


def test_eval__takes_models_of_several_recordings(own_run: Path, voices: Path, tmp_path: Path) -> None:
    corpus = read_corpus(voices).split("test")
    own = {speaker: [u.utterance for u in group] for speaker, group in corpus.by_speaker.items()}
    models = [f"model-{speaker} {' '.join(names[:-1])}" for speaker, names in own.items()]
    (tmp_path / "models.txt").write_text("\n".join(models) + "\n")
    trials = [f"model-{a} {own[b][-1]} {'target' if a == b else 'nontarget'}" for a in own for b in own]
    (tmp_path / "t.txt").write_text("\n".join(trials) + "\n")
    settings = {"style": "kaldi", "enrolments": tmp_path / "models.txt", "data": voices, "resamples": 0, "audio": False}
    evaluate_run(own_run, [tmp_path / "t.txt"], output=tmp_path / "own", **settings)
    evaluate_run(own_run, [tmp_path / "t.txt"], enrol_with="score_mean", output=tmp_path / "mean", **settings)
    first, second = (read_evaluation_folder(tmp_path / name) for name in ("own", "mean"))
    assert first.report.scoring.settings["enrolment"] == "einstein_midpoint"
    assert second.report.scoring.settings["enrolment"] == "score_mean"
    assert first.report.evaluation.targets == len(own)
    assert not np.array_equal(first.scores, second.scores)


def test_eval__refuses_before_it_works(own_run: Path, evaluated: Path, voices: Path, tmp_path: Path) -> None:
    trials = [voices / LIST]
    with pytest.raises(InputError, match="either a run or a file of scores"):
        evaluate_run(None, trials)
    with pytest.raises(InputError, match="either a run or a file of scores"):
        evaluate_run(own_run, trials, scores=tmp_path / "s.txt")
    with pytest.raises(InputError, match="expected a trial list"):
        evaluate_run(own_run, [])
    with pytest.raises(InputError, match="two trial lists are called test"):
        evaluate_run(own_run, [*trials, tmp_path / "test.txt"])
    with pytest.raises(UnknownNameError, match="as_norm"):
        evaluate_run(own_run, trials, back_end=["asnorm"])
    with pytest.raises(InputError, match='no setting "topk"'):
        evaluate_run(own_run, trials, back_end=["as_norm:topk=4"])
    with pytest.raises(InputError, match='got the setting "5"'):
        evaluate_run(own_run, trials, back_end=["as_norm:5"])
    with pytest.raises(OutputExistsError, match="--overwrite"):
        evaluate_run(own_run, trials)
    with pytest.raises(OutputExistsError, match=r"more than an evaluation \(best"):
        evaluate_run(own_run, trials, output=own_run, overwrite=True)
    with pytest.raises(InputError, match="name it with --data"):
        evaluate_run(None, trials, scores=tmp_path / "s.txt")
    with pytest.raises(InputError, match="a column, or two"):
        evaluate_run(own_run, trials, by=["a,b,c"])
    assert evaluated.exists()


def test_eval__refuses_what_scores_and_cards_cannot_say(own_run: Path, voices: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no likelihood ratios: run curvox calibrate"):
        evaluate_run(own_run, [voices / LIST], llrs=True, output=tmp_path / "o", resamples=0)
    with pytest.raises(InputError, match='"plda" takes no scorer'):
        evaluate_run(own_run, [voices / LIST], back_end=["plda"], scorer="cosine", output=tmp_path / "o", resamples=0)
    with pytest.raises(UnknownNameError, match="gender"):
        evaluate_run(own_run, [voices / LIST], by=["gendre"], output=tmp_path / "o", resamples=0)
    assert not (tmp_path / "o").exists()


def test_eval__refuses_a_cohort_of_the_speakers_on_trial(own_run: Path, voices: Path, tmp_path: Path) -> None:
    corpus = read_corpus(voices).split("train")
    groups = list(corpus.by_speaker.values())[:2]
    lines = [f"1 {a[0].utterance} {a[1].utterance}" for a in groups]
    lines.append(f"0 {groups[0][0].utterance} {groups[1][0].utterance}")
    (tmp_path / "trained.txt").write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match="speakers who are in no trial, but 2 are in both"):
        evaluate_run(own_run, [tmp_path / "trained.txt"], back_end=["s_norm"], resamples=0)


@pytest.fixture(scope="module")
def calibrated(own_run: Path, voices: Path) -> Path:
    """A copy of the run with a decision card, fitted on trials of all speakers there are."""
    from curvox.cli.calibrate import calibrate

    copy = Path(shutil.copytree(own_run, own_run.parent / "calibrated", ignore=shutil.ignore_patterns("eval")))
    corpus = read_corpus(voices)
    write_trials(make_trials(corpus, seed=1, targets_per_speaker=6, nontargets_per_speaker=20), copy / "all.txt")
    calibrate(copy, copy / "all.txt", data=voices, resamples=10)
    return copy


def test_eval__with_a_decision_card_judges_its_llrs(calibrated: Path, voices: Path) -> None:
    evaluate_run(calibrated, [voices / LIST, calibrated / "all.txt"], resamples=0, audio=False)
    folder = calibrated / "eval" / "test"
    finished = read_evaluation_folder(folder)
    evaluation = finished.evaluation
    assert evaluation.llrs
    for key in ("cllr", "act_dcf:0.01"):
        assert evaluation.figure(key) is not None
    assert "decision card" in finished.report.scoring.calibration
    assert "fitted on all.txt" in finished.report.scoring.calibration
    # A logistic calibration of one score is a rising line.
    raw = read_scores(folder / "scores.txt").scores
    slope, offset = np.polyfit(raw, finished.judged, 1)
    assert slope > 0
    np.testing.assert_allclose(finished.judged, slope * raw + offset, atol=1e-6)
    own = read_evaluation_folder(calibrated / "eval" / "all").report
    assert any("fitted on all.txt itself" in note for note in own.notes)
    assert not finished.report.notes


def test_eval__says_that_a_card_of_other_scores_does_not_count(calibrated: Path, voices: Path) -> None:
    evaluate_run(calibrated, [voices / LIST], scorer="cosine", resamples=0, audio=False)
    report = read_evaluation_folder(calibrated / "eval" / "test-cosine").report
    assert not report.evaluation.llrs
    assert "those evaluated here are not calibrated" in report.notes[0]
