"""Lay out dummies of published corpora: small trees exactly like the real ones, with seconds of synthetic sound.

The real corpora cannot be fetched in a test. Each entry of :data:`DUMMIES` is a function that takes a new folder, lays
the corpus out in it with metadata and lists of trials, and returns the folder to name to ``curvox data prepare``. The
names are those of :data:`curvox.corpora.PREPARATIONS`. `write_musan` and `write_rirs_noises` do the same for folders of
noise and of room responses. The same folder content comes out every time.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from curvox.files import replace_text
from curvox.tables import Entry, Table

DUMMIES = Table(
    "dummy corpus",
    {
        "voxceleb1": Entry(__name__, "lay_out_voxceleb1", "two speakers to train on, two to test"),
        "voxceleb2": Entry(__name__, "lay_out_voxceleb2", "two speakers to train on, two to test"),
        "cnceleb1": Entry(__name__, "lay_out_cnceleb1", "two speakers to train on, two to evaluate with"),
        "cnceleb2": Entry(__name__, "lay_out_cnceleb2", "two speakers"),
        "librispeech": Entry(__name__, "lay_out_librispeech", "five speakers in four subsets"),
        "vctk": Entry(__name__, "lay_out_vctk", "three speakers, two microphones"),
        "audiomnist": Entry(__name__, "lay_out_audiomnist", "three speakers, three digits"),
        "speech_commands": Entry(__name__, "lay_out_speech_commands", "four speakers, two words"),
    },
)


_SYLLABLE_S = 0.12
_LEVEL = 0.2


def speech_like(speaker: str, take: str, *, seconds: float = 0.4, sampling_rate_hz: int = 16000) -> np.ndarray:
    """Return a waveform that depends on the names alone: float64 (samples,), within [-1, 1].

    The speaker's name decides pitch (90 to 250 Hz) and timbre, the name of the take the rhythm and a slow drift of the
    pitch. It has the duration and the rough spectrum of speech, and no words.
    """
    voice = np.random.default_rng(zlib.crc32(speaker.encode()))
    chance = np.random.default_rng(zlib.crc32(f"{speaker}/{take}".encode()))
    samples = round(seconds * sampling_rate_hz)
    time_s = np.arange(samples) / sampling_rate_hz
    pitch_hz = voice.uniform(90, 250) * (1 + 0.1 * np.interp(time_s, *_curve(chance, seconds)))
    phase_rad = 2 * np.pi * np.cumsum(pitch_hz) / sampling_rate_hz
    weights = voice.uniform(0.2, 1.0, 20) / np.arange(1, 21)
    tone = sum(weight * np.sin(number * phase_rad) for number, weight in enumerate(weights, start=1))
    loudness = np.abs(np.interp(time_s, *_curve(chance, seconds))) + 0.1
    sound = tone * loudness + chance.normal(0, 0.02, samples)
    return _LEVEL * sound / np.abs(sound).max()


def _curve(chance: np.random.Generator, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    knots_s = np.arange(0, seconds + 2 * _SYLLABLE_S, _SYLLABLE_S)
    return knots_s, chance.normal(0, 1, len(knots_s))


def write_recording(path: Path, speaker: str, *, take: str = "", sampling_rate_hz: int = 16000) -> None:
    """Write a recording of 16 bits, in the format of its ending (.wav or .flac); the take is its path if not named."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sound = speech_like(speaker, take or path.name, sampling_rate_hz=sampling_rate_hz)
    soundfile.write(path, sound, sampling_rate_hz, subtype="PCM_16")


def write_lines(path: Path, *lines: str) -> None:
    """Write a text file, its folder first."""
    replace_text(path, "\n".join(lines) + "\n")


_VOXCELEB_VIDEOS = ("1zcIwhmdeo4", "7gWzIy6yIIk")
_VOXCELEB1_SPEAKERS = (
    ("id10001", "A.J._Buckley", "m", "Ireland", "dev"),
    ("id10002", "A.R._Rahman", "m", "India", "dev"),
    ("id10270", "Eartha_Kitt", "f", "USA", "test"),
    ("id10271", "Ebon_Moss-Bachrach", "f", "USA", "test"),
)
_VOXCELEB2_SPEAKERS = (
    ("id00012", "n000012", "m", "dev"),
    ("id00015", "n000015", "f", "dev"),
    ("id00017", "n000017", "m", "test"),
    ("id00061", "n000061", "m", "test"),
)


