"""What every stage of augmentation keeps, asked of each in turn: over the whole table, whatever the stage does."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from curvox.errors import InputError
from curvox.testing.dummies import write_musan, write_rirs_noises
from curvox.training.augmenting import Augmentation, Augmenter
from curvox.training.options import build_augmentation

SNR_DB = 8.0
NONE = dict.fromkeys(("noise_probability", "babble_probability", "channel_probability", "gain_probability"), 0.0)
NO_RECORDING = dict.fromkeys(("noise_probability", "music_probability", "babble_probability"), 0.0)


@dataclass(frozen=True)
class Case:
    """A stage that changes every item, and what it is known to do."""

    stage: str
    options: dict[str, Any]
    adds_db: float | None = None
    """Signal-to-noise ratio of what is added."""
    keeps_power: bool = False
    of_the_batch: bool = False
    """The other items are part of the result."""


def added(stage: str, kind: str, **more: Any) -> Case:
    prefix = "" if (stage, kind) == ("waveforms", "noise") else f"{kind}_"
    options = dict(NONE if stage == "waveforms" else NO_RECORDING)
    options |= {f"{kind}_probability": 1.0, f"{prefix}snr_low_db": SNR_DB, f"{prefix}snr_high_db": SNR_DB}
    return Case(stage, options, adds_db=SNR_DB, **more)


CASES = {
    "rooms": Case("rooms", {"probability": 1.0}, keeps_power=True),
    "recorded noise": added("recorded_noise", "noise"),
    "recorded music": added("recorded_noise", "music"),
    "recorded babble": added("recorded_noise", "babble"),
    "noise": added("waveforms", "noise"),
    "babble": added("waveforms", "babble", of_the_batch=True),
    "channel": Case("waveforms", {**NONE, "channel_probability": 1.0}),
    "gain": Case("waveforms", {**NONE, "gain_probability": 1.0}),
    "clipping": Case("clipping", {"probability": 1.0}),
    "telephone": Case("telephone", {"probability": 1.0, "mu_law_probability": 0.0}),
    "mu-law": Case("telephone", {"probability": 1.0, "mu_law_probability": 1.0}),
    "opus": Case("codecs", {"probability": 1.0}, keeps_power=True),
    "mp3": Case("codecs", {"probability": 1.0, "mp3_probability": 1.0}, keeps_power=True),
}
each = pytest.mark.parametrize("name", CASES)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("sources")
    return {
        "rooms": write_rirs_noises(folder / "RIRS_NOISES"),
        "recorded_noise": write_musan(folder / "musan"),
        "cache": folder / "cache",
    }


def opened(case: Case, folders: dict[str, Path], **changed: Any) -> Augmenter:
    path = {"path": str(folders[case.stage])} if case.stage in folders else {}
    augmentation = build_augmentation({case.stage: {**path, **case.options, **changed}})
    return augmentation.open(sampling_rate_hz=16000, seed=1, cache=folders["cache"])


def speech(n_items: int = 6, n_samples: int = 9600) -> torch.Tensor:
    """Noise with the spectrum and the syllables of speech, of different levels."""
    rng = np.random.default_rng(4)
    spectra = np.fft.rfft(rng.standard_normal((n_items, n_samples)))
    hz = np.linspace(0, 8000, spectra.shape[1])
    sound = np.fft.irfft(spectra * np.exp(-hz / 1500) * (hz > 80), n=n_samples)
    sound *= 1 + np.sin(2 * np.pi * 4 * np.arange(n_samples) / 16000 + rng.uniform(0, 6, (n_items, 1)))
    return torch.tensor(
        0.3 * sound / np.abs(sound).max(1, keepdims=True) * np.logspace(-1, 0, n_items)[:, None]
    ).float()


def db(ratio: torch.Tensor) -> np.ndarray:
    return 10 * np.log10(ratio.double().numpy())


def test_cases__are_of_every_stage_that_changes_waveforms() -> None:
    stages = {field.name for field in fields(Augmentation)} - {"beside_clean", "features"}
    assert {case.stage for case in CASES.values()} == stages


@each
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_stage__keeps_shape_type_and_what_it_was_given(name: str, dtype: torch.dtype, folders: dict[str, Path]) -> None:
    batch = speech().to(dtype)
    before = batch.clone()
    changed = opened(CASES[name], folders).change_waveforms(batch, list(range(6)))
    assert changed.shape == batch.shape
    assert changed.dtype == dtype
    assert changed.isfinite().all()
    assert torch.equal(batch, before)
    assert (changed != batch).any(1).all()


@each
def test_stage__is_a_function_of_waveform_and_seed(name: str, folders: dict[str, Path]) -> None:
    case, batch, seeds = CASES[name], speech(), [11, 12, 13, 14, 15, 2**62]
    augmenter = opened(case, folders)
    whole = augmenter.change_waveforms(batch, seeds)
    assert torch.equal(opened(case, folders).change_waveforms(batch, seeds), whole)
    if not case.of_the_batch:
        for row in (0, 5):
            alone = augmenter.change_waveforms(batch[row : row + 1], seeds[row : row + 1])[0]
            torch.testing.assert_close(alone, whole[row], atol=1e-5, rtol=1e-4)
    if name not in ("telephone", "mu-law"):  # one line is as the other
        assert not torch.equal(augmenter.change_waveforms(batch, list(range(6))), whole)


@each
def test_stage__does_not_move_speech_in_time(name: str, folders: dict[str, Path]) -> None:
    batch = speech()
    changed = opened(CASES[name], folders).change_waveforms(batch, list(range(6)))
    n_fft = 2 * batch.shape[1]
    products = torch.fft.irfft(torch.fft.rfft(changed, n=n_fft) * torch.fft.rfft(batch, n=n_fft).conj(), n=n_fft)
    lags = products.argmax(1)
    # A room is not symmetric, and the lowest rates of Opus come back up to a sample early.
    assert (torch.minimum(lags, n_fft - lags) <= (8 if name == "rooms" else 1 if name == "opus" else 0)).all()


@each
def test_stage__stands_at_the_ratio_or_the_power_asked_for(name: str, folders: dict[str, Path]) -> None:
    case, batch = CASES[name], speech()
    changed = opened(case, folders).change_waveforms(batch, list(range(6)))
    power, new_power = batch.square().mean(1), changed.square().mean(1)
    if case.adds_db is not None:
        np.testing.assert_allclose(db(power / (changed - batch).square().mean(1)), case.adds_db, atol=0.1)
    elif case.keeps_power:
        np.testing.assert_allclose(db(new_power / power), 0, atol=0.01)
    else:  # no more than a drawn gain, or a rippling band, may add
        assert (np.abs(db(new_power / power)) < 13).all()


@each
def test_stage__leaves_silence_alone_and_everything_when_it_has_no_chance(name: str, folders: dict[str, Path]) -> None:
    case, batch = CASES[name], speech()
    batch[2] = 0
    changed = opened(case, folders).change_waveforms(batch, list(range(6)))
    assert not changed[2].any()
    never = {key: 0.0 for key in case.options if key.endswith("probability")}
    assert torch.equal(opened(case, folders, **never).change_waveforms(batch, list(range(6))), batch)


@each
@pytest.mark.parametrize(
    ("batch", "seeds", "said"),
    [
        (torch.zeros(1600), [0], "shape"),
        (torch.zeros(1, 1600, dtype=torch.int16), [0], "divide 16-bit integers"),
        (torch.zeros(2, 1600), [0], "1 seeds for 2 items"),
        (torch.zeros(1, 1600), [-1], "non-negative"),
    ],
)
def test_stage__refuses_input_that_does_not_fit(
    name: str, batch: torch.Tensor, seeds: list[int], said: str, folders: dict[str, Path]
) -> None:
    with pytest.raises(InputError, match=said):
        opened(CASES[name], folders).change_waveforms(batch, seeds)
