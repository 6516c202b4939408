"""The synthesiser behind the voices: what it says depends on its own calls alone, and its failures are ours."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from curvox.errors import CurvoxError, InputError, MissingExtraError
from curvox.testing.espeak import SAMPLING_RATE_HZ, Espeak, prepare_espeak
from curvox.testing.voices import ACCENTS

TEXT = "The quiet farmer carried seven yellow lamps across the frozen river before the morning train arrived."
PLAIN = "pitch 90 110\n"


@pytest.fixture(scope="module")
def espeak_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    espeak_files = tmp_path_factory.mktemp("e")
    prepare_espeak(espeak_files, tuple({accent.dictionary for accent in ACCENTS}))
    return espeak_files


def say(folder: Path, *, language: str = "gmw/en-US", variant: str = PLAIN, seed: int = 1, **how: int) -> np.ndarray:
    with Espeak(folder, name="someone", seed=seed) as synthesiser:
        synthesiser.set_voice(language, variant)
        return synthesiser.say(TEXT, **({"wanted_samples": 10 * SAMPLING_RATE_HZ} | how))


def fundamental_hz(samples: np.ndarray) -> float:
    """Median over voiced frames of the lag that maximises the autocorrelation between 60 and 400 Hz."""
    found = []
    for frame in np.lib.stride_tricks.sliding_window_view(samples, 1024)[::512]:
        if np.sqrt(np.mean(frame**2)) < 0.05:
            continue
        correlation = np.correlate(frame, frame, "full")[1023:]
        lags = np.arange(SAMPLING_RATE_HZ // 400, SAMPLING_RATE_HZ // 60)
        best = lags[np.argmax(correlation[lags])]
        if correlation[best] > 0.5 * correlation[0]:
            found.append(SAMPLING_RATE_HZ / best)
    return float(np.median(found))


def test_espeak__says_the_same_whatever_was_said_before(espeak_files: Path) -> None:
    first = say(espeak_files)
    say(espeak_files, language="roa/es", variant="pitch 180 220\nbreath 0 4 4 4 4\n", seed=7)
    np.testing.assert_array_equal(say(espeak_files), first)


def test_espeak__speaks_at_the_pitch_of_the_variant(espeak_files: Path) -> None:
    low, high = say(espeak_files), say(espeak_files, variant="pitch 180 220\n")
    assert 85 < fundamental_hz(low) < 115
    assert 170 < fundamental_hz(high) < 230


def test_espeak__speaks_faster_when_asked(espeak_files: Path) -> None:
    slow, fast = (say(espeak_files, words_per_minute=rate).size / SAMPLING_RATE_HZ for rate in (120, 240))
    assert 1.6 < slow / fast < 2.4


def test_espeak__stops_soon_after_what_was_wanted(espeak_files: Path) -> None:
    wanted = SAMPLING_RATE_HZ
    assert wanted <= say(espeak_files, wanted_samples=wanted).size < wanted + SAMPLING_RATE_HZ // 2


def test_espeak__accents_read_the_same_text_differently(espeak_files: Path) -> None:
    spoken = [say(espeak_files, language=accent.language).tobytes() for accent in ACCENTS]
    assert len(set(spoken)) == len(ACCENTS) == 4


def test_espeak__refuses_an_unknown_language(espeak_files: Path) -> None:
    with pytest.raises(CurvoxError, match="gmw/nowhere"):
        say(espeak_files, language="gmw/nowhere")


def test_espeak__an_error_in_the_callback_comes_out_of_say(espeak_files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError("no room for the samples")

    monkeypatch.setattr(np.ctypeslib, "as_array", fail)
    with pytest.raises(MemoryError, match="no room"):
        say(espeak_files)
    monkeypatch.undo()
    assert say(espeak_files).size > SAMPLING_RATE_HZ


def test_espeak__can_be_closed_twice_but_then_says_nothing(espeak_files: Path) -> None:
    synthesiser = Espeak(espeak_files, name="closed")
    synthesiser.close()
    synthesiser.close()
    with pytest.raises(CurvoxError, match="closed"):
        synthesiser.say(TEXT, wanted_samples=100)


def test_espeak__of_one_name_is_open_only_once(espeak_files: Path) -> None:
    with Espeak(espeak_files, name="taken"), pytest.raises(InputError, match="already open"):
        Espeak(espeak_files, name="taken")


def test_espeak__two_at_a_time_do_not_disturb_each_other(espeak_files: Path) -> None:
    alone = say(espeak_files)
    with (
        Espeak(espeak_files, name="first", seed=1) as first,
        Espeak(espeak_files, name="second", seed=9) as second,
    ):
        first.set_voice("gmw/en-US", PLAIN)
        second.set_voice("roa/es", "pitch 180 220\n")
        second.say(TEXT, wanted_samples=20000)
        np.testing.assert_array_equal(first.say(TEXT, wanted_samples=10 * SAMPLING_RATE_HZ), alone)


def test_espeak__leaves_no_library_copies_and_the_package_alone(espeak_files: Path) -> None:
    import espeakng_loader

    say(espeak_files)
    assert [path.name for path in espeak_files.iterdir()] == ["espeak-ng-data"]
    assert not Path(espeakng_loader.get_data_path(), "voices", "!v", "someone").exists()


def test_prepare_espeak__refuses_a_path_longer_than_espeak_can_hold(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="TMPDIR"):
        prepare_espeak(tmp_path / ("x" * 140), ("en",))


def test_prepare_espeak__names_the_missing_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'curvox\[demo\]'"):
        prepare_espeak(tmp_path, ("en",))


def test_import__of_the_package_brings_neither_torch_nor_the_synthesiser() -> None:
    code = (
        "import sys, curvox.testing, curvox.testing.voices\n"
        "print([name for name in ('torch', 'espeakng_loader', 'lhotse') if name in sys.modules])"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "[]"
