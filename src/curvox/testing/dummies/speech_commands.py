"""Speech Commands in small."""

from __future__ import annotations

from pathlib import Path

from curvox.testing.dummies.sound import write_lines, write_recording

TRAINED_ON, DEV, TESTED = ("00176480", "004ae714"), "0135f3f2", "0c40e715"
WORDS = ("bed", "yes")


def lay_out_speech_commands(folder: Path) -> Path:
    """Lay out Speech Commands: two words, two takes, the two lists, and the folder of background noise."""
    for word in WORDS:
        for speaker in (*TRAINED_ON, DEV, TESTED):
            for take in (0, 1):
                write_recording(folder / word / f"{speaker}_nohash_{take}.wav", speaker, take=f"{word}{take}")
    for file, speaker in (("validation_list.txt", DEV), ("testing_list.txt", TESTED)):
        write_lines(folder / file, *(f"{word}/{speaker}_nohash_{take}.wav" for word in WORDS for take in (0, 1)))
    write_recording(folder / "_background_noise_" / "running_tap.wav", "tap")
    write_lines(folder / "_background_noise_" / "README.md", "Noise.")
    write_lines(folder / "README.md", "# A dummy of the Speech Commands data set")
    return folder
