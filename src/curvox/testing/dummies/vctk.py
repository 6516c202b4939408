"""VCTK 0.92 in small."""

from __future__ import annotations

from pathlib import Path

from curvox.testing.dummies.sound import write_lines, write_recording

INFO = """\
ID  AGE  GENDER  ACCENTS  REGION COMMENTS
p225  23  F    English    Southern  England
p234  22  F    Scottish  West  Dumfries
p280  25  F    French"""
SPEAKERS = ("p225", "p234", "p280")


def lay_out_vctk(folder: Path) -> Path:
    """Lay out VCTK 0.92: two microphones, but one alone for p280, at 48 kHz; transcripts; what is known of speakers."""
    write_lines(folder / "speaker-info.txt", INFO)
    for speaker in SPEAKERS:
        for number in ("001", "002"):
            for microphone in ("mic1",) if speaker == "p280" else ("mic1", "mic2"):
                path = folder / "wav48_silence_trimmed" / speaker / f"{speaker}_{number}_{microphone}.flac"
                write_recording(path, speaker, take=number, sampling_rate_hz=48000)
            write_lines(folder / "txt" / speaker / f"{speaker}_{number}.txt", "Please call Stella.")
    return folder
