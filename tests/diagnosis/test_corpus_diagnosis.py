"""Each fault of a corpus is found as what it is, and a sound corpus has none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from curvox.audio import examine_recording, examine_recordings
from curvox.diagnosis import examination_dict, examine_corpus
from curvox.diagnosis.corpus.problems import BADNESS, KINDS
from curvox.errors import InputError
from curvox.testing.dummies import speech_like

RATE_HZ = 8000
HEADER = "utterance\tpath\tspeaker\tsession\tsplit\tsampling_rate_hz\tduration_s\tstart_s\tsegment_s"
Change = Callable[[Path, list[str]], object]


def spoken(speaker: str, take: str, seconds: float = 1.0) -> np.ndarray:
    """Half a second of pause, then something like speech."""
    sound = speech_like(speaker, take, seconds=seconds, sampling_rate_hz=RATE_HZ)
    return np.concatenate([np.random.default_rng(1).normal(0, 1e-4, RATE_HZ // 2), sound])


def line(path: str, speaker: str, *, split: str = "train", session: str = "1", said: str = "\t") -> str:
    return f"{path}\t{path}\t{speaker}\t{session}\t{split}\t{said}\t\t"


def put(folder: Path, lines: list[str], path: str, sound: np.ndarray, speaker: str, **labels: str) -> None:
    (folder / path).parent.mkdir(exist_ok=True)
    soundfile.write(folder / path, sound, RATE_HZ, subtype="PCM_16")
    lines.append(line(path, speaker, **labels))


@pytest.fixture
def corpus(tmp_path: Path) -> Callable[[Change | None], Path]:
    """A sound corpus of six speakers, changed before its manifest is written."""

    def make(change: Change | None = None) -> Path:
        lines = [HEADER]
        for speaker in "abcdef":
            for take in "123":
                split = "train" if speaker < "e" else "dev"
                labels = {"split": split, "session": take, "said": f"{RATE_HZ}\t1.5"}
                put(tmp_path, lines, f"{speaker}/{take}.wav", spoken(speaker, take), speaker, **labels)
        if change is not None:
            change(tmp_path, lines)
        (tmp_path / "manifest.tsv").write_text("\n".join(lines) + "\n")
        return tmp_path

    return make


def rewritten(change: Callable[[bytes], bytes]) -> Change:
    """The bytes of a recording changed."""
    return lambda folder, _: (folder / "a/1.wav").write_bytes(change((folder / "a/1.wav").read_bytes()))


def added(sound: np.ndarray, *, path: str = "a/9.wav", speaker: str = "a", **labels: str) -> Change:
    """One more recording."""
    return lambda folder, lines: put(folder, lines, path, sound, speaker, **labels)


NO_SOUND = rewritten(lambda _: b"no sound")


def other_coding(folder: Path, lines: list[str]) -> None:
    """The same samples as FLAC: a copy by content, not by bytes."""
    sound, _ = soundfile.read(folder / "a/1.wav")
    soundfile.write(folder / "a/9.flac", sound, RATE_HZ, subtype="PCM_16")
    lines.append(line("a/9.flac", "a"))


FAULTS: dict[str, tuple[Change, set[str]]] = {
    "cut short": (rewritten(lambda data: data[: len(data) // 2]), {"unreadable"}),
    "no sound": (NO_SOUND, {"unreadable"}),
    "no bytes": (rewritten(lambda _: b""), {"manifest"}),
    "too short": (added(spoken("a", "9")[-100:]), {"unreadable"}),
    "silent": (added(np.zeros(RATE_HZ)), {"silent"}),
    "hiss": (added(np.random.default_rng(0).normal(0, 2e-4, RATE_HZ)), {"little_speech"}),
    "clipped": (added(np.clip(20 * spoken("a", "9"), -1, 1)), {"clipped"}),
    "offset": (added(0.5 * spoken("a", "9") + 0.1), {"dc_offset"}),
    "copy": (other_coding, {"copies"}),
    "copy of another": (added(spoken("b", "1")), {"copies_across_speakers"}),
    "copy in dev": (
        added(spoken("b", "1"), path="e/9.wav", speaker="e", split="dev"),
        {"copies_across_speakers", "copies_across_splits"},
    ),
    "wrong duration": (added(spoken("a", "9"), said="\t1.9"), {"duration_differs"}),
    "wrong rate": (added(spoken("a", "9"), said="16000\t1.5"), {"rate_differs"}),
    "speaker in two splits": (added(spoken("a", "9"), split="dev"), {"manifest"}),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault__is_found_as_its_kind(corpus: Callable[[Change | None], Path], name: str) -> None:
    change, kinds = FAULTS[name]
    found = examine_corpus(corpus(change), threads=2)
    assert {problem.kind for problem in found.problems} == kinds
    assert found.passes() == ("error" not in {KINDS[kind][0] for kind in kinds})
    assert not found.passes(strict=True)
    assert all(problem.badness == KINDS[problem.kind][0] for problem in found.problems)
    assert json.loads(json.dumps(examination_dict(found), allow_nan=False))["kinds"].keys() == kinds


def test_sound_corpus__has_no_problem_and_true_figures(corpus: Callable[[Change | None], Path]) -> None:
    found = examine_corpus(corpus(None), threads=2)
    assert (found.problems, found.passes(strict=True)) == ((), True)
    dev, train = found.figures.balances
    assert (dev.split, dev.speakers, dev.utterances, dev.sessions, dev.duration_s) == ("dev", 2, 6, 6, 9.0)
    assert (train.fewest, train.median, train.most, train.one_utterance, train.one_session) == (3, 3.0, 3, 0, 0)
    assert found.figures.rates_hz == {RATE_HZ: 18}
    assert found.facts is not None
    for histogram in (found.figures.durations_s, found.figures.levels_db, found.figures.silence):
        assert histogram is not None
        assert {split: int(counts.sum()) for split, counts in histogram.counts.items()} == {"dev": 6, "train": 12}
    sound, _ = soundfile.read(found.report.root / found.facts.utterances[0].path)
    assert found.facts.level_db[0] == pytest.approx(10 * np.log10(np.mean(sound**2)), abs=1e-3)
    assert found.facts.dc_offset[0] == pytest.approx(sound.mean(), abs=1e-6)


def test_speakers_with_one_recording_or_session__are_counted(corpus: Callable[[Change | None], Path]) -> None:
    def change(folder: Path, lines: list[str]) -> None:
        put(folder, lines, "x/1.wav", spoken("x", "1"), "x")
        for take in "12":
            put(folder, lines, f"y/{take}.wav", spoken("y", take), "y")

    (train,) = [b for b in examine_corpus(corpus(change), threads=1).figures.balances if b.split == "train"]
    assert (train.one_utterance, train.one_session) == (1, 2)


def test_without_audio__no_recording_is_opened(corpus: Callable[[Change | None], Path]) -> None:
    found = examine_corpus(corpus(NO_SOUND), audio=False)
    assert (found.problems, found.facts) == ((), None)
    assert found.figures.balances[1].duration_s == pytest.approx(18.0)


def test_segments__are_looked_at_each_for_itself(tmp_path: Path) -> None:
    sound = np.concatenate([spoken("a", "1"), np.zeros(RATE_HZ), spoken("a", "1")])
    soundfile.write(tmp_path / "long.wav", sound, RATE_HZ, subtype="PCM_16")
    stretches = examine_recording(tmp_path / "long.wav", [(0.0, 1.5), (1.5, 1.0), (2.5, None), (9.0, None)]).stretches
    first, silent, again, outside = stretches
    assert (first.duration_s, silent.duration_s, again.duration_s) == (1.5, 1.0, 1.5)
    assert first.digest == again.digest != silent.digest
    assert silent.silent
    assert "silent" in silent.error
    assert "cannot start at 9 s" in outside.error


def test_examine_recordings__keeps_the_order_and_tells_how_far_it_is(tmp_path: Path) -> None:
    paths = []
    for number in range(9):
        paths.append(tmp_path / f"{number}.wav")
        soundfile.write(paths[-1], spoken("a", "1", 0.1 * (number + 1)), RATE_HZ)
    told: list[tuple[int, int]] = []
    whole = [[(0.0, None)]] * 9
    found = list(examine_recordings(paths, whole, threads=3, progress=lambda *now: told.append(now)))
    assert [f.stretches[0].duration_s for f in found] == pytest.approx([0.5 + 0.1 * (n + 1) for n in range(9)])
    assert told == [(n, 9) for n in range(1, 10)]
    with pytest.raises(InputError, match="segments for each path"):
        examine_recordings(paths, whole[:2])


def test_badness__is_one_of_three() -> None:
    assert {badness for badness, _ in KINDS.values()} == set(BADNESS)
