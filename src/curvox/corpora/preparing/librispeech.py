"""LibriSpeech: books read aloud, in seven subsets; a folder for each speaker, and in it one for each chapter.

Layout: https://www.openslr.org/12/; V. Panayotov, G. Chen, D. Povey, S. Khudanpur, "Librispeech: an ASR corpus based on
public domain audio books", ICASSP 2015. The subset goes into a column of its own, and its first word is the split.
"""

from __future__ import annotations

from curvox.corpora.corpus import Utterance
from curvox.corpora.preparing.preparation import Need, Preparation, Roster, Work, gender_of, numbered_lines, recordings

SPEAKERS = "SPEAKERS.TXT"
SUBSETS = (
    *("train-clean-100", "train-clean-360", "train-other-500"),
    *("dev-clean", "dev-other", "test-clean", "test-other"),
)


def read_librispeech(work: Work) -> None:
    """Read the subsets of LibriSpeech that are there."""
    roster = _speakers(work)
    work.refuse_problems()
    for subset in SUBSETS:
        if (work.folder / subset).is_dir():
            _add_subset(work, roster, subset)
    roster.close(work)


def _speakers(work: Work) -> Roster:
    speakers: dict[str, dict[str, str]] = {}
    for number, line in numbered_lines(work, SPEAKERS):
        if line.startswith(";"):
            continue
        # A name may hold the mark as well.
        cells = [cell.strip() for cell in line.split("|", 4)]
        if len(cells) != 5:
            work.problem(SPEAKERS, number, f'expected "ID | SEX | SUBSET | MINUTES | NAME", got "{line}"')
            continue
        speakers[cells[0]] = {"gender": gender_of(work, SPEAKERS, number, cells[1]), "subset": cells[2]}
    return Roster(SPEAKERS, speakers)


def _add_subset(work: Work, roster: Roster, subset: str) -> None:
    for speaker, chapter, name in recordings(work, subset, depth=3, suffixes=(".flac", ".wav")):
        path = f"{subset}/{speaker}/{chapter}/{name}"
        labels = roster.labels(speaker)
        if not name.startswith(f"{speaker}-{chapter}-"):
            work.problem(path, None, f'expected a name that begins "{speaker}-{chapter}-"; restore it')
        elif labels is not None and labels["subset"] != subset:
            message = f'{SPEAKERS} has the speaker "{speaker}" in {labels["subset"]}; move the folder there'
            work.problem(path, None, message)
        elif labels is not None:
            work.add(
                Utterance(
                    utterance=name.rpartition(".")[0],
                    path=path,
                    speaker=speaker,
                    session=chapter,
                    gender=labels["gender"],
                    language="en",
                    split=subset.partition("-")[0],
                    extra={"subset": subset},
                )
            )


LIBRISPEECH = Preparation(
    "LibriSpeech",
    f"train-clean-100/103/1240/103-1240-0000.flac and {SPEAKERS}",
    (Need(SUBSETS, "an unpacked subset"), Need((SPEAKERS,), "raw-metadata.tar.gz, or any archive of openslr.org/12")),
    read_librispeech,
)
