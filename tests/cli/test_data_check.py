"""``curvox data check`` and ``convert``: exit codes for pipelines, files that are whole, mistakes named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command_line import curvox_here

from curvox.testing.dummies import speech_like


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    for speaker in "abcde":
        for take in "123":
            path = tmp_path / "corpus" / speaker / take / "x.wav"
            path.parent.mkdir(parents=True)
            soundfile.write(path, speech_like(speaker, take, sampling_rate_hz=8000), 8000)
    return tmp_path / "corpus"


def test_check__exits_with_0_1_and_2(corpus: Path) -> None:
    sound = curvox_here("data", "check", corpus, "--strict")
    assert (sound.returncode, sound.stdout.splitlines()[-1]) == (0, "no problems")
    assert "15 at 8000 Hz" in sound.stdout
    soundfile.write(corpus / "a/1/loud.wav", np.clip(9 * speech_like("a", "9"), -1, 1), 8000)
    assert curvox_here("data", "check", corpus).returncode == 0
    strict = curvox_here("data", "check", corpus, "--strict")
    assert strict.returncode == 1
    assert "warning: a/1/loud.wav: " in strict.stdout
    assert "1 warning" in strict.stderr
    (corpus / "b/1/x.wav").write_bytes(b"RIFF")
    broken = curvox_here("data", "check", corpus)
    assert broken.returncode == 1
    assert "error: b/1/x.wav: " in broken.stdout
    assert curvox_here("data", "check", corpus, "--no-decode").returncode == 0
    assert curvox_here("data", "check", corpus, "--threads", "0").returncode == 2
    assert curvox_here("data", "check", corpus / "none").returncode == 1


def test_check__writes_page_and_json_beside_each_other(corpus: Path, tmp_path: Path) -> None:
    page, file = tmp_path / "check.html", tmp_path / "check.json"
    soundfile.write(corpus / "a/1/copy.wav", speech_like("b", "1", sampling_rate_hz=8000), 8000)
    done = curvox_here("data", "check", corpus, "--page", page, "--json", file)
    assert done.returncode == 1
    found = json.loads(file.read_text())
    assert found["counts"] == {"error": 1, "warning": 0, "note": 0}
    assert found["problems"][0]["kind"] == "copies_across_speakers"
    assert found["splits"][0]["speakers"] == 5
    assert "The same samples under several speakers" in page.read_text()
    again = curvox_here("data", "check", corpus, "--json", file)
    assert again.returncode == 1
    assert "exists already" in again.stderr


def test_convert__goes_by_the_ending_or_by_to(corpus: Path, tmp_path: Path) -> None:
    assert curvox_here("data", "convert", corpus, "-o", tmp_path / "x.csv").returncode == 0
    assert curvox_here("data", "convert", corpus, "-o", tmp_path / "kaldi").returncode == 0
    assert curvox_here("data", "convert", corpus, "-o", tmp_path / "x.txt", "--to", "tsv").returncode == 0
    assert (tmp_path / "x.csv").read_text().startswith("utterance,path,")
    assert (tmp_path / "x.txt").read_text().startswith("utterance\tpath\t")
    assert (tmp_path / "kaldi" / "spk2utt").exists()
    unclear = curvox_here("data", "convert", corpus, "-o", tmp_path / "x.doc")
    assert unclear.returncode == 1
    assert "name it with --to" in unclear.stderr
    both = curvox_here("data", "convert", corpus, "-o", tmp_path / "y", "--codec", "flac", "--to", "csv")
    assert "leave --to out" in both.stderr
    assert (
        'unknown audio codec "flack"'
        in curvox_here("data", "convert", corpus, "-o", tmp_path / "y", "--codec", "flack").stderr
    )


def test_convert__to_flac_tells_in_its_exit_code_what_could_not_be_read(corpus: Path, tmp_path: Path) -> None:
    (corpus / "b/1/x.wav").write_bytes(b"no sound")
    done = curvox_here(
        "data", "convert", corpus, "-o", tmp_path / "flac", "--codec", "flac", "--sampling-rate-hz", "8000"
    )
    assert done.returncode == 1
    assert "14 utterances at 8000 Hz" in done.stdout
    assert f"1 recordings could not be read: {tmp_path / 'flac' / 'bad_files.tsv'}" in done.stderr
    assert curvox_here("data", "check", tmp_path / "flac").returncode == 0
