"""Read and write a Kaldi data folder: wav.scp and utt2spk, segments, spk2gender, utt2dur and reco2dur if there are.

Nothing is ever executed: a command in wav.scp (a line that ends with "|") is refused. Further files of the folder are
not read. What is written is sorted as Kaldi wants it: by bytes, as ``LC_ALL=C sort`` does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from curvox.corpora.checks import absolute, place_under
from curvox.corpora.corpus import COLUMNS, LEVELS, Corpus, Utterance
from curvox.corpora.formats.manifest import non_negative, positive
from curvox.corpora.problems import Draft, read_lines
from curvox.errors import CorpusError, InputError
from curvox.files import new_folder, new_text, refuse_existing

Lines = dict[str, tuple[int, str]]
Span = tuple[str, float, float | None]
# Kaldi rounds times to hundredths or thousandths.
_TOLERANCE_S = 0.02
_HELD = {"utterance", "path", "speaker", "gender", "duration_s", "start_s", "segment_s"}


def read_kaldi(path: Path, audio_root: Path | None) -> Draft:
    """Read a Kaldi data folder.

    Relative paths in wav.scp are relative to ``audio_root``, or to the folder; absolute ones must lie in it.
    """
    for name in ("wav.scp", "utt2spk"):
        if not (path / name).is_file():
            raise CorpusError(f"a Kaldi folder has the files wav.scp and utt2spk; {path} has no {name}")
    folder = absolute(path)
    draft = Draft(absolute(audio_root) if audio_root else folder, folder.name)
    wav_scp = _table(draft, path / "wav.scp")
    recordings = _recordings(draft, wav_scp, audio_root)
    speakers = _table(draft, path / "utt2spk")
    genders = _table(draft, path / "spk2gender") if (path / "spk2gender").is_file() else {}
    for speaker in genders.keys() - {speaker for _, speaker in speakers.values()}:
        draft.add("spk2gender", genders[speaker][0], "speaker", f'the speaker "{speaker}" is not in utt2spk')
    durations_s = _numbers(draft, path / "reco2dur"), _numbers(draft, path / "utt2dur")
    spans: dict[str, Span] = {name: (name, 0.0, None) for name in recordings}
    file, declared = "wav.scp", wav_scp
    if (path / "segments").is_file():
        file, declared = "segments", _table(draft, path / "segments")
        spans = _segments(draft, declared, durations_s[0])
    _check_names(draft, speakers, file, declared)
    _join(draft, recordings, speakers, genders, spans, durations_s)
    return draft


def _check_names(draft: Draft, speakers: Lines, file: str, declared: Lines) -> None:
    for name in declared.keys() - speakers.keys():
        draft.add(file, declared[name][0], "speaker", f'the utterance "{name}" has no line in utt2spk, so no speaker')
    for name in speakers.keys() - declared.keys():
        draft.add("utt2spk", speakers[name][0], "utterance", f'the utterance "{name}" has no line in {file}')


def _table(draft: Draft, path: Path) -> Lines:
    """Read ``key value`` lines as key → (line, value)."""
    table: Lines = {}
    lines, bad = read_lines(path)
    draft.problems += bad
    for number, line in lines:
        key, value, *_ = (*line.split(maxsplit=1), "", "")
        if not value.strip():
            draft.add(path.name, number, "", f'expected a name and a value separated by a space, got "{line}"')
        elif key in table:
            draft.add(path.name, number, "", f'"{key}" comes twice, in line {table[key][0]} and in line {number}')
        else:
            table[key] = number, value.strip()
    if not table and not bad:
        draft.add(path.name, None, "", "the file is empty")
    return table


def _numbers(draft: Draft, path: Path) -> dict[str, float]:
    table = _table(draft, path) if path.is_file() else {}
    found = {key: _parse(draft, path.name, line, text, positive) for key, (line, text) in table.items()}
    return {key: value for key, value in found.items() if value is not None}


def _parse(draft: Draft, file: str, line: int, text: str, parse: Callable[[str], float | None]) -> float | None:
    try:
        return parse(text)
    except ValueError as error:
        draft.add(file, line, "", f'{error}, got "{text}"')
        return None


def _recordings(draft: Draft, table: Lines, audio_root: Path | None) -> dict[str, str]:
    """Return the relative path of each recording; '' for one whose line was refused."""
    recordings: dict[str, str] = {}
    for name, (line, source) in table.items():
        found = ""
        if source.endswith("|") or source.startswith("|"):
            message = f'"{source}" is a command, and nothing is executed; write its output to a file and name that'
        elif source == "-" or (":" in source and source.rpartition(":")[2].isdigit()):
            message = f'"{source}" is not a plain file (a stream or a place in an archive); write one file a recording'
        else:
            found, message = place_under(source, audio_root)
        if message:
            draft.add("wav.scp", line, "path", message)
        recordings[name] = found
    return recordings


def _segments(draft: Draft, table: Lines, recording_s: dict[str, float]) -> dict[str, Span]:
    """Return (recording, start_s, segment_s) of each utterance; an end of -1 means the end of the recording."""
    spans: dict[str, Span] = {}
    for name, (line, text) in table.items():
        cells = text.split()
        if len(cells) != 3:
            draft.add("segments", line, "", f'expected "utterance recording start end", got {len(cells) + 1} fields')
            continue
        recording, start, end = cells
        start_s = _parse(draft, "segments", line, start, non_negative)
        to_the_end = end in ("-1", "-1.0")
        end_s = None if to_the_end else _parse(draft, "segments", line, end, positive)
        if start_s is None or (end_s is None and not to_the_end):
            continue
        if end_s is not None and end_s <= start_s:
            draft.add("segments", line, "", f"expected an end after the start, got {start} to {end}")
            continue
        limit_s = recording_s.get(recording, float("inf"))
        if start_s >= limit_s or (end_s or 0.0) > limit_s + _TOLERANCE_S:
            draft.add("segments", line, "", f"{start} to {end} s reaches past the end of the recording ({limit_s:g} s)")
            continue
        spans[name] = recording, start_s, None if end_s is None else round(end_s - start_s, 6)
    return spans


def _join(
    draft: Draft,
    recordings: dict[str, str],
    speakers: Lines,
    genders: Lines,
    spans: dict[str, Span],
    durations_s: tuple[dict[str, float], dict[str, float]],
) -> None:
    recording_s, utterance_s = durations_s
    for name, (recording, start_s, segment_s) in spans.items():
        if name not in speakers:
            continue
        line, speaker = speakers[name]
        if recording not in recordings:
            draft.add("utt2spk", line, "path", f'the recording "{recording}" of "{name}" has no line in wav.scp')
            continue
        duration_s = utterance_s.get(name, segment_s)
        if duration_s is None and recording in recording_s:
            duration_s = round(recording_s[recording] - start_s, 6)
        if not recordings[recording]:
            continue
        utterance = Utterance(
            utterance=name,
            path=recordings[recording],
            speaker=speaker,
            gender=genders[speaker][1] if speaker in genders else "",
            duration_s=duration_s,
            start_s=start_s,
            segment_s=segment_s,
        )
        draft.rows.add(utterance, "utt2spk", line)


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
    own: dict[str, list[str]] = {}
    for utterance, speaker in _sorted(speakers):
        own.setdefault(speaker, []).append(utterance)
    files = {
        "wav.scp": {names[u.path] if segmented else u.utterance: str(corpus.root / u.path) for u in utterances},
        "utt2spk": speakers,
        "spk2utt": {speaker: " ".join(utterances_of_it) for speaker, utterances_of_it in own.items()},
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
    paths: dict[str, str] = {}
    for path in dict.fromkeys(u.path for u in utterances):
        name = "_".join(path.split())
        while name in paths:
            name += "_"
        paths[name] = path
    return {path: name for name, path in paths.items()}


def _span(utterance: Utterance) -> str:
    end = -1 if utterance.segment_s is None else round(utterance.start_s + utterance.segment_s, 6)
    return f"{utterance.start_s!r} {end!r}"


def _sorted(lines: Mapping[str, str]) -> list[tuple[str, str]]:
    return sorted(lines.items(), key=lambda line: line[0].encode())
