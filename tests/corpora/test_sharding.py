"""A corpus written as shards: everything of it, whole or not at all, continued where it stopped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from curvox.audio import ShardStore, read_audio, to_int16
from curvox.corpora import Corpus, ShardingOptions, Utterance, read_corpus, shard_corpus
from curvox.corpora.formats.reading import detect_format
from curvox.corpora.formats.shards import BAD_FILES
from curvox.errors import AudioError, CorpusError, CurvoxError, InputError, OutputExistsError

OPTIONS = {"shard_mb": 0.03, "workers": 1}


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """Twelve utterances of three speakers in two splits: two segments of each recording, with labels of all kinds."""
    root = tmp_path / "corpus"
    utterances = []
    for number in range(6):
        path = root / "audio" / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        samples = 0.2 * np.random.default_rng(number).standard_normal((2, 16000 + 800 * number)).T
        soundfile.write(path, samples, 16000 if number else 8000, "PCM_16")
        for half in range(2):
            utterances.append(
                Utterance(
                    utterance=f"s{number // 2}/v.{number}/{half}",
                    path=f"audio/{number}.wav",
                    speaker=f"s{number // 2}",
                    gender="f",
                    split="train" if number < 4 else "dev",
                    start_s=0.5 * half,
                    segment_s=0.5,
                    extra={"age": str(20 + number)},
                )
            )
    return Corpus(root, tuple(utterances), "small")


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_shards__hold_all_utterances_with_their_labels_and_samples(corpus: Corpus, tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "dev.txt").write_text("1 s2/v.4/0 s2/v.5/1\n")
    calls: list[tuple[int, int]] = []
    report = shard_corpus(
        corpus,
        tmp_path / "shards",
        ShardingOptions(**OPTIONS),
        trials=tmp_path / "lists",
        progress=lambda *call: calls.append(call),
    )
    assert calls == [(k, 12) for k in range(1, 13)]
    assert (report.recordings, report.bad) == (12, ())
    assert detect_format(tmp_path / "shards") == "shards"
    found, store = read_corpus(tmp_path / "shards"), ShardStore(tmp_path / "shards")
    assert found.name == "small"
    assert (tmp_path / "shards" / "trials" / "dev.txt").read_text() == "1 s2/v.4/0 s2/v.5/1\n"
    assert sorted(u.utterance for u in found.utterances) == sorted(u.utterance for u in corpus.utterances)
    for place, utterance in enumerate(found.utterances):
        source = corpus[utterance.utterance]
        assert (utterance.speaker, utterance.split, utterance.extra) == (source.speaker, source.split, source.extra)
        assert utterance.path.startswith(f"{source.split}-")
        assert utterance.duration_s == store.samples(place) / 16000
        assert (utterance.start_s, utterance.segment_s) == (0.0, None)
        expected = read_audio(corpus.path_of(source), start_s=source.start_s, duration_s=source.segment_s)
        np.testing.assert_array_equal(store[place], to_int16(expected))
    assert [u.utterance for u in found.split("train").utterances] != [
        u.utterance for u in corpus.split("train").utterances
    ]
    assert not list(tmp_path.glob(".shards.*"))


def test_shards__are_the_same_after_an_interrupt(corpus: Corpus, tmp_path: Path) -> None:
    shard_corpus(corpus, tmp_path / "whole", ShardingOptions(**OPTIONS))

    def interrupt(done: int, _: int) -> None:
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shard_corpus(corpus, tmp_path / "shards", ShardingOptions(**OPTIONS), progress=interrupt)
    assert not (tmp_path / "shards").exists()
    with pytest.raises(CorpusError, match="another corpus, or with other options"):
        shard_corpus(corpus, tmp_path / "shards", ShardingOptions(**OPTIONS, seed=1))
    calls: list[int] = []
    shard_corpus(corpus, tmp_path / "shards", ShardingOptions(**OPTIONS), progress=lambda done, _: calls.append(done))
    assert calls[0] > 1
    assert calls[-1] == 12
    assert files_of(tmp_path / "shards") == files_of(tmp_path / "whole")
    with pytest.raises(OutputExistsError, match="is left as it is"):
        shard_corpus(corpus, tmp_path / "shards", ShardingOptions(**OPTIONS))


def test_shards__bad_recordings_are_listed_up_to_the_allowed_share(corpus: Corpus, tmp_path: Path) -> None:
    content = (corpus.root / "audio" / "1.wav").read_bytes()
    (corpus.root / "audio" / "1.wav").write_bytes(content[:5000])
    with pytest.raises(AudioError, match=r"1 of 12 recordings cannot be read, allowed is a share of 0.*truncated"):
        shard_corpus(corpus, tmp_path / "shards", ShardingOptions(**OPTIONS))
    assert not (tmp_path / "shards").exists()
    report = shard_corpus(corpus, tmp_path / "shards", ShardingOptions(**OPTIONS, allowed_bad_share=0.2))
    assert {bad.utterance for bad in report.bad} == {"s0/v.1/0", "s0/v.1/1"}
    lines = (tmp_path / "shards" / BAD_FILES).read_text().splitlines()
    assert lines[0].split("\t") == ["path", "utterance", "reason"]
    assert {line.split("\t")[1] for line in lines[1:]} == {"s0/v.1/0", "s0/v.1/1"}
    assert len(read_corpus(tmp_path / "shards")) == len(ShardStore(tmp_path / "shards")) == 10


def test_shards__as_is_keep_the_bytes_and_refuse_segments(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="use --codec flac"):
        shard_corpus(corpus, tmp_path / "shards", ShardingOptions(**OPTIONS, codec="as-is"))
    whole = [Utterance(utterance=f"u{k}", path=f"audio/{k}.wav", speaker=f"s{k // 2}") for k in range(6)]
    files = Corpus(corpus.root, tuple(whole), "files")
    shard_corpus(files, tmp_path / "as-is", ShardingOptions(**OPTIONS, codec="as-is"))
    found, store = read_corpus(tmp_path / "as-is"), ShardStore(tmp_path / "as-is")
    for place, utterance in enumerate(found.utterances):
        shard, offset, size = store.index.members[place, :3]
        tar = (tmp_path / "as-is" / store.index.shards[shard].name).read_bytes()
        path = corpus.root / "audio" / f"{utterance.utterance[1]}.wav"
        assert tar[offset : offset + size] == path.read_bytes()
        np.testing.assert_array_equal(store[place], to_int16(read_audio(path)))


def test_shards__of_opus_have_the_lengths_of_their_recordings(corpus: Corpus, tmp_path: Path) -> None:
    shard_corpus(corpus, tmp_path / "shards", ShardingOptions(**OPTIONS, codec="opus"))
    store = ShardStore(tmp_path / "shards")
    for place in range(len(store)):
        assert len(store[place]) == store.samples(place) == 8000
        np.testing.assert_array_equal(store.crop(place, 4321, 1000), store[place][4321:5321])


def test_shard_folder__with_other_labels_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    shard_corpus(corpus, tmp_path / "shards", ShardingOptions(**OPTIONS))
    with pytest.raises(CorpusError, match="leave audio_root out"):
        read_corpus(tmp_path / "shards", audio_root=tmp_path)
    labels = tmp_path / "shards" / "utterances.tsv"
    labels.write_text(labels.read_text().replace("s0", "s9"))
    with pytest.raises(CorpusError, match="not the one that shards"):
        read_corpus(tmp_path / "shards")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"codec": "mp3"}, "flac, opus, as-is"),
        ({"codec": "opus", "sampling_rate_hz": 22050}, "Opus has the sampling rates"),
        ({"shard_mb": 0.0}, "shard_mb"),
        ({"workers": 0}, "workers"),
        ({"allowed_bad_share": 1.0}, "allowed_bad_share"),
    ],
)
def test_sharding__refuses_options_out_of_range(corpus: Corpus, tmp_path: Path, options: dict, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        shard_corpus(corpus, tmp_path / "shards", ShardingOptions(**options))


def test_sharding__a_place_that_cannot_be_written_is_named(corpus: Corpus, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CurvoxError, match="could not be written"):
        shard_corpus(corpus, tmp_path / "file" / "shards", ShardingOptions(**OPTIONS))
