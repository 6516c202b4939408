"""The recordings that the cases are trained on: small corpora, made once into a folder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curvox.corpora import Corpus, Utterance, read_corpus
from curvox.errors import InputError
from curvox.files import replace_text

_QUOTAS = {
    # corpus: (speakers, recordings of each) of the training split, (speakers, recordings) of the dev split
    "dsp": ((20, 12), (4, 10)),
    "arabic": ((14, 12), (4, 10)),
    "wuw": ((30, 10), (9, 6)),
    "msc": ((0, 0), (6, 4)),
}
_UNEVEN = {"dsp": (4, 100), "arabic": (0, 0), "wuw": (50, 3), "msc": (0, 0)}


@dataclass(frozen=True)
class Corpora:
    """The ``data`` section of a recipe for each corpus; "openvoices" and "openvoices_uneven" may be missing."""

    recipes: Mapping[str, Mapping[str, Any]]

    def recipe(self, name: str) -> dict[str, Any]:
        """The ``data`` section of corpus ``name``.

        Raises:
            InputError: it is not there.
        """
        if name not in self.recipes:
            raise InputError(f'the corpus "{name}" is needed, there is {", ".join(self.recipes)}: pass its folder')
        return dict(self.recipes[name])


def make_corpora(folder: Path, openvoices: Path | None) -> Corpora:
    """Make what is missing below ``folder``: 58 synthetic speakers, and manifests of parts of openvoices.

    Raises:
        MissingExtraError: no espeak-ng for the synthetic voices.
    """
    recipes: dict[str, dict[str, Any]] = {"voices": _voices(folder / "voices")}
    if openvoices is not None:
        corpus = read_corpus(openvoices, check_files=False)
        even = {name: train for name, (train, _) in _QUOTAS.items()}
        for name, quotas in (("openvoices", even), ("openvoices_uneven", _UNEVEN)):
            _write_part(corpus, quotas, folder / name / "manifest.tsv")
            recipes[name] = {"path": str(folder / name), "audio_root": str(openvoices), "balance": "utterance"}
    return Corpora(recipes)


def _voices(folder: Path) -> dict[str, Any]:
    from curvox.testing.voices import synthesise_corpus

    if not (folder / "manifest.tsv").exists():
        synthesise_corpus(
            folder,
            seed=11,
            train_speakers=40,
            dev_speakers=12,
            test_speakers=2,
            sessions=3,
            utterances_per_session=4,
            seconds=(1.5, 2.5),
            workers=1,
        )
    return {"path": str(folder)}


def _write_part(corpus: Corpus, train: Mapping[str, tuple[int, int]], path: Path) -> None:
    dev = {name: quota for name, (_, quota) in _QUOTAS.items()}
    chosen = [*_part(corpus.split("train"), train), *_part(corpus.split("dev"), dev)]
    columns = ("utterance", "path", "corpus", "speaker", "session", "gender", "channel", "duration_s", "split")
    lines = ["\t".join(columns)]
    lines += ["\t".join(str(getattr(u, column)) for column in columns) for u in chosen]
    text = "\n".join(lines) + "\n"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        replace_text(path, text)


def _part(corpus: Corpus, quotas: Mapping[str, tuple[int, int]]) -> list[Utterance]:
    """The first speakers of each corpus label that have enough recordings, and evenly chosen recordings of them."""
    found: list[Utterance] = []
    taken: dict[str, int] = defaultdict(int)
    for own in corpus.by_speaker.values():
        speakers, recordings = quotas.get(own[0].corpus, (0, 0))
        if len(own) >= recordings and taken[own[0].corpus] < speakers:
            taken[own[0].corpus] += 1
            found += [own[round(i * (len(own) - 1) / max(1, recordings - 1))] for i in range(recordings)]
    return found
