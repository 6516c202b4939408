"""A corpus becomes lhotse's cuts, so its sharded format and its tools are within reach."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from curvox.corpora.corpus import Corpus, Utterance
from curvox.corpora.lhotse_bridge import CUSTOM, require_lhotse
from curvox.corpora.places import absolute
from curvox.errors import CorpusError

if TYPE_CHECKING:
    from lhotse import CutSet, MonoCut, MultiCut, Recording, SupervisionSegment

# The times of a manifest are rounded.
_TOLERANCE_S = 0.02


def to_lhotse(corpus: Corpus) -> CutSet:
    """Turn a corpus into lhotse's cuts, with a supervision each; the header of every recording is read.

    Gender and language are the supervision's own; the other labels and the further columns are its custom fields.
    Paths are absolute. ``CutSet.to_shar`` then writes lhotse's sharded format.

    Raises:
        CorpusError: a recording cannot be opened, or a segment reaches past its end.
        MissingExtraError: lhotse is not installed.
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
    from lhotse import MonoCut, MultiCut

    channels = recording.channel_ids or [0]
    start_s = utterance.start_s
    if len(channels) == 1:
        cut = MonoCut(utterance.utterance, start_s, duration_s, channels[0], recording=recording)
    else:
        cut = MultiCut(utterance.utterance, start_s, duration_s, channels, recording=recording)
    cut.supervisions = [_supervision(utterance, recording.id, duration_s, cut.channel)]
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


def _supervision(utterance: Utterance, recording: str, duration_s: float, channel: Any) -> SupervisionSegment:
    from lhotse import SupervisionSegment

    custom = {name: text for name in CUSTOM if (text := getattr(utterance, name))}
    custom |= {name: text for name, text in utterance.extra.items() if name != "text"}
    return SupervisionSegment(
        id=utterance.utterance,
        recording_id=recording,
        start=0.0,
        duration=duration_s,
        channel=channel,
        text=utterance.extra.get("text"),
        language=utterance.language or None,
        speaker=utterance.speaker,
        gender=utterance.gender or None,
        custom=custom,
    )
