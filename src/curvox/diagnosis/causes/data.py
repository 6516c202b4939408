"""Recordings and batches at fault, as far as it shows without a model: silence, clipping, copies, numbers of each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.diagnosis.findings import Cause, Checked, Evidence, Severity, graded, listed, merged

if TYPE_CHECKING:
    from torch import nn

    from curvox.diagnosis.observation import RecordingFacts, StepProbe

NO_POSITIVES = Cause(
    "no_positives",
    "Batches without a same-speaker pair",
    "data",
    "The loss compares recordings of one speaker with each other, and most batches hold no two of them. There is "
    "nothing to pull together, and what is left only pushes.",
    "Make batches of P speakers with K recordings each.",
    "data: {recordings_per_speaker: 2}",
    ("never_active", "collapse", "dimensional_collapse", "wrong_direction", "label_blind"),
)

SILENT_RECORDINGS = Cause(
    "silent_recordings",
    "Recordings without speech",
    "data",
    "A recording that is silent, or nearly so, carries a speaker's label and no voice. Its embedding is that of "
    "silence, whoever it is said to be.",
    "Remove these recordings; trim long silences.",
    "",
    ("duplicate_recordings", "split_speakers", "few_items_rule"),
)

CLIPPED_RECORDINGS = Cause(
    "clipped_recordings",
    "Clipped recordings",
    "data",
    "The waveform was cut off at full scale, which adds overtones that are not the speaker's. Where it goes with "
    "certain speakers, the distortion is learnt as their voice.",
    "Record them again at a lower level, or clip the others too, by augmentation.",
    "augmentation: {clipping: {}}",
    ("channel_shortcut", "split_speakers"),
)

DUPLICATE_RECORDINGS = Cause(
    "duplicate_recordings",
    "The same recording several times",
    "data",
    "Recordings of equal content make same-speaker pairs that are solved without hearing a voice, and under two labels "
    "they ask for the impossible. Across splits they make the dev EER a lie.",
    "Keep one of each; the evidence names them.",
    "",
    ("merged_speakers", "few_items_rule"),
)

FEW_RECORDINGS = Cause(
    "few_recordings",
    "Too few recordings of a speaker",
    "data",
    "Most speakers come with one recording or one session, so that whatever marks the recording marks the speaker. The "
    "model has no reason to leave the channel out.",
    "Add recordings in other sessions, crop several times from long ones, and augment strongly.",
    "augmentation: {waveforms: {}, features: {}}",
    ("overfitting", "channel_shortcut"),
)

SPEAKER_IMBALANCE = Cause(
    "speaker_imbalance",
    "A few speakers have most of the recordings",
    "data",
    "Batches are mostly of a few speakers, whose centres get most of the steps. The others are trained on as an "
    "afterthought.",
    "Balance the batches over speakers.",
    "data: {balance: speaker}",
    ("no_positives", "few_recordings", "few_items_rule"),
)

POSITIVES_FAILURE, POSITIVES_WARNING = 0.5, 0.9
"""Share of batches with two recordings of a speaker, for a loss that compares recordings."""

SILENT_SPEECH_S, SILENT_SHARE = 0.1, 0.98
"""A recording is silent with less speech than this, or more silence than this."""

SILENT_LEVEL_DB = -45.0
"""A recording that is louder has something in it, though speech may not stand out; recordings of speech have -35 to
-15 dB."""

CLIPPED_SAMPLES = 0.005
"""Share of samples at full scale from which a recording counts as clipped: music is made with 0.0001, and speech that
is cut off audibly has 0.01 and more."""

QUALITY_NOTE, SILENT_WARNING, SILENT_FAILURE, CLIPPED_WARNING = 0.01, 0.05, 0.5, 0.15
"""Shares of the recordings that were measured."""

COPIES_WARNING, COPIES_ACROSS_WARNING = 0.1, 0.005
"""Share of recordings that repeat another of one speaker and split; across speakers or splits fewer are bad enough."""

SINGLE_NOTE, SINGLE_WARNING = 0.33, 0.67
"""Share of speakers with one recording. Many corpora have a part of which that is true."""

ONE_SESSION_NOTE = 0.9
"""Share of speakers with one session."""

LARGEST_SHARE, TIMES_EVEN = 0.25, 4.0
"""Share of the recordings that one speaker has, and how many times the even share that is."""

TOP_SHARE, TIMES_EVEN_TOP = 0.1, 3.5
"""The tenth of the speakers that have most recordings, and how many times their even share they have."""

EFFECTIVE_SHARE, EFFECTIVE_SPEAKERS = 0.4, 32.0
"""exp of the entropy of the speakers' shares, over their number and as it is. An uneven corpus with fewer effective
speakers fills its batches with a few of them; a large one has enough all the same."""

FEWEST_SPEAKERS_FOR_BALANCE = 4

MOST_NAMED = 6

OF_RECORDINGS = (
    SILENT_RECORDINGS.name, CLIPPED_RECORDINGS.name, DUPLICATE_RECORDINGS.name, FEW_RECORDINGS.name,
    SPEAKER_IMBALANCE.name,
)  # fmt: skip
"""The causes that show in the recordings."""


def check_positives(step: StepProbe, loss: nn.Module | None) -> Checked:
    """Look for batches without a same-speaker pair, where the loss compares recordings."""
    if loss is None:
        return NO_POSITIVES.unknown("the loss itself is not at hand")
    share, measure = step.batches_with_positives, "batches in which a speaker comes twice"
    failed = share is not None and share < POSITIVES_FAILURE
    if share is None:
        share, measure = float(len(step.speakers.unique()) < len(step.speakers)), "of one batch: a speaker comes twice"
    # A loss that does not say so compares recordings where it has no class centres.
    compares = any(getattr(part, "whole_batch", False) for part in loss.modules())
    compares |= not any(p.ndim >= 2 and p.shape[-1] == step.raw.shape[1] for p in loss.parameters())
    severity = graded(failure=failed, warning=share < POSITIVES_WARNING) if compares else None
    return NO_POSITIVES.judged(severity, Evidence(measure, share, "100 %", "%"))


def no_positives_among(recordings: int) -> Checked:
    """The finding for a batch of so many recordings, each of another speaker."""
    what = f"same-speaker pairs among {recordings} recordings"
    return NO_POSITIVES.judged("failure", Evidence(what, 0.0, "as many as speakers, or more"))


def lacks_speech(
    speech_s: ArrayLike, silence_share: ArrayLike, clipped_share: ArrayLike, level_db: ArrayLike
) -> NDArray[np.bool_]:
    """Tell which recordings (N,), or whether one, hold next to no speech, by `RecordingQuality` and level.

    A level of NaN is unknown. A recording that is loud throughout is not silent, although no speech stands out.
    """
    nothing = (np.asarray(speech_s) < SILENT_SPEECH_S) | (np.asarray(silence_share) > SILENT_SHARE)
    loud = is_clipped(clipped_share) | (np.asarray(level_db) >= SILENT_LEVEL_DB)
    return nothing & ~loud


def is_clipped(clipped_share: ArrayLike) -> NDArray[np.bool_]:
    """Tell which recordings (N,), or whether one, are clipped, by the share of their samples that are."""
    return np.asarray(clipped_share) >= CLIPPED_SAMPLES


def check_recordings(facts: RecordingFacts) -> Checked:
    """Look at the recordings: the quality and the copies of all, the numbers of those that are trained on.

    Trained on is the split "train", or where there is none of that name, the split of the first recording.
    """
    if not facts.names:
        return Checked.impossible("there are no recordings", *OF_RECORDINGS)
    split = "train" if "train" in facts.splits else facts.splits[0]
    rows = [row for row, own in enumerate(facts.splits) if own == split]
    return merged((_silent(facts), _clipped(facts), _duplicates(facts), _few(facts, rows), _imbalance(facts, rows)))


def _silent(facts: RecordingFacts) -> Checked:
    levels_db = [np.nan] * len(facts.names) if facts.levels_db is None else facts.levels_db
    found = [
        row
        for row, q in enumerate(facts.quality)
        if q is not None and lacks_speech(q.speech_s, q.silence_share, q.clipped_share, levels_db[row])
    ]
    steps: dict[Severity, float] = {"failure": SILENT_FAILURE, "warning": SILENT_WARNING, "note": QUALITY_NOTE}
    return _by_share(SILENT_RECORDINGS, "recordings without speech", facts, found, steps)


def _clipped(facts: RecordingFacts) -> Checked:
    found = [row for row, q in enumerate(facts.quality) if q is not None and is_clipped(q.clipped_share)]
    steps: dict[Severity, float] = {"warning": CLIPPED_WARNING, "note": QUALITY_NOTE}
    return _by_share(CLIPPED_RECORDINGS, "recordings that are clipped", facts, found, steps)


def _by_share(
    cause: Cause, measure: str, facts: RecordingFacts, found: list[int], steps: dict[Severity, float]
) -> Checked:
    """Grade by the first of the ``steps`` that the share of the recordings reaches, of those that were measured."""
    judged = sum(quality is not None for quality in facts.quality)
    if not judged:
        return cause.unknown("the quality of no recording was measured")
    share = len(found) / judged
    severity: Severity | None = next((severity for severity, least in steps.items() if share >= least), None)
    evidence = Evidence(measure, share, f"below {100 * QUALITY_NOTE:g} %", "%")
    return cause.judged(severity, evidence, where=listed([facts.names[row] for row in found], MOST_NAMED))


def _duplicates(facts: RecordingFacts) -> Checked:
    if not any(facts.digests):
        return DUPLICATE_RECORDINGS.unknown("the content of no recording is known")
    groups: dict[str, list[int]] = defaultdict(list)
    for row, digest in enumerate(facts.digests):
        quality = facts.quality[row]
        silent = quality is not None and quality.speech_s == 0.0  # equal content then is no copy
        if digest and not silent:
            groups[digest].append(row)
    several = [rows for rows in groups.values() if len(rows) > 1]
    if not several:
        return DUPLICATE_RECORDINGS.absent()
    copies = sum(len(rows) - 1 for rows in several) / len(facts.names)
    labels = sum(_others(facts.speakers, rows) for rows in several) / len(facts.names)
    splits = sum(_others(facts.splits, rows) for rows in several) / len(facts.names)
    bad = copies >= COPIES_WARNING or max(labels, splits) >= COPIES_ACROSS_WARNING
    evidence = [Evidence("recordings that repeat another", copies, "none", "%")]
    evidence += [Evidence("of them under another speaker", labels, "none", "%")] * (labels > 0)
    evidence += [Evidence("of them in another split", splits, "none", "%")] * (splits > 0)
    several.sort(key=lambda rows: -_others(facts.speakers, rows) - _others(facts.splits, rows))
    where = listed([" = ".join(facts.names[row] for row in rows[:2]) for rows in several], MOST_NAMED)
    return DUPLICATE_RECORDINGS.judged(graded(warning=bad, note=True), *evidence, where=where)


def _others(labels: Sequence[str], rows: list[int]) -> int:
    """How many of the recordings have another label than most of them."""
    return len(rows) - max(Counter(labels[row] for row in rows).values())


def _few(facts: RecordingFacts, rows: list[int]) -> Checked:
    counts = Counter(facts.speakers[row] for row in rows)
    sessions: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        sessions[facts.speakers[row]].add(facts.sessions[row])
    known = all(facts.sessions[row] for row in rows)
    single = sum(count == 1 for count in counts.values()) / len(counts)
    one_session = sum(len(own) == 1 for own in sessions.values()) / len(counts) if known else 0.0
    evidence = [Evidence("speakers with one recording", single, f"below {100 * SINGLE_NOTE:.0f} %", "%")]
    if known:
        evidence.append(Evidence("speakers with one session", one_session, "few", "%"))
    evidence.append(Evidence("recordings of the median speaker", float(np.median(list(counts.values()))), "5 and more"))
    noted = single >= SINGLE_NOTE or one_session >= ONE_SESSION_NOTE
    return FEW_RECORDINGS.judged(graded(warning=single >= SINGLE_WARNING, note=noted), *evidence)


def _imbalance(facts: RecordingFacts, rows: list[int]) -> Checked:
    counts = Counter(facts.speakers[row] for row in rows)
    if len(counts) < FEWEST_SPEAKERS_FOR_BALANCE:
        return SPEAKER_IMBALANCE.unknown(f"needs at least {FEWEST_SPEAKERS_FOR_BALANCE} speakers, got {len(counts)}")
    shares = np.sort(np.array(list(counts.values()), dtype=np.float64))[::-1] / len(rows)
    effective = float(np.exp(-(shares * np.log(shares)).sum()))
    alone = shares[0] >= LARGEST_SHARE and shares[0] * len(shares) >= TIMES_EVEN
    top = max(1, round(TOP_SHARE * len(shares)))
    uneven = effective < EFFECTIVE_SHARE * len(shares)
    uneven |= bool(shares[:top].sum() >= TIMES_EVEN_TOP * top / len(shares))
    few = alone or (uneven and effective < EFFECTIVE_SPEAKERS)
    return SPEAKER_IMBALANCE.judged(
        graded(warning=few, note=uneven),
        Evidence(f"recordings of the {top} speakers that have most", float(shares[:top].sum()), "10 to 30 %", "%"),
        Evidence("effective number of speakers", effective, f"above {EFFECTIVE_SHARE * len(shares):.0f}"),
        Evidence("recordings of the largest speaker", float(shares[0]), f"about {100 / len(shares):.2g} %", "%"),
        where=listed([speaker for speaker, _ in counts.most_common(top)], MOST_NAMED),
    )
