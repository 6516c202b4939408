"""Galleries: the recordings of the speakers among whom somebody is looked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from curvox.audio import AUDIO_SUFFIXES
from curvox.corpora import read_corpus, read_enrolments
from curvox.errors import InputError


def read_gallery(path: Path, *, data: Path | None = None, style: str = "kaldi") -> dict[str, list[Path]]:
    """Return the recordings of each enrolled speaker.

    Args:
        path: a folder, or an enrolment map. In a folder each folder is a speaker, with all the recordings below it, and
            so is each recording that lies in no folder of its own, named by its file without the ending. Hidden files
            are passed over.
        data: the corpus whose utterances the map names; without it the map names files, relative to its own folder.
        style: of the map, a name in ``curvox.corpora.ENROLMENT_STYLES``.

    Raises:
        InputError: no such path, nobody in it, a speaker without recordings or with two places, a file that is missing,
            or a corpus beside a folder.
        CorpusError: a map that cannot be read, or an utterance that is part of a longer recording.
    """
    if path.is_dir():
        if data is not None:
            raise InputError(f"{path} is a folder, which needs no corpus; leave --data out")
        return _of_folder(path)
    if not path.is_file():
        raise InputError(f"{path} does not exist; expected a folder of speakers, or an enrolment map")
    if path.suffix.lower() in AUDIO_SUFFIXES:
        raise InputError(f"{path} is a recording; expected a folder of speakers, or a map of speakers and recordings")
    models = read_enrolments(path, style=style).models
    if data is None:
        gallery = {name: [path.parent / own for own in recordings] for name, recordings in models.items()}
        _require_files(gallery, path)
        return gallery
    return _of_corpus(models, data)


def _of_folder(folder: Path) -> dict[str, list[Path]]:
    gallery: dict[str, list[Path]] = {}
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            name, recordings = entry.name, sorted(p for p in entry.rglob("*") if _is_recording(p))
            if not recordings:
                raise InputError(f"{entry} holds no recording; expected one of {', '.join(sorted(AUDIO_SUFFIXES))}")
        elif _is_recording(entry):
            name, recordings = entry.stem, [entry]
        else:
            continue
        if name in gallery:
            raise InputError(f'the speaker "{name}" is enrolled twice, by {gallery[name][0]} and by {entry}')
        gallery[name] = recordings
    if not gallery:
        raise InputError(f"{folder} holds nobody; expected a folder, or a recording, for each enrolled speaker")
    return gallery


def _of_corpus(models: Mapping[str, tuple[str, ...]], data: Path) -> dict[str, list[Path]]:
    corpus = read_corpus(data, check_files=False)
    gallery: dict[str, list[Path]] = {}
    for name, utterances in models.items():
        parts = [u for u in utterances if corpus[u].start_s or corpus[u].segment_s is not None]
        if parts:
            raise InputError(f'"{parts[0]}" is a part of a longer recording; a gallery takes whole recordings')
        gallery[name] = [corpus.path_of(u) for u in utterances]
    return gallery


def _require_files(gallery: dict[str, list[Path]], source: Path) -> None:
    missing = [recording for own in gallery.values() for recording in own if not recording.is_file()]
    if missing:
        raise InputError(
            f"{len(missing)} recordings of {source} do not exist, the first is {missing[0]}; paths are relative to the "
            "map's folder, and names of utterances need their corpus (--data)"
        )


def _is_recording(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith(".")
