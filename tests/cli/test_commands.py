"""The commands as their users run them: real processes for what they do, this process for most of what they refuse."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from command_line import CURVOX, curvox, curvox_here


def refused(result: subprocess.CompletedProcess[str], *said: str) -> None:
    """The command ended by its own error: exit 1, the reason, no traceback."""
    assert result.returncode == 1, result.stderr
    assert "error:" in result.stderr
    assert "Traceback" not in result.stderr
    for text in said:
        assert text in result.stderr


def test_help__names_every_command_and_brings_no_torch() -> None:
    code = (
        "import sys, curvox.cli\nsys.argv = ['curvox', '--help']\n"
        "try:\n    curvox.cli.main()\nexcept SystemExit:\n    pass\n"
        "print('torch' in sys.modules, 'numpy' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for command in ("train", "eval", "embed", "verify", "losses", "demo", "cite", "data"):
        assert command in shown
    assert shown.strip().endswith("False False")


def test_cite__prints_the_papers_of_a_recipe(repository: Path) -> None:
    shown = curvox_here("cite", repository / "recipes" / "openvoices_ham.yaml").stdout
    for key in ("desplanques2020ecapa", "fang2026ham", "nickel2017poincare"):
        assert key in shown
    assert shown.count("@") >= 3


@pytest.fixture(scope="module")
def trained_run(tiny_recipe_file: Path, voices: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("runs")
    result = curvox_here("train", tiny_recipe_file, "--data", voices, "--runs", runs, "--set", "training.epochs=1")
    assert result.returncode == 0, result.stderr
    assert "dev EER" in result.stderr
    return runs / "tiny"


def test_train__then_eval__prints_the_figures_and_leaves_them(trained_run: Path, voices: Path) -> None:
    result = curvox("eval", trained_run, "--trials", voices / "trials" / "test.txt", "--resamples", "50")
    assert result.returncode == 0, result.stderr
    folder = trained_run / "eval" / "test"
    assert {p.name for p in folder.iterdir()} == {"scores.txt", "speakers.txt", "evaluation.json", "report.html"}
    figures = json.loads((folder / "evaluation.json").read_text())
    assert f"{100 * figures['eer']['value']:.2f}" in result.stdout
    lines = (folder / "scores.txt").read_text().splitlines()
    assert len(lines) == figures["targets"] + figures["non_targets"]
    trials = ["--trials", voices / "trials" / "test.txt"]
    refused(curvox_here("eval", trained_run, *trials), "exists already", "--overwrite")
    refused(
        curvox_here("eval", trained_run, *trials, "--output", trained_run, "--overwrite"),
        "more than an evaluation",
        "best",
    )
    assert (trained_run / "best").exists()


def test_embed__writes_points_that_load_without_pickle(trained_run: Path, voices: Path, tmp_path: Path) -> None:
    files = sorted(voices.rglob("*.flac"))
    one, folder = files[0], files[-1].parent
    result = curvox_here("embed", trained_run, one, folder, "-o", tmp_path / "e.npz")
    assert result.returncode == 0, result.stderr
    with np.load(tmp_path / "e.npz", allow_pickle=False) as stored:
        assert stored["embeddings"].shape == (len(stored["recordings"]), 12)
        assert stored["recordings"][0] == str(one)
        assert json.loads(str(stored["space"]))["name"] == "poincare_ball"
    refused(curvox_here("embed", trained_run, one, "-o", tmp_path / "e.npz"), "exists already")
    refused(curvox_here("embed", trained_run, one, "-o", tmp_path / "e.txt"), "must end in .npz")
    refused(curvox_here("embed", trained_run, tmp_path, "-o", tmp_path / "f.npz"), "holds no audio file")
    refused(curvox_here("embed", trained_run, one, "-o", one / "f.npz"), "File exists")
    assert [p.name for p in tmp_path.iterdir()] == ["e.npz"]
    for name in ("empty.wav", "none.wav"):
        (tmp_path / name).touch()
    refused(
        curvox_here("embed", trained_run, one, tmp_path, "-o", tmp_path / "f.npz"),
        "2 of 3 recordings",
        "empty.wav",
        "none.wav",
    )


def test_verify__without_a_decision_card_decides_nothing(trained_run: Path, two_recordings: tuple[Path, Path]) -> None:
    shown = curvox_here("verify", trained_run, *two_recordings).stdout
    assert "score" in shown
    assert "not calibrated" in shown
    assert "same speaker:" not in shown.lower()
    assert "curvox calibrate" in shown


def test_verify__refuses_bad_input_in_one_line(
    trained_run: Path, two_recordings: tuple[Path, Path], tmp_path: Path
) -> None:
    one = two_recordings[0]
    (tmp_path / "zero.wav").touch()
    (tmp_path / "text.wav").write_text("hello")
    refused(curvox_here("verify", trained_run, one, tmp_path / "none.wav"), "none.wav")
    refused(curvox_here("verify", trained_run, one, tmp_path / "zero.wav"), "zero.wav")
    refused(curvox_here("verify", trained_run, one, tmp_path / "text.wav"), "text.wav")
    refused(curvox_here("verify", tmp_path, one, one), "holds no model")
    refused(curvox_here("verify", trained_run, one, one, "--scorer", "cosin"), 'did you mean "cosine"')


def test_eval__refuses_a_trial_of_an_unknown_utterance(trained_run: Path, voices: Path, tmp_path: Path) -> None:
    lines = (voices / "trials" / "test.txt").read_text().splitlines()[:5]
    (tmp_path / "t.txt").write_text("\n".join([*lines, "1 voices-9999 nobody"]))
    refused(curvox_here("eval", trained_run, "--trials", tmp_path / "t.txt"), "nobody")
    (tmp_path / "u.txt").write_text("a b\n")
    refused(curvox_here("eval", trained_run, "--trials", tmp_path / "u.txt"), "u.txt")
    assert not (trained_run / "eval" / "t").exists()


def test_eval__names_the_way_out_when_the_corpus_is_gone(trained_run: Path, voices: Path, tmp_path: Path) -> None:
    shutil.copytree(trained_run / "best", tmp_path / "model")
    trials = voices / "trials" / "test.txt"
    refused(curvox_here("eval", tmp_path / "model", "--trials", trials), "--data")
    result = curvox_here("eval", tmp_path / "model", "--trials", trials, "--data", voices, "--resamples", "20")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "loss.margn=0.3"], 'did you mean "margin"'),
        (["--set", "data.crop=1.0"], 'did you mean "crop_s"'),
        (["--set", "loss.name=ham"], "ham_softmax"),
    ],
)
def test_train__refuses_a_misspelt_key(
    arguments: list[str], said: str, tiny_recipe_file: Path, voices: Path, tmp_path: Path
) -> None:
    result = curvox_here("train", tiny_recipe_file, "--data", voices, "--runs", tmp_path, *arguments)
    refused(result, said)
    assert not (tmp_path / "tiny").exists()


def test_train__interrupted_says_how_to_go_on(tiny_recipe_file: Path, voices: Path, tmp_path: Path) -> None:
    command = [CURVOX, "train", tiny_recipe_file, "--data", voices, "--runs", tmp_path, "--set", "training.epochs=500"]
    # a suite that was started in the background ignores interrupts, and its children would inherit that
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, before)
    deadline = time.monotonic() + 120
    while not (tmp_path / "tiny" / "last").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 130
    assert "continue it with --resume" in said
    assert "Traceback" not in said
    from curvox.training.run.checkpoints import read_state

    assert read_state(tmp_path / "tiny" / "last")["global_step"] > 0


def test_data_check__names_line_and_column(voices: Path, tmp_path: Path) -> None:
    good = curvox_here("data", "check", voices)
    assert good.returncode == 0
    assert "no problems" in good.stdout
    folder = tmp_path / "voices"
    shutil.copytree(voices, folder)
    lines = (folder / "manifest.tsv").read_text().splitlines()
    (folder / "manifest.tsv").write_text("\n".join([*lines, lines[3]]) + "\n")
    bad = curvox_here("data", "check", folder)
    assert bad.returncode == 1
    assert f"line {len(lines) + 1}" in bad.stdout
    assert "line 4" in bad.stdout


def test_data_convert__writes_a_manifest_that_reads_the_same(voices: Path, tmp_path: Path) -> None:
    from curvox.corpora import read_corpus

    result = curvox_here("data", "convert", voices, "-o", tmp_path / "manifest.tsv")
    assert result.returncode == 0, result.stderr
    again = read_corpus(tmp_path / "manifest.tsv", audio_root=voices)
    assert again.utterances == read_corpus(voices).utterances
    refused(curvox_here("data", "convert", voices, "-o", tmp_path / "manifest.tsv"), "exists")


def test_demo__refuses_a_folder_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    refused(curvox_here("demo", "--output", tmp_path), "--overwrite")
    refused(curvox_here("demo", "--output", tmp_path, "--overwrite"), "not made by the demo")
    assert (tmp_path / "mine.txt").exists()
