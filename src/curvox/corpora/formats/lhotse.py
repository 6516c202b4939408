"""Turn manifests of lhotse into a corpus, so that its hundred recipes are within reach, and a corpus into its cuts.

lhotse is imported inside the functions: it is slow to import, brings torch, and is the extra ``curvox[lhotse]``.
A recording that is a command or an address is refused; nothing is executed and nothing is fetched.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from curvox.corpora.checks import absolute, check_rows, place_under
from curvox.corpora.corpus import Corpus, Utterance
from curvox.corpora.problems import Draft, read_lines
from curvox.errors import CorpusError, import_extra

if TYPE_CHECKING:
    from lhotse import CutSet, MonoCut, MultiCut, Recording, SupervisionSegment

# Labels that lhotse has no field for; they travel in the custom fields of a supervision.
CUSTOM = ("corpus", "session", "native_language", "nationality", "channel", "split")
# The times of manifests are rounded.
_TOLERANCE_S = 0.02


def require_lhotse() -> None:
    """Import lhotse; where it is not installed, raise a `MissingExtraError` that says how to install it."""
    import_extra("lhotse", 'lhotse is needed here: pip install "curvox[lhotse]"')


def read_lhotse(path: Path, audio_root: Path | None) -> Draft:
    """Read manifests of lhotse: cuts, or recordings and supervisions, of a folder or named themselves.

    The files are named as lhotse names them (``*cuts*.jsonl.gz``, ``*recordings*.jsonl.gz``,
    ``*supervisions*.jsonl.gz``). Each cut, or else each supervision, is one utterance. Relative paths are relative to
    ``audio_root`` or to the folder; absolute ones must lie inside ``audio_root``.
    """
    require_lhotse()
    folder = absolute(path if path.is_dir() else path.parent)
    draft = Draft(absolute(audio_root) if audio_root else folder, folder.name)
    manifests = _manifests(path)
    if "cuts" in manifests:
        for line, cut in read_items(draft, manifests["cuts"]):
            add_cut(draft, cut, manifests["cuts"].name, line, audio_root)
    else:
        _add_supervisions(draft, manifests["recordings"], manifests["supervisions"], audio_root)
    return draft


def _manifests(path: Path) -> dict[str, Path]:
    """Return {"cuts": file} or {"recordings": file, "supervisions": file}."""
    if not path.is_dir():
        if "supervisions" in path.name:
            partner = path.with_name(path.name.replace("supervisions", "recordings"))
            if partner.is_file():
                return {"recordings": partner, "supervisions": path}
            raise CorpusError(f"{path} needs its recordings beside it, expected {partner.name}")
        return {"cuts": path}
    found: dict[str, list[Path]] = {"cuts": [], "recordings": [], "supervisions": []}
    for file in sorted(path.iterdir()):
        for kind, files in found.items():
            if kind in file.name and file.name.endswith((".jsonl", ".jsonl.gz")):
                files.append(file)
    counts = tuple(len(files) for files in found.values())
    if counts in {(1, 0, 0), (0, 1, 1)}:
        return {kind: files[0] for kind, files in found.items() if files}
    listed = ", ".join(file.name for files in found.values() for file in files) or "none of them"
    raise CorpusError(
        f"expected one manifest of cuts, or one of recordings and one of supervisions, in {path}; found {listed}; "
        "name the cuts or the supervisions themselves, or keep one set in a folder"
    )


def read_items(draft: Draft, file: Path) -> Iterator[tuple[int, Any]]:
    """Yield (line, item) of a lhotse manifest; lines that hold none become problems of the draft."""
    from lhotse.serialization import deserialize_item

    lines, bad = read_lines(file)
    draft.problems += bad
    for number, line in lines:
        try:
            yield number, deserialize_item(json.loads(line))
        except Exception as error:  # lhotse raises whatever a wrong manifest makes it stumble over
            draft.add(file.name, number, "", f"not an item of a lhotse manifest: {type(error).__name__}: {error}")


def _add_supervisions(draft: Draft, recordings: Path, supervisions: Path, audio_root: Path | None) -> None:
    from lhotse import Recording, SupervisionSegment

    known: dict[str, Recording] = {}
    for line, recording in read_items(draft, recordings):
        if not isinstance(recording, Recording):
            draft.add(recordings.name, line, "", f"expected a recording, got a {type(recording).__name__}")
        elif recording.id in known:
            draft.add(recordings.name, line, "path", f'the recording id "{recording.id}" comes twice')
        else:
            known[recording.id] = recording
    for line, segment in read_items(draft, supervisions):
        if not isinstance(segment, SupervisionSegment):
            draft.add(supervisions.name, line, "", f"expected a supervision, got a {type(segment).__name__}")
        else:
            add_supervision(draft, segment, known, supervisions.name, line, audio_root, recordings.name)


def add_supervision(
    draft: Draft,
    segment: SupervisionSegment,
    recordings: Mapping[str, Recording],
    file: str,
    line: int,
    audio_root: Path | None,
    recordings_file: str = "the recordings",
) -> None:
    """Add the utterance that a supervision stands for, or the problem with it; ``recordings`` are by their ids."""
    if segment.recording_id not in recordings:
        draft.add(file, line, "path", f'no recording "{segment.recording_id}" in {recordings_file}')
        return
    span_s = segment.start, segment.duration
    speech = _Speech(segment.id, recordings[segment.recording_id], span_s, segment.channel, [segment])
    _add(draft, speech, file, line, audio_root)


def add_cut(draft: Draft, cut: Any, file: str, line: int, audio_root: Path | None) -> None:
    """Add the utterance that a cut stands for, or the problem with it."""
    from lhotse import MonoCut, MultiCut

    if not isinstance(cut, (MonoCut, MultiCut)) or cut.recording is None:
        got = "one without a recording" if isinstance(cut, (MonoCut, MultiCut)) else f"a {type(cut).__name__}"
        draft.add(file, line, "", f"expected a cut of one recording, got {got}")
        return
    speech = _Speech(cut.id, cut.recording, (cut.start, cut.duration), cut.channel, cut.supervisions)
    _add(draft, speech, file, line, audio_root)


class _Speech(NamedTuple):
    """What a cut and a supervision have in common; ``span_s`` is (start, duration)."""

    name: str
    recording: Recording
    span_s: tuple[float, float]
    channels: int | list[int]
    supervisions: list[SupervisionSegment]


def _add(draft: Draft, speech: _Speech, file: str, line: int, audio_root: Path | None) -> None:
    try:
        label = _single_speaker(speech.supervisions)
        start_s, segment_s = _span(speech.recording, speech.span_s)
        utterance = Utterance(
            utterance=str(speech.name),
            path=_path(speech.recording, speech.channels, audio_root),
            speaker=_text(label.speaker),
            gender=_text(label.gender),
            language=_text(label.language),
            sampling_rate_hz=speech.recording.sampling_rate,
            duration_s=round(speech.span_s[1], 6),
            start_s=start_s,
            segment_s=segment_s,
            **_labels(label),
        )
    except CorpusError as error:
        draft.add(file, line, "", str(error))
    else:
        draft.rows.add(utterance, file, line)


def _path(recording: Recording, channels: int | list[int], audio_root: Path | None) -> str:
    chosen = {channels} if isinstance(channels, int) else set(channels)
    there = set(recording.channel_ids or ())
    if chosen != there:
        raise CorpusError(
            f'the recording "{recording.id}" has the channels {sorted(there)} and only {sorted(chosen)} are meant; '
            "write each channel to a file of its own"
        )
    if recording.transforms:
        raise CorpusError(
            f'the recording "{recording.id}" is changed by transforms; save the changed audio and name it'
        )
    kinds = [source.type for source in recording.sources]
    if kinds != ["file"]:
        raise CorpusError(
            f'the recording "{recording.id}" comes from {" and ".join(kinds) or "nothing"}, expected one file; nothing '
            "is executed or fetched here: save it as a file"
        )
    path, message = place_under(str(recording.sources[0].source), audio_root)
    if message:
        raise CorpusError(message)
    return path


def _single_speaker(supervisions: list[SupervisionSegment]) -> SupervisionSegment:
    speakers = sorted({_text(s.speaker) for s in supervisions})
    if len(speakers) == 1 and speakers[0]:
        return supervisions[0]
    got = ", ".join(f'"{speaker}"' for speaker in speakers) or "none"
    raise CorpusError(f"expected one speaker, got {got}; CutSet.trim_to_supervisions makes a cut for each speaker")


def _span(recording: Recording, span: tuple[float, float]) -> tuple[float, float | None]:
    """Return (start_s, segment_s); the whole recording is (0, None)."""
    start_s, duration_s = span
    if not (start_s >= 0 and duration_s > 0 and start_s + duration_s <= recording.duration + _TOLERANCE_S):
        raise CorpusError(f"{duration_s:g} s from {start_s:g} s do not fit into {recording.duration:g} s of recording")
    if start_s == 0 and abs(duration_s - recording.duration) < 1e-6:
        return 0.0, None
    return float(start_s), float(duration_s)


def _labels(speech: SupervisionSegment) -> dict[str, Any]:
    """Return labels and further columns of a supervision; custom values that are no text or number are left out."""
    custom = {key: _text(value) for key, value in (speech.custom or {}).items() if isinstance(value, (str, int, float))}
    labels: dict[str, Any] = {key: custom.pop(key) for key in CUSTOM if key in custom}
    extra = {"text": _text(speech.text), **custom}
    return {**labels, "extra": {key: text for key, text in extra.items() if text}}


def _text(value: str | float | None) -> str:
    """Text for one field of a manifest: on one line, no tabs."""
    return "" if value is None else " ".join(str(value).split())


def from_lhotse(
    cuts: Iterable[Any], *, audio_root: str | Path, name: str = "lhotse", check_files: bool = True
) -> Corpus:
    """Turn a CutSet, or any cuts, into a corpus; each cut is one utterance of one speaker, its file in ``audio_root``.

    Labels are those of the first supervision and its custom fields; ``text`` goes to the further columns.

    Raises:
        CorpusError: some cuts do not fit; the message lists them, their lines counted from 1.
    """
    require_lhotse()
    draft = Draft(absolute(audio_root), name)
    for number, cut in enumerate(cuts, start=1):
        add_cut(draft, cut, name, number, Path(audio_root))
    check_rows(draft, check_files=check_files)
    return draft.corpus(f"the set of cuts {name}")


def to_lhotse(corpus: Corpus) -> CutSet:
    """Turn a corpus into lhotse's cuts, with a supervision each; the header of every recording is read.

    Gender and language are the supervision's own; the other labels and the further columns are its custom fields.
    Paths are absolute. ``CutSet.to_shar`` then writes lhotse's sharded format.

    Raises:
        CorpusError: a recording cannot be opened, or a segment reaches past its end.
    """
    require_lhotse()
    from lhotse import CutSet

    recordings: dict[str, Recording] = {}
    cuts: list[MonoCut | MultiCut] = []
    for utterance in corpus.utterances:
        path = utterance.path
        if path not in recordings:
            recordings[path] = _recording(corpus.path_of(utterance), path)
        recording = recordings[path]
        left_s = recording.duration - utterance.start_s
        duration_s = left_s if utterance.segment_s is None else utterance.segment_s
        if not 0 < duration_s <= left_s + _TOLERANCE_S:
            raise CorpusError(
                f'the utterance "{utterance.utterance}" reaches past the end of its recording: {duration_s:g} s from '
                f"{utterance.start_s:g} s, in {recording.duration:g} s"
            )
        cuts.append(_cut(utterance, recording, min(duration_s, left_s)))
    return CutSet.from_cuts(cuts)


def _cut(utterance: Utterance, recording: Recording, duration_s: float) -> MonoCut | MultiCut:
    from lhotse import MonoCut, MultiCut, SupervisionSegment

    name, start_s, channels = utterance.utterance, utterance.start_s, recording.channel_ids or [0]
    if len(channels) == 1:
        cut = MonoCut(name, start_s, duration_s, channels[0], recording=recording)
    else:
        cut = MultiCut(name, start_s, duration_s, channels, recording=recording)
    custom = {label: text for label in CUSTOM if (text := getattr(utterance, label))}
    custom |= {label: text for label, text in utterance.extra.items() if label != "text"}
    supervision = SupervisionSegment(
        id=name,
        recording_id=recording.id,
        start=0.0,
        duration=duration_s,
        channel=cut.channel,
        text=utterance.extra.get("text"),
        language=utterance.language or None,
        speaker=utterance.speaker,
        gender=utterance.gender or None,
        custom=custom,
    )
    cut.supervisions = [supervision]
    return cut


def _recording(path: Path, name: str) -> Recording:
    import soundfile
    from lhotse import AudioSource, Recording

    try:
        header = soundfile.info(path)
    except (soundfile.SoundFileError, OSError) as error:
        raise CorpusError(f"cannot open the recording {path}: {error}") from error
    source = AudioSource(type="file", channels=list(range(header.channels)), source=str(absolute(path)))
    return Recording(
        id=name,
        sources=[source],
        sampling_rate=header.samplerate,
        num_samples=header.frames,
        duration=header.frames / header.samplerate,
    )
