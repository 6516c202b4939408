"""A Kaldi data folder: wav.scp and utt2spk; segments, spk2gender, utt2dur and reco2dur where they are there.

Nothing is ever executed: a command in wav.scp (a line that ends with "|") is refused. Further files of the folder are
not read.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from curvox.corpora.corpus import Utterance
from curvox.corpora.manifest_rows import non_negative, positive
from curvox.corpora.places import absolute, place_under
from curvox.corpora.problems import Draft, Row
from curvox.corpora.text_files import read_lines
from curvox.errors import CorpusError

Lines = dict[str, tuple[int, str]]
Span = tuple[str, float, float | None]
# Kaldi rounds times to hundredths or thousandths.
_TOLERANCE_S = 0.02


def read_kaldi(path: Path, audio_root: Path | None) -> Draft:
    """Read a Kaldi data folder.

    Relative paths in wav.scp are relative to ``audio_root``, or to the folder; absolute ones must lie inside
    ``audio_root``.
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
    if (path / "segments").is_file():
        declared = _table(draft, path / "segments")
        spans = _segments(draft, declared, durations_s[0])
        _check_names(draft, speakers, "segments", declared)
    else:
        spans = {name: _whole(name) for name in recordings}
        _check_names(draft, speakers, "wav.scp", wav_scp)
    _join(draft, recordings, speakers, genders, spans, durations_s)
    return draft


def _whole(recording: str) -> Span:
    return recording, 0.0, None


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
    numbers: dict[str, float] = {}
    for key, (line, text) in (_table(draft, path) if path.is_file() else {}).items():
        value = _parse(draft, path.name, line, text, positive)
        if value is not None:
            numbers[key] = value
    return numbers


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
            message = f"{start} to {end} s reaches past the end of the recording ({limit_s:g} s)"
            draft.add("segments", line, "", message)
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
        draft.rows.append(Row(utterance, "utt2spk", line))