def lay_out_voxceleb1(folder: Path) -> Path:
    """Lay out VoxCeleb1: ``wav/``, its metadata, and the three cleaned lists of trials."""
    _write_videos(folder / "wav", [row[0] for row in _VOXCELEB1_SPEAKERS])
    header = "VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet"
    write_lines(folder / "vox1_meta.csv", header, *("\t".join(row) for row in _VOXCELEB1_SPEAKERS))
    tested = [row[0] for row in _VOXCELEB1_SPEAKERS if row[-1] == "test"]
    write_lines(folder / "veri_test2.txt", *_voxceleb_trials(tested))
    write_lines(folder / "list_test_all2.txt", *_voxceleb_trials([row[0] for row in _VOXCELEB1_SPEAKERS]))
    # Hard trials are of one gender and one nationality.
    write_lines(folder / "list_test_hard2.txt", *_voxceleb_trials(tested[::-1]))
    return folder


def lay_out_voxceleb2(folder: Path) -> Path:
    """Lay out VoxCeleb2 as it is after conversion: ``dev/wav/`` and ``test/wav/``, and its metadata with its spaces.

    The m4a of the original cannot be written here.
    """
    for division in ("dev", "test"):
        _write_videos(folder / division / "wav", [row[0] for row in _VOXCELEB2_SPEAKERS if row[-1] == division])
    write_lines(
        folder / "vox2_meta.csv",
        "VoxCeleb2 ID ,VGGFace2 ID ,Gender ,Set ",
        *(" ,".join(row) + " " for row in _VOXCELEB2_SPEAKERS),
    )
    return folder


def _write_videos(folder: Path, speakers: Sequence[str]) -> None:
    for speaker in speakers:
        for video in _VOXCELEB_VIDEOS:
            for number in (1, 2):
                name = f"{number:05}.wav"
                write_recording(folder / speaker / video / name, speaker, take=f"{video}/{name}")


def _voxceleb_trials(speakers: Sequence[str]) -> list[str]:
    lines = []
    for speaker, other in zip(speakers, [*speakers[1:], speakers[0]], strict=True):
        for number in (1, 2):
            first = f"{speaker}/{_VOXCELEB_VIDEOS[0]}/{number:05}.wav"
            lines += [
                f"1 {first} {speaker}/{_VOXCELEB_VIDEOS[1]}/00001.wav",
                f"0 {first} {other}/{_VOXCELEB_VIDEOS[1]}/00002.wav",
            ]
    return lines


_CNCELEB_TRAINED_ON = ("id00000", "id00001")
_CNCELEB_EVALUATED = ("id00800", "id00801")
_CNCELEB_NAMES = ("singing-01-001", "singing-01-002", "interview-02-001", "live_broadcast-03-001")
# Those of an evaluated speaker that are enrolled, and those that are tested; the last is neither.
_CNCELEB_ENROLLED, _CNCELEB_TESTED = _CNCELEB_NAMES[:2], _CNCELEB_NAMES[2:3]


def lay_out_cnceleb1(folder: Path) -> Path:
    """Lay out CN-Celeb1: ``data/``, ``dev/``, ``eval/`` with its lists, which say .wav where the files are .flac."""
    _write_cnceleb(folder / "data", (*_CNCELEB_TRAINED_ON, *_CNCELEB_EVALUATED))
    write_lines(folder / "dev" / "dev.lst", *_CNCELEB_TRAINED_ON)
    for speaker in _CNCELEB_EVALUATED:
        write_recording(folder / "eval" / "enroll" / f"{speaker}-enroll.flac", speaker)
        for name in _CNCELEB_TESTED:
            write_recording(folder / "eval" / "test" / f"{speaker}-{name}.flac", speaker, take=name)
    lists = folder / "eval" / "lists"
    tests = [f"test/{speaker}-{name}.wav" for speaker in _CNCELEB_EVALUATED for name in _CNCELEB_TESTED]
    write_lines(lists / "enroll.lst", *(f"{s}-enroll enroll/{s}-enroll.wav" for s in _CNCELEB_EVALUATED))
    models = (" ".join([f"{s}-enroll", *(f"{s}/{name}.wav" for name in _CNCELEB_ENROLLED)]) for s in _CNCELEB_EVALUATED)
    write_lines(lists / "enroll.map", *models)
    write_lines(lists / "test.lst", *tests)
    pairs = [(speaker, test) for speaker in _CNCELEB_EVALUATED for test in tests]
    write_lines(lists / "trials.lst", *(f"{s}-enroll {test} {int(test[5:12] == s)}" for s, test in pairs))
    return folder


