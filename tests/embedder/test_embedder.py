"""The model a user holds."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

import curvox
from curvox.audio import FilterBank, from_int16, read_audio, to_int16
from curvox.corpora import read_corpus, read_trials
from curvox.embedder import Embedder
from curvox.embedder.embedder import batches_by_length
from curvox.encoders.ecapa_tdnn import ECAPATDNN
from curvox.errors import AudioError, InputError
from curvox.geometry import Euclidean, Hypersphere, PoincareBall

SPACES = {"euclidean": Euclidean, "hypersphere": Hypersphere, "poincare_ball": PoincareBall}


def make_model(space: str = "poincare_ball") -> Embedder:
    torch.manual_seed(0)
    encoder = ECAPATDNN(n_mels=24, channels=16, aggregation_channels=24, embedding_dim=8)
    return Embedder(FilterBank(n_mels=24), encoder, SPACES[space](), {}).eval()


@pytest.fixture(scope="module")
def model(tiny_run: Path) -> Embedder:
    return curvox.load(tiny_run)


@pytest.mark.parametrize("space", SPACES)
def test_embed__is_the_same_alone_in_a_batch_and_padded(space: str, voices: Path) -> None:
    model = make_model(space)
    paths = sorted(voices.rglob("*.flac"))[:5]
    batch = model.embed_files(paths)
    alone = np.stack([model.embed(path) for path in paths])
    np.testing.assert_allclose(batch, alone, atol=1e-5)
    assert not np.allclose(alone[0], alone[1], atol=1e-3)


def test_embed__gives_a_point_of_the_space(model: Embedder, two_recordings: tuple[Path, Path]) -> None:
    point = model.embed(two_recordings[0])
    assert point.shape == (model.embedding_dim,)
    assert point.dtype == np.float32
    assert isinstance(model.space, PoincareBall)
    assert 0 < np.linalg.norm(point) < 1


def test_embed__takes_a_file_and_its_waveform_alike(model: Embedder, two_recordings: tuple[Path, Path]) -> None:
    waveform = read_audio(two_recordings[0], sampling_rate_hz=16000)
    expected = model.embed(two_recordings[0])
    np.testing.assert_array_equal(model.embed(waveform, sampling_rate_hz=16000), expected)
    np.testing.assert_array_equal(model.embed(waveform), expected)


def test_embed__of_a_lossless_copy_is_the_same(
    model: Embedder, two_recordings: tuple[Path, Path], tmp_path: Path
) -> None:
    samples, rate = soundfile.read(two_recordings[0], dtype="int16")
    soundfile.write(tmp_path / "copy.wav", samples, rate)
    np.testing.assert_array_equal(model.embed(tmp_path / "copy.wav"), model.embed(two_recordings[0]))


def test_embed__twice_is_the_same_and_leaves_the_mode_alone(two_recordings: tuple[Path, Path]) -> None:
    model = make_model().train()
    np.testing.assert_array_equal(model.embed(two_recordings[0]), model.embed(two_recordings[0]))
    assert model.training


@pytest.mark.parametrize(
    ("waveform", "said"),
    [
        (np.zeros(16000), "silent"),
        (np.full(16000, np.nan), "finite|NaN"),
        (np.random.default_rng(0).normal(size=160), "25 ms|short"),
        (np.zeros(0), "empty|no samples|short"),
    ],
)
def test_embed__refuses_a_useless_waveform(waveform: np.ndarray, said: str) -> None:
    with pytest.raises(AudioError, match=f"(?i){said}"):
        make_model().embed(waveform)


def test_embed__refuses_another_rate(two_recordings: tuple[Path, Path]) -> None:
    with pytest.raises(InputError, match="16000 Hz, got 8000 Hz"):
        make_model().embed(np.random.default_rng(0).normal(size=8000), sampling_rate_hz=8000)


def test_embed__refuses_damaged_weights(two_recordings: tuple[Path, Path]) -> None:
    model = make_model("euclidean")
    with torch.no_grad():
        model.encoder.project.weight[0, 0] = float("nan")  # pyright: ignore
    with pytest.raises(InputError, match="weights are damaged"):
        model.embed(two_recordings[0])


def test_verify__scores_by_the_distance_of_the_space(two_recordings: tuple[Path, Path]) -> None:
    a, b = (torch.from_numpy(make_model().embed(path)).double() for path in two_recordings)
    u = 2 * (a - b).square().sum() / ((1 - a.square().sum()) * (1 - b.square().sum()))
    expected = -float(torch.acosh(1 + u))
    assert make_model().verify(*two_recordings).score == pytest.approx(expected, rel=1e-4)


def test_embed_recordings__gives_the_norms_of_raw_embeddings(voices: Path) -> None:
    model, paths = make_model("hypersphere"), sorted(voices.rglob("*.flac"))[:4]
    waveforms = [read_audio(path, sampling_rate_hz=16000) for path in paths]
    found = model.embed_recordings([lambda waveform=waveform: waveform for waveform in waveforms])
    np.testing.assert_array_equal(found.points, model.embed_files(paths))
    assert found.qualities == ()
    with torch.no_grad():
        raw = [model(torch.from_numpy(from_int16(to_int16(waveform)))[None])[0] for waveform in waveforms]
    np.testing.assert_allclose(found.norms, [float(z.norm()) for z in raw], rtol=1e-4)


def test_embed_files__is_the_same_for_any_block(voices: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, paths = make_model(), sorted(voices.rglob("*.flac"))[:7]
    whole = model.embed_files(paths)
    seen: list[tuple[int, int]] = []
    monkeypatch.setattr("curvox.embedder.embedder.BLOCK_S", 4.0)
    np.testing.assert_allclose(model.embed_files(paths, lambda *step: seen.append(step)), whole, atol=1e-5)
    assert seen == [(i, 7) for i in range(1, 8)]
    assert model.embed_files([]).shape == (0, 8)


def test_embed_utterances__names_every_recording_it_cannot_use(model: Embedder, voices: Path, tmp_path: Path) -> None:
    folder = tmp_path / "voices"
    shutil.copytree(voices, folder)
    trials = read_trials(folder / "trials" / "test.txt")
    corpus = read_corpus(folder)
    broken = sorted(trials.utterances)[:2]
    for name in broken:
        corpus.path_of(name).write_bytes(b"no audio")
    with pytest.raises(AudioError, match=f"2 of {len(trials.utterances)} recordings") as caught:
        model.embed_utterances(corpus, trials.utterances)
    assert all(f"{name}: " in str(caught.value) for name in broken)


@pytest.mark.parametrize("lengths", [[5], [9, 1, 5, 5, 30, 2], [100, 100]])
def test_batches__hold_every_item_once_within_the_budget(lengths: list[int]) -> None:
    batches = batches_by_length(lengths, 20)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert all(len(b) == 1 or len(b) * max(lengths[i] for i in b) <= 20 for b in batches)


def test_load__is_the_door_and_knows_its_options(tiny_run: Path) -> None:
    options: dict[str, Any] = {"device": "cpu"}
    assert isinstance(curvox.load(tiny_run, **options), Embedder)
