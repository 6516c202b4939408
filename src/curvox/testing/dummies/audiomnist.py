"""AudioMNIST in small."""

from __future__ import annotations

import json
from pathlib import Path

from curvox.testing.dummies.sound import write_lines, write_recording

# One accent without its capital letter and one age that is a number, as the original has them.
META = {
    "01": {"accent": "german", "age": 30, "gender": "male", "native speaker": "no", "origin": "Europe, Germany, Ulm"},
    "12": {"accent": "German", "age": "26", "gender": "female", "native speaker": "no", "origin": "Europe, Germany"},
    "60": {"accent": "Tamil", "age": "27", "gender": "female", "native speaker": "yes", "origin": "Asia, India"},
}


def lay_out_audiomnist(folder: Path) -> Path:
    """Lay out AudioMNIST: three speakers say three digits twice, at 48 kHz, beside the metadata."""
    meta = {
        speaker: {**labels, "recordingdate": f"17-06-22-11-04-{speaker}", "recordingroom": "Kino"}
        for speaker, labels in META.items()
    }
    write_lines(folder / "data" / "audioMNIST_meta.txt", json.dumps(meta, indent=4))
    for speaker in META:
        for digit in (0, 1, 9):
            for take in (0, 1):
                name = f"{digit}_{speaker}_{take}.wav"
                write_recording(folder / "data" / speaker / name, speaker, sampling_rate_hz=48000)
    return folder
