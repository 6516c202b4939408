"""Open-set identification: which of the speakers of a gallery is it, if any of them?"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from curvox.audio import AUDIO_SUFFIXES, RecordingQuality
from curvox.corpora import read_corpus, read_enrolments
from curvox.embedder.card.decision_card import CalibratedScoring, DecisionCard
from curvox.embedder.decisions import NOT_CALIBRATED, EmbeddedRecordings, scores_and_llrs, warnings_of
from curvox.embedder.embedder import Embedder, Source
from curvox.errors import InputError
from curvox.records import to_plain
from curvox.scoring import enrol, score_pairs


@dataclass(frozen=True)
class SearchThreshold:
    """From which log-likelihood ratio on the best candidate of a gallery is taken.

    Attributes:
        llr: natural-log likelihood ratio.
        false_alarm_rate: the share of searches for somebody who is not enrolled that may name somebody.
        enrolled: number of speakers in the gallery.
        measured: whether the threshold was measured on the card's trials; else it is the bound that holds for any well
            calibrated ratio.
    """

    llr: float
    false_alarm_rate: float
    enrolled: int
    measured: bool


@dataclass(frozen=True)
class Candidate:
    """An enrolled speaker, with the score and, from a calibrated model, the log-likelihood ratio of the probe."""

    speaker: str
    score: float
    llr: float | None


@dataclass(frozen=True)
class Identification:
    """The answer to "which of them?".

    Attributes:
        candidates: all enrolled speakers, the likeliest first.
        answer: the speaker, or None: none of them, or undecided.
        threshold: from where on the likeliest is the answer; None where nothing was decided.
        scoring: the scorer or back end.
        undecided: why nothing was decided; None where it was.
        warnings: what to be wary of, in sentences.
        quality: measures of the probe.
    """

    candidates: tuple[Candidate, ...]
    answer: str | None
    threshold: SearchThreshold | None
    scoring: str
    undecided: str | None
    warnings: tuple[str, ...]
    quality: RecordingQuality

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return to_plain(self)


def search_threshold(card: DecisionCard, false_alarm_rate: float, enrolled: int) -> SearchThreshold:
    """Return the threshold that keeps the rate of false alarms of a whole search.

    A probe of nobody enrolled raises a false alarm when any of N comparisons passes the threshold. Their number has the
    expectation N times the false acceptance rate of one comparison, however the comparisons depend on each other, so a
    rate of ``false_alarm_rate / N`` for each keeps that of the search (Boole's inequality). The rule costs little where
    false alarms are rare; the search raises fewer of them when one probe passes against several speakers at once.

    The threshold for that rate is read from the card: the one of the next lower rate that was measured. Where the
    card's trials are too few to show the rate, it is ``log(N / false_alarm_rate)``: of well calibrated ratios at most
    exp(-t) of the non-targets exceed t, by Markov's inequality, since exp(llr) has the mean 1 over them. That is
    strict.

    Args:
        card: the decision card.
        false_alarm_rate: of the search, in (0, 1).
        enrolled: N, at least 1.

    Raises:
        InputError: numbers out of range.
    """
    if isinstance(false_alarm_rate, bool) or not 0 < false_alarm_rate < 1:
        raise InputError(f"the rate of false alarms must lie strictly between 0 and 1, got {false_alarm_rate}")
    if enrolled < 1:
        raise InputError(f"a gallery holds at least one speaker, got {enrolled}")
    rate = false_alarm_rate / enrolled
    # Rates are written in decimals, so that one hundredth over ten may miss a thousandth by the last bit.
    shown = [point for point in card.non_target_tail if point.far <= rate * (1 + 1e-9)]
    if shown:
        best = max(shown, key=lambda point: point.far)
        return SearchThreshold(best.llr_threshold, false_alarm_rate, enrolled, True)
    highest = max((point.llr_threshold for point in card.non_target_tail), default=-math.inf)
    return SearchThreshold(max(highest, -math.log(rate)), false_alarm_rate, enrolled, False)


def identify(
    model: Embedder,
    gallery: Mapping[str, Sequence[Source]],
    probe: Source,
    *,
    false_alarm_rate: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Identification:
    """Find out which enrolled speaker a recording is of, if it is any of them.

    Args:
        model: with a decision card; without one the speakers are ranked and nothing is decided.
        gallery: the recordings of each enrolled speaker, at least one.
        probe: the recording in question.
        false_alarm_rate: the share of searches for somebody not enrolled that may name somebody, in (0, 1); 0.01 if
            None. See `search_threshold`.
        progress: told how many recordings of how many are done.

    Raises:
        AudioError: a recording cannot be used.
        InputError: an empty gallery or speaker, or a rate for a model without a decision card.
    """
    calibrated = model.calibrated
    if calibrated is None and false_alarm_rate is not None:
        raise InputError(f"a rate of false alarms needs calibrated scores: {NOT_CALIBRATED}")
    recordings, rows = _embed(model, gallery, probe, progress)
    names, count = list(gallery), len(gallery)
    trials = np.arange(count), np.full(count, count)
    if calibrated is None:
        scoring = model.space.default_scorer
        points = enrol(model.space, recordings.points, rows, way=model.space.default_enrolment)
        scores = score_pairs(model.space, points, *trials, scorer=scoring)
        ranked = _ranked(names, scores, None)
        return Identification(ranked, None, None, scoring, NOT_CALIBRATED, (), recordings.qualities[-1])
    scores, llrs = scores_and_llrs(calibrated, model.space, recordings, rows, *trials)
    threshold = search_threshold(calibrated.card, 0.01 if false_alarm_rate is None else false_alarm_rate, count)
    ranked, passed = _ranked(names, scores, llrs), bool(llrs.max() >= threshold.llr)
    warnings = (
        *warnings_of(calibrated, ["the probe"], recordings.qualities[-1:]),
        *_gallery_warnings(calibrated, gallery, recordings.qualities),
        *_tie(ranked, passed),
        *_unmeasured(threshold),
    )
    answer = ranked[0].speaker if passed else None
    return Identification(ranked, answer, threshold, calibrated.name, None, warnings, recordings.qualities[-1])


def _embed(
    model: Embedder,
    gallery: Mapping[str, Sequence[Source]],
    probe: Source,
    progress: Callable[[int, int], None] | None,
) -> tuple[EmbeddedRecordings, list[np.ndarray]]:
    """Return all recordings, the probe last, and the rows of each speaker and of the probe."""
    if not gallery or not all(len(own) for own in gallery.values()):
        raise InputError("a gallery holds at least one speaker, and each of them at least one recording")
    sources = [source for own in gallery.values() for source in own]
    readers = [partial(model.waveform, source) for source in (*sources, probe)]
    recordings = model.embed_recordings(readers, measure=True, progress=progress)
    ends = np.cumsum([len(own) for own in gallery.values()])
    return recordings, [*np.split(np.arange(len(sources)), ends[:-1]), np.array([len(sources)])]


def _ranked(names: list[str], scores: np.ndarray, llrs: np.ndarray | None) -> tuple[Candidate, ...]:
    # By both: a calibration may give two different scores one ratio.
    order = np.lexsort((-scores, -(scores if llrs is None else llrs)))
    return tuple(
        Candidate(names[i], float(scores[i]), None if llrs is None else float(llrs[i])) for i in order.tolist()
    )


def _gallery_warnings(
    calibrated: CalibratedScoring, gallery: Mapping[str, Sequence[Source]], qualities: Sequence[RecordingQuality]
) -> tuple[str, ...]:
    """Return one sentence on all enrolment recordings: a gallery may be large."""
    labels = [f"recording {i + 1} of {name}" for name, own in gallery.items() for i in range(len(own))]
    each = [warnings_of(calibrated, [name], [quality]) for name, quality in zip(labels, qualities, strict=False)]
    outside = [warnings for warnings in each if warnings]
    if not outside:
        return ()
    return (
        f"{len(outside)} of {len(labels)} enrolment recordings lie outside of what the card has seen: {outside[0][0]}"
        + (", …" if len(outside) > 1 else ""),
    )


def _tie(ranked: Sequence[Candidate], passed: bool) -> tuple[str, ...]:
    if not passed or len(ranked) < 2 or (ranked[0].llr, ranked[0].score) != (ranked[1].llr, ranked[1].score):
        return ()
    return (f"{ranked[0].speaker} and {ranked[1].speaker} are equally likely; are they enrolled with one recording?",)


def _unmeasured(threshold: SearchThreshold) -> tuple[str, ...]:
    if threshold.measured:
        return ()
    return (
        f"the card's trials are too few to show a false acceptance rate of "
        f"{threshold.false_alarm_rate / threshold.enrolled:.2g} for one comparison, so the threshold is the bound that "
        "holds for any well calibrated ratio, which is strict",
    )


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


def find_recordings(paths: list[Path]) -> list[Path]:
    """Return the audio files that ``paths`` name: files as they are, folders searched at any depth, sorted.

    Raises:
        InputError: a path does not exist, or a folder holds no audio file.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES and p.is_file())
            if not inside:
                raise InputError(f"{path} holds no audio file; expected one of {', '.join(sorted(AUDIO_SUFFIXES))}")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise InputError(f"{path} does not exist; expected an audio file or a folder of them")
    return list(dict.fromkeys(found))
