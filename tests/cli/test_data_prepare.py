"""``curvox data prepare``, and that what it wrote is in order for ``curvox data check`` and the commands after it."""

from pathlib import Path

import pytest
from command_line import curvox_here

from curvox.corpora import PREPARATIONS
from curvox.testing.dummies import DUMMIES


@pytest.mark.parametrize("name", PREPARATIONS)
def test_prepare__then_check_finds_no_problem(name: str, tmp_path: Path) -> None:
    folder = DUMMIES.load(name)(tmp_path / "corpus")
    prepared = curvox_here("data", "prepare", name, folder, "-o", tmp_path / "out")
    assert prepared.returncode == 0, prepared.stderr
    assert f"--audio-root {folder}" in prepared.stdout
    checked = curvox_here("data", "check", tmp_path / "out", "--audio-root", folder)
    assert checked.returncode == 0, checked.stdout
    assert "error" not in checked.stdout + checked.stderr
    speakers = checked.stdout.split(": ")[1]
    assert speakers.partition(", ")[0] in prepared.stdout


def test_prepare__says_what_it_wrote_and_what_it_left_out(tmp_path: Path) -> None:
    folder = DUMMIES.load("cnceleb1")(tmp_path / "CN-Celeb_flac")
    said = curvox_here("data", "prepare", "cnceleb1", folder, "-o", folder).stdout
    assert f"{folder / 'manifest.tsv'}: 4 speakers, 16 utterances" in said
    assert "  train: 2 speakers, 8 utterances" in said
    for file in ("cnceleb1.txt", "cnceleb1_models.txt", "cnceleb1_models.map"):
        assert str(folder / "trials" / file) in said
    assert "note: data: 4 recordings of speakers to evaluate with were left out" in said
    assert "--audio-root" not in said


@pytest.mark.parametrize(
    ("corpus", "folder", "said"),
    [
        ("voxceleb3", ".", 'unknown corpus "voxceleb3": did you mean'),
        ("vctk", ".", "is not the folder of VCTK 0.92: expected wav48_silence_trimmed/p225/"),
        ("vctk", "nowhere", "which is no folder"),
    ],
)
def test_prepare__refuses_and_writes_nothing(corpus: str, folder: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    result = curvox_here("data", "prepare", corpus, tmp_path / "a" / "b" / folder, "-o", tmp_path / "out")
    assert result.returncode == 1
    assert said in result.stderr
    assert not (tmp_path / "out").exists()


def test_prepare__takes_recipes_of_lhotse_and_lists_them(tmp_path: Path) -> None:
    pytest.importorskip("lhotse", reason="the extra curvox[lhotse] is not installed")
    folder = DUMMIES.load("librispeech")(tmp_path / "LibriSpeech")
    prepared = curvox_here("data", "prepare", "lhotse:librispeech", folder, "-o", tmp_path / "out")
    assert prepared.returncode == 0, prepared.stderr
    assert "manifest.tsv: 5 speakers, 14 utterances" in prepared.stdout
    assert f"--audio-root {folder}" in prepared.stdout
    listed = curvox_here("data", "lhotse-recipes").stdout.splitlines()
    assert {"librispeech", "vctk", "speechcommands: not here, asks for speechcommands_version, corpus_dir"} < set(
        listed
    )
    refused = curvox_here("data", "prepare", "lhotse:librispech", folder, "-o", tmp_path / "out")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert 'lhotse has no recipe "librispech": did you mean "librispeech"' in refused.stderr
