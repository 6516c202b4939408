"""A corpus as a Kaldi data folder, sorted as Kaldi wants it: by bytes, as ``LC_ALL=C sort`` does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from curvox.corpora.corpus import COLUMNS, LEVELS, Corpus, Utterance
from curvox.errors import InputError
from curvox.files import new_folder, new_text, refuse_existing

_HELD = {"utterance", "path", "speaker", "gender", "duration_s", "start_s", "segment_s"}


def write_kaldi(corpus: Corpus, folder: str | Path) -> tuple[str, ...]:
    """Write wav.scp, utt2spk, spk2utt, and where they can be: segments, utt2dur and spk2gender.

    Places in wav.scp are absolute: the folder is read back with ``audio_root=corpus.root``. Without segments the id of
    a recording is that of its utterance, with them it is made from its path. The folder appears complete or not at all.

    Returns:
        Notes on what Kaldi has no place for, one line each.

    Raises:
        OutputExistsError: ``folder`` exists and is not an empty folder.
        InputError: a speaker holds white space, or a path is what Kaldi takes for a command or a place in an archive.
    """
    folder = Path(folder)
    refuse_existing(folder, or_empty=True)
    _check(corpus)
    files, notes = _files(corpus)

    def write(fresh: Path) -> None:
        for name, lines in files.items():
            new_text(fresh / name, "".join(f"{key} {value}\n" for key, value in _sorted(lines)))

    new_folder(folder, write, or_empty=True)
    return tuple(notes)


def _check(corpus: Corpus) -> None:
    for utterance in corpus.utterances:
        path, speaker = utterance.path, utterance.speaker
        if speaker.split() != [speaker]:
            raise InputError(f'Kaldi separates by white space, and the speaker "{speaker}" holds some; rename it')
        if path.endswith("|") or (":" in path and path.rpartition(":")[2].isdigit()) or path != path.strip():
            raise InputError(f'Kaldi would not take "{path}" for a file; rename it')


def _files(corpus: Corpus) -> tuple[dict[str, dict[str, str]], list[str]]:
    utterances = corpus.utterances
    segmented = any(u.start_s or u.segment_s is not None for u in utterances)
    names = _recording_names(utterances) if segmented else {}
    speakers = {u.utterance: u.speaker for u in utterances}
    files = {
        "wav.scp": {names[u.path] if segmented else u.utterance: str(corpus.root / u.path) for u in utterances},
        "utt2spk": speakers,
        "spk2utt": _by_speaker(speakers),
    }
    if segmented:
        files["segments"] = {u.utterance: f"{names[u.path]} {_span(u)}" for u in utterances}
    notes = _notes(corpus)
    genders = {u.speaker: u.gender for u in utterances if u.gender in ("f", "m")}
    if len(genders) == len(corpus.speakers):
        files["spk2gender"] = genders
    elif any(u.gender for u in utterances):
        left = len(corpus.speakers) - len(genders)
        notes.append(f"spk2gender is not written: {left} speakers are neither f nor m, and Kaldi wants all or none")
    durations_s = {u.utterance: repr(u.duration_s) for u in utterances if u.duration_s is not None}
    if len(durations_s) == len(utterances):
        files["utt2dur"] = durations_s
    elif durations_s:
        left = len(utterances) - len(durations_s)
        notes.append(f"utt2dur is not written: {left} durations are unknown, and Kaldi wants all or none")
    return files, notes


def _notes(corpus: Corpus) -> list[str]:
    known = [name for name in COLUMNS if name not in _HELD and any(getattr(u, name) for u in corpus.utterances)]
    dropped = known + sorted({name for u in corpus.utterances for name in u.extra})
    dropped += ["the levels of the label tree"] * (corpus.levels != LEVELS)
    notes = [f"Kaldi has no place for {', '.join(dropped)}: left out"] if dropped else []
    if unlike := sum(not u.utterance.startswith(u.speaker) for u in corpus.utterances):
        notes.append(f"{unlike} ids do not begin with their speaker, as some of Kaldi's scripts want")
    if others := sum(not u.path.lower().endswith(".wav") for u in corpus.utterances):
        notes.append(f"{others} recordings are not .wav: Kaldi's own tools read them through a command only")
    return notes


def _recording_names(utterances: Iterable[Utterance]) -> Mapping[str, str]:
    """Return a name without white space for each path, no two alike."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for path in dict.fromkeys(u.path for u in utterances):
        name = "_".join(path.split())
        while name in taken:
            name += "_"
        taken.add(name)
        names[path] = name
    return names


def _span(utterance: Utterance) -> str:
    if utterance.segment_s is None:
        return f"{utterance.start_s!r} -1"
    return f"{utterance.start_s!r} {round(utterance.start_s + utterance.segment_s, 6)!r}"


def _by_speaker(speakers: Mapping[str, str]) -> dict[str, str]:
    groups: dict[str, list[str]] = {}
    for utterance, speaker in _sorted(speakers):
        groups.setdefault(speaker, []).append(utterance)
    return {speaker: " ".join(own) for speaker, own in groups.items()}


def _sorted(lines: Mapping[str, str]) -> list[tuple[str, str]]:
    return sorted(lines.items(), key=lambda line: line[0].encode())