def lay_out_cnceleb2(folder: Path) -> Path:
    """Lay out CN-Celeb2: ``data/`` and the list of its speakers."""
    speakers = ("id10000", "id10001")
    _write_cnceleb(folder / "data", speakers)
    write_lines(folder / "spk.lst", *speakers)
    return folder


def _write_cnceleb(folder: Path, speakers: Sequence[str]) -> None:
    for speaker in speakers:
        for name in _CNCELEB_NAMES:
            write_recording(folder / speaker / f"{name}.flac", speaker, take=name)


_LIBRISPEECH_CHAPTERS = {
    "train-clean-100": {"103": ("1240", "1241"), "1034": ("121119",)},
    "train-other-500": {"20": ("205",)},
    "dev-clean": {"84": ("121123", "121550")},
    "test-other": {"367": ("130732",)},
}
_LIBRISPEECH_SPEAKERS = """\
; Some pieces of information about the speakers in the corpus; the dummy has names of its own
;
;ID  |SEX| SUBSET           |MINUTES| NAME
20   | F | train-other-500  | 30.07 | Ada Dummy
60   | M | train-clean-100  | 20.18 | |CBW|Bela
84   | F | dev-clean        | 8.02  | Cleo Dummy
103  | F | train-clean-100  | 25.19 | Dora Dummy
367  | M | test-other       | 8.10  | Emil Dummy
1034 | M | train-clean-100  | 25.11 | Finn Dummy"""


def lay_out_librispeech(folder: Path) -> Path:
    """Lay out LibriSpeech: four of its subsets with transcripts, and the list of speakers, one of whom is not here."""
    write_lines(folder / "SPEAKERS.TXT", _LIBRISPEECH_SPEAKERS)
    for subset, speakers in _LIBRISPEECH_CHAPTERS.items():
        for speaker, chapters in speakers.items():
            for chapter in chapters:
                here = folder / subset / speaker / chapter
                names = [f"{speaker}-{chapter}-{number:04}" for number in (0, 1)]
                for name in names:
                    write_recording(here / f"{name}.flac", speaker)
                write_lines(here / f"{speaker}-{chapter}.trans.txt", *(f"{name} NOT A WORD" for name in names))
    return folder


_VCTK_INFO = """\
ID  AGE  GENDER  ACCENTS  REGION COMMENTS
p225  23  F    English    Southern  England
p234  22  F    Scottish  West  Dumfries
p280  25  F    French"""
_VCTK_SPEAKERS = ("p225", "p234", "p280")


def lay_out_vctk(folder: Path) -> Path:
    """Lay out VCTK 0.92: two microphones, but one alone for p280, at 48 kHz; transcripts; what is known of speakers."""
    write_lines(folder / "speaker-info.txt", _VCTK_INFO)
    for speaker in _VCTK_SPEAKERS:
        for number in ("001", "002"):
            for microphone in ("mic1",) if speaker == "p280" else ("mic1", "mic2"):
                path = folder / "wav48_silence_trimmed" / speaker / f"{speaker}_{number}_{microphone}.flac"
                write_recording(path, speaker, take=number, sampling_rate_hz=48000)
            write_lines(folder / "txt" / speaker / f"{speaker}_{number}.txt", "Please call Stella.")
    return folder


# One accent without its capital letter and one age that is a number, as the original has them.
_AUDIOMNIST_SPEAKERS = {
    "01": {"accent": "german", "age": 30, "gender": "male", "native speaker": "no", "origin": "Europe, Germany, Ulm"},
    "12": {"accent": "German", "age": "26", "gender": "female", "native speaker": "no", "origin": "Europe, Germany"},
    "60": {"accent": "Tamil", "age": "27", "gender": "female", "native speaker": "yes", "origin": "Asia, India"},
}


def lay_out_audiomnist(folder: Path) -> Path:
    """Lay out AudioMNIST: three speakers say three digits twice, at 48 kHz, beside the metadata."""
    meta = {
        speaker: {**labels, "recordingdate": f"17-06-22-11-04-{speaker}", "recordingroom": "Kino"}
        for speaker, labels in _AUDIOMNIST_SPEAKERS.items()
    }
    write_lines(folder / "data" / "audioMNIST_meta.txt", json.dumps(meta, indent=4))
    for speaker in _AUDIOMNIST_SPEAKERS:
        for digit in (0, 1, 9):
            for take in (0, 1):
                name = f"{digit}_{speaker}_{take}.wav"
                write_recording(folder / "data" / speaker / name, speaker, sampling_rate_hz=48000)
    return folder


