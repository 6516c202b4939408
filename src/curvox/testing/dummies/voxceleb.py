"""VoxCeleb1 and 2 in small."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from curvox.testing.dummies.sound import write_lines, write_recording

VIDEOS = ("1zcIwhmdeo4", "7gWzIy6yIIk")
META1 = (
    ("id10001", "A.J._Buckley", "m", "Ireland", "dev"),
    ("id10002", "A.R._Rahman", "m", "India", "dev"),
    ("id10270", "Eartha_Kitt", "f", "USA", "test"),
    ("id10271", "Ebon_Moss-Bachrach", "f", "USA", "test"),
)
META2 = (
    ("id00012", "n000012", "m", "dev"),
    ("id00015", "n000015", "f", "dev"),
    ("id00017", "n000017", "m", "test"),
    ("id00061", "n000061", "m", "test"),
)


def lay_out_voxceleb1(folder: Path) -> Path:
    """Lay out VoxCeleb1: ``wav/``, its metadata, and the three cleaned lists of trials."""
    _write_videos(folder / "wav", [row[0] for row in META1])
    header = "VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet"
    write_lines(folder / "vox1_meta.csv", header, *("\t".join(row) for row in META1))
    tested = [row[0] for row in META1 if row[-1] == "test"]
    write_lines(folder / "veri_test2.txt", *_trials(tested))
    write_lines(folder / "list_test_all2.txt", *_trials([row[0] for row in META1]))
    # Hard trials are of one gender and one nationality.
    write_lines(folder / "list_test_hard2.txt", *_trials(tested[::-1]))
    return folder


def lay_out_voxceleb2(folder: Path) -> Path:
    """Lay out VoxCeleb2 as it is after conversion: ``dev/wav/`` and ``test/wav/``, and its metadata with its spaces.

    The m4a of the original cannot be written here.
    """
    for division in ("dev", "test"):
        _write_videos(folder / division / "wav", [row[0] for row in META2 if row[-1] == division])
    write_lines(
        folder / "vox2_meta.csv", "VoxCeleb2 ID ,VGGFace2 ID ,Gender ,Set ", *(" ,".join(row) + " " for row in META2)
    )
    return folder


def _write_videos(folder: Path, speakers: Sequence[str]) -> None:
    for speaker in speakers:
        for video in VIDEOS:
            for number in (1, 2):
                name = f"{number:05}.wav"
                write_recording(folder / speaker / video / name, speaker, take=f"{video}/{name}")


def _trials(speakers: Sequence[str]) -> list[str]:
    lines = []
    for speaker, other in zip(speakers, [*speakers[1:], speakers[0]], strict=True):
        for number in (1, 2):
            first = f"{speaker}/{VIDEOS[0]}/{number:05}.wav"
            lines += [f"1 {first} {speaker}/{VIDEOS[1]}/00001.wav", f"0 {first} {other}/{VIDEOS[1]}/00002.wav"]
    return lines
