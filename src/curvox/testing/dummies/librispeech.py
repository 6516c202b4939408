"""LibriSpeech in small."""

from __future__ import annotations

from pathlib import Path

from curvox.testing.dummies.sound import write_lines, write_recording

CHAPTERS = {
    "train-clean-100": {"103": ("1240", "1241"), "1034": ("121119",)},
    "train-other-500": {"20": ("205",)},
    "dev-clean": {"84": ("121123", "121550")},
    "test-other": {"367": ("130732",)},
}
SPEAKERS = """\
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
    write_lines(folder / "SPEAKERS.TXT", SPEAKERS)
    for subset, speakers in CHAPTERS.items():
        for speaker, chapters in speakers.items():
            for chapter in chapters:
                here = folder / subset / speaker / chapter
                names = [f"{speaker}-{chapter}-{number:04}" for number in (0, 1)]
                for name in names:
                    write_recording(here / f"{name}.flac", speaker)
                write_lines(here / f"{speaker}-{chapter}.trans.txt", *(f"{name} NOT A WORD" for name in names))
    return folder
