"""``curvox calibrate``, ``verify`` and ``identify``: from labelled trials to a decision."""

import json
import shutil
from pathlib import Path

import pytest
from tiny_decisions import all_trials
from typer.testing import CliRunner

from curvox.cli import app
from curvox.corpora import read_corpus, write_trials
from curvox.embedder import read_card
from curvox.errors import CheckpointError, CurvoxError, InputError, OutputExistsError, UnknownNameError


def curvox(*arguments: object) -> str:
    """Run a command in this process; returns what it prints, and raises what it raises."""
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None:
        raise result.exception
    return result.output


@pytest.fixture(scope="module")
def trials(voices: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_trials(all_trials(voices), tmp_path_factory.mktemp("lists") / "mine.txt")


@pytest.fixture(scope="module")
def bare(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one's own, without a card."""
    return Path(shutil.copytree(tiny_run, tmp_path_factory.mktemp("bare") / "tiny"))


@pytest.fixture(scope="module")
def calibrated(tiny_run: Path, trials: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run with a card, and what the command printed."""
    run = Path(shutil.copytree(tiny_run, tmp_path_factory.mktemp("calibrated") / "tiny"))
    return run, curvox("calibrate", run, "--trials", trials, "--resamples", 20)


def test_calibrate__stores_a_card_beside_the_best_model(calibrated: tuple[Path, str]) -> None:
    run, shown = calibrated
    card = read_card(run / "best")
    assert card is not None
    assert card.fitted_on.trials == "mine.txt"
    assert card.fitted_on.speakers == 14
    assert card.back_end == {"name": "plain", "scorer": "hyperbolic"}
    for text in (f"{card.cllr_before:.3f}", f"{card.cllr_after:.3f}", f"{card.min_cllr:.3f}", "which they are not"):
        assert text in shown
    for threshold in card.thresholds:
        assert threshold.name in shown
    assert str(run / "best" / "decision.json") in shown


def test_calibrate__says_that_the_list_holds_training_speakers(calibrated: tuple[Path, str]) -> None:
    card = read_card(calibrated[0] / "best")
    assert card is not None
    assert card.fitted_on.training_speakers == 6
    assert "6 of the 14 speakers" in calibrated[1]


def test_calibrate__replaces_a_card_only_when_told(calibrated: tuple[Path, str], trials: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(calibrated[0], tmp_path / "tiny"))
    with pytest.raises(OutputExistsError, match="--overwrite"):
        curvox("calibrate", run, "--trials", trials)
    (run / "best" / "decision.json").write_text("{}")
    with pytest.raises(CheckpointError, match="curvox calibrate --overwrite"):
        curvox("verify", run, trials, trials)
    settings = ["--kind", "isotonic", "--rate", "far:0.2", "--resamples", 20, "--overwrite"]
    curvox("calibrate", run, "--trials", trials, *settings)
    card = read_card(run / "best")
    assert card is not None
    assert card.calibration["name"] == "isotonic"
    assert "far:0.2" in [one.name for one in card.thresholds]


def test_calibrate__takes_quality_and_a_back_end_with_a_cohort(bare: Path, voices: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(bare, tmp_path / "tiny"))
    heard = read_corpus(voices).split("train").speakers
    lines = [line for line in _lines(voices, tmp_path) if not any(speaker in line for speaker in heard)]
    (tmp_path / "few.txt").write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match=r"8 speakers \(at least 10\)"):
        curvox("calibrate", run, "--trials", tmp_path / "few.txt", "--back-end", "s_norm")
    with pytest.raises(InputError, match="in no trial"):
        curvox("calibrate", run, "--trials", tmp_path / "all.txt", "--back-end", "s_norm")
    assert read_card(run / "best") is None
    curvox("calibrate", run, "--trials", tmp_path / "all.txt", "--quality", "--resamples", 20)
    card = read_card(run / "best")
    assert card is not None
    assert "log_duration_min" in str(card.calibration)


def test_calibrate__keeps_the_settings_of_the_back_end_in_the_card(
    bare: Path, voices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The synthetic voices that nobody trained on are fewer than a card asks for.
    monkeypatch.setattr("curvox.embedder.card.fitting.LEAST_SPEAKERS", 5)
    monkeypatch.setattr("curvox.embedder.card.fitting.FOLDS", 4)
    run = Path(shutil.copytree(bare, tmp_path / "tiny"))
    heard = read_corpus(voices).split("train").speakers
    lines = [line for line in _lines(voices, tmp_path) if not any(speaker in line for speaker in heard)]
    trials = tmp_path / "few.txt"
    trials.write_text("\n".join(lines) + "\n")
    settings = ["--back-end", "as_norm:top_k=4", "--scorer", "cosine", "--cohort", 2, "--resamples", 5]
    curvox("calibrate", run, "--trials", trials, *settings)
    card = read_card(run / "best")
    assert card is not None
    assert card.back_end == {"name": "as_norm", "top_k": 4, "scorer": "cosine", "cohort_speakers": 6}
    options = ["--scorer", "cosine", "--cohort", 2, "--resamples", 0, "--no-audio", "--trials", trials]
    shown = curvox("eval", run, "--back-end", "as_norm:top_k=4", "--back-end", "as_norm:top_k=5", *options)
    assert "as_norm top_k=4, calibrated" in shown
    assert "as_norm top_k=5" in shown
    assert "as_norm top_k=5, calibrated" not in shown
    assert "of scores by as_norm:top_k=4,scorer=cosine; those evaluated here are not calibrated" in shown


def _lines(voices: Path, folder: Path) -> list[str]:
    path = write_trials(all_trials(voices), folder / "all.txt")
    return path.read_text().splitlines()


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (["--kind", "logistik"], UnknownNameError, 'did you mean "logistic"'),
        (["--kind", "isotonic", "--quality"], InputError, "quality enters a logistic calibration alone"),
        (["--back-end", "asnorm"], UnknownNameError, 'did you mean "as_norm"'),
        (["--scorer", "cosin"], UnknownNameError, 'did you mean "cosine"'),
        (["--rate", "far:2"], InputError, "a rate reads far:0.005"),
        (["--rate", "0.01"], InputError, "a rate reads far:0.005"),
        (["--prior", "1.5"], InputError, "prior must lie strictly between 0 and 1"),
        (["--resamples", "0"], InputError, "resamples must be at least 1"),
        (["--style", "voxcelb"], UnknownNameError, 'did you mean "voxceleb"'),
    ],
)
def test_calibrate__refuses_a_wrong_setting(
    arguments: list[str], error: type[CurvoxError], said: str, bare: Path, trials: Path
) -> None:
    with pytest.raises(error, match=said):
        curvox("calibrate", bare, "--trials", trials, *arguments)
    assert read_card(bare / "best") is None


def test_calibrate__of_a_bare_model_needs_the_corpus(bare: Path, trials: Path, voices: Path, tmp_path: Path) -> None:
    model = Path(shutil.copytree(bare / "best", tmp_path / "model"))
    with pytest.raises(InputError, match="--data"):
        curvox("calibrate", model, "--trials", trials)
    shown = curvox("calibrate", model, "--trials", trials, "--data", voices, "--resamples", 20)
    assert "not known which speakers" in shown
    assert read_card(model) is not None


def test_calibrate__needs_labels(bare: Path, trials: Path, tmp_path: Path) -> None:
    lines = [line.split(maxsplit=1)[1] for line in trials.read_text().splitlines()]
    (tmp_path / "bare.txt").write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match="label"):
        curvox("calibrate", bare, "--trials", tmp_path / "bare.txt")


def test_verify__prints_every_step_to_the_decision(
    calibrated: tuple[Path, str], two_recordings: tuple[Path, Path]
) -> None:
    shown = curvox("verify", calibrated[0], *two_recordings, "--operating-point", "voxsrc")
    answer = json.loads(curvox("verify", calibrated[0], *two_recordings, "--operating-point", "voxsrc", "--json", "-"))
    assert f"{answer['score']:.4f}" in shown
    assert f"{answer['llr']:+.2f}" in shown
    assert "at the prior 0.05" in shown
    assert ("SAME SPEAKER" if answer["same"] else "DIFFERENT SPEAKERS") in shown
    assert "voxsrc (prior 0.05, equal costs)" in shown
    assert "measured there on the card's trials" in shown
    shown = curvox("verify", calibrated[0], *two_recordings, "-e", two_recordings[0], "--prior", "0.2")
    assert "enrolled with 2 recordings" in shown
    assert "at the prior 0.2" in shown


def test_verify__without_a_card_prints_a_score_alone(bare: Path, two_recordings: tuple[Path, Path]) -> None:
    shown = curvox("verify", bare, *two_recordings)
    assert "undecided" in shown
    assert "not calibrated" in shown
    assert "LLR" not in shown
    tree = json.loads(curvox("verify", bare, *two_recordings, "--json", "-"))
    assert (tree["llr"], tree["same"], tree["posterior"]) == (None, None, None)
    with pytest.raises(InputError, match="curvox calibrate"):
        curvox("verify", bare, *two_recordings, "--operating-point", "voxsrc")


def test_identify__answers_from_a_folder_or_a_map(calibrated: tuple[Path, str], voices: Path, tmp_path: Path) -> None:
    corpus, run = read_corpus(voices), calibrated[0]
    enrolled = list(corpus.by_speaker.items())[:4]
    for speaker, own in enrolled:
        (tmp_path / "gallery" / speaker).mkdir(parents=True)
        for utterance in own[:2]:
            shutil.copy(corpus.path_of(utterance), tmp_path / "gallery" / speaker)
    lines = [" ".join([speaker, *(u.utterance for u in own[:2])]) for speaker, own in enrolled]
    (tmp_path / "map").write_text("\n".join(lines) + "\n")
    probe = corpus.path_of(enrolled[1][1][3])
    by_folder = json.loads(curvox("identify", run, probe, "--gallery", tmp_path / "gallery", "--json", "-"))
    by_map = json.loads(curvox("identify", run, probe, "--gallery", tmp_path / "map", "--data", voices, "--json", "-"))
    assert by_folder == by_map
    assert by_folder["threshold"]["enrolled"] == 4
    shown = curvox("identify", run, probe, "--gallery", tmp_path / "gallery", "--false-alarm", "1e-9")
    assert "NONE OF THEM" in shown
    for speaker, _ in enrolled:
        assert speaker in shown


def test_identify__without_a_card_ranks_and_decides_nothing(bare: Path, voices: Path, tmp_path: Path) -> None:
    recordings = sorted(voices.rglob("*.flac"))
    for name in ("anna", "ben"):
        shutil.copy(recordings[0 if name == "anna" else 5], tmp_path / f"{name}.flac")
    shown = curvox("identify", bare, recordings[0], "--gallery", tmp_path)
    assert "undecided" in shown
    assert "NONE" not in shown
    assert shown.index("anna") < shown.index("ben")
    with pytest.raises(InputError, match="curvox calibrate"):
        curvox("identify", bare, recordings[0], "--gallery", tmp_path, "--false-alarm", "0.1")