_COMMANDS_TRAINED_ON, _COMMANDS_DEV, _COMMANDS_TESTED = ("00176480", "004ae714"), "0135f3f2", "0c40e715"
_COMMANDS_WORDS = ("bed", "yes")


def lay_out_speech_commands(folder: Path) -> Path:
    """Lay out Speech Commands: two words, two takes, the two lists, and the folder of background noise."""
    for word in _COMMANDS_WORDS:
        for speaker in (*_COMMANDS_TRAINED_ON, _COMMANDS_DEV, _COMMANDS_TESTED):
            for take in (0, 1):
                write_recording(folder / word / f"{speaker}_nohash_{take}.wav", speaker, take=f"{word}{take}")
    for file, speaker in (("validation_list.txt", _COMMANDS_DEV), ("testing_list.txt", _COMMANDS_TESTED)):
        write_lines(
            folder / file, *(f"{word}/{speaker}_nohash_{take}.wav" for word in _COMMANDS_WORDS for take in (0, 1))
        )
    write_recording(folder / "_background_noise_" / "running_tap.wav", "tap")
    write_lines(folder / "_background_noise_" / "README.md", "Noise.")
    write_lines(folder / "README.md", "# A dummy of the Speech Commands data set")
    return folder


_RATE_HZ = 16000
_MUSAN_SOURCES = {"noise": ("free-sound", "sound-bible"), "music": ("fma", "jamendo"), "speech": ("librivox", "us-gov")}
_ROOMS = ("smallroom", "mediumroom", "largeroom")


def write_musan(folder: str | os.PathLike[str], *, recordings: int = 3, seed: int = 0) -> Path:
    """Write ``recordings`` files of 1 to 3 s for each of MUSAN's six sources, with its lists beside them.

    Noise is white, music is three tones, speech is noise that comes in syllables.

    Returns:
        The folder.
    """
    rng = np.random.default_rng(seed)
    for kind, sources in _MUSAN_SOURCES.items():
        for source in sources:
            place = Path(folder) / kind / source
            place.mkdir(parents=True)
            for number in range(recordings):
                samples = _sound(kind, rng, int(rng.integers(_RATE_HZ, 3 * _RATE_HZ)))
                soundfile.write(place / f"{kind}-{source}-{number:04d}.wav", samples, _RATE_HZ)
            replace_text(place / "LICENSE", "made up\n")
            replace_text(place / "ANNOTATIONS", "")
    replace_text(Path(folder) / "README", "made up\n")
    return Path(folder)


def write_rirs_noises(folder: str | os.PathLike[str], *, rooms: int = 2, seed: int = 0) -> Path:
    """Write two responses for each of ``rooms`` small, middle-sized and large rooms, with the lists beside them.

    A response is a direct path after some milliseconds and noise that falls by 60 dB in 0.2, 0.4 or 0.8 s.

    Returns:
        The folder.
    """
    rng = np.random.default_rng(seed)
    root = Path(folder) / "simulated_rirs"
    for size, (kind, rt60_s) in enumerate(zip(_ROOMS, (0.2, 0.4, 0.8), strict=True)):
        lines = []
        for room in range(1, rooms + 1):
            place = root / kind / f"Room{room:03d}"
            place.mkdir(parents=True)
            for number in range(1, 3):
                name = f"Room{room:03d}-{number:05d}"
                soundfile.write(place / f"{name}.wav", _response(rng, rt60_s, 80 * (size + 1)), _RATE_HZ)
                lines.append(
                    f"--rir-id {kind}-{name} --room-id {kind}-{room:03d} "
                    f"RIRS_NOISES/simulated_rirs/{kind}/{place.name}/{name}.wav"
                )
        replace_text(root / kind / "rir_list", "\n".join(lines) + "\n")
    return Path(folder)


def _sound(kind: str, rng: np.random.Generator, length: int) -> np.ndarray:
    time_s = np.arange(length) / _RATE_HZ
    if kind == "music":
        tones = rng.uniform(100, 2000, size=(3, 1))
        return 0.1 * np.sin(2 * np.pi * tones * time_s).sum(0)
    noise = 0.05 * rng.standard_normal(length)
    return noise if kind == "noise" else noise * (1.01 + np.sin(2 * np.pi * 4 * time_s))


def _response(rng: np.random.Generator, rt60_s: float, delay_samples: int) -> np.ndarray:
    length = int(rt60_s * _RATE_HZ)
    tail = 0.1 * rng.standard_normal(length) * 10 ** (-3 * np.arange(length) / length)
    return np.concatenate([np.zeros(delay_samples), [0.9], tail.clip(-0.5, 0.5)])
