"""Checks of recordings that need no model: silence, clipping, copies, and how many there are of each speaker."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from curvox.audio import RecordingQuality
from curvox.diagnosis import thresholds_data as limits
from curvox.diagnosis.findings import Checked, Evidence, Finding, Severity, merged
from curvox.diagnosis.observation import RecordingFacts
from curvox.diagnosis.recording_rules import is_clipped, lacks_speech

CAUSES_OF_RECORDINGS = (
    "silent_recordings", "clipped_recordings", "duplicate_recordings", "few_recordings", "speaker_imbalance",
)  # fmt: skip
_NAMED = 6
_Steps = tuple[tuple[float, Severity], ...]


def data_checks(facts: RecordingFacts) -> Checked:
    """Look at the recordings: the quality and the copies of all, the numbers of those that are trained on.

    Trained on is the split "train", or where there is none of that name, the split of the first recording.
    """
    if not facts.names:
        return Checked.impossible("there are no recordings", *CAUSES_OF_RECORDINGS)
    rows = _trained_on(facts)
    checks = (_silent(facts), _clipped(facts), _duplicates(facts), _few(facts, rows), _imbalance(facts, rows))
    return merged(checks)


def _trained_on(facts: RecordingFacts) -> list[int]:
    split = "train" if "train" in facts.splits else facts.splits[0]
    return [row for row, own in enumerate(facts.splits) if own == split]


def _silent(facts: RecordingFacts) -> Checked:
    def silent(row: int, quality: RecordingQuality) -> bool:
        level_db = np.nan if facts.levels_db is None else facts.levels_db[row]
        return bool(lacks_speech(quality.speech_s, quality.silence_share, quality.clipped_share, level_db))

    measured = [(row, quality) for row, quality in enumerate(facts.quality) if quality is not None]
    found = [row for row, quality in measured if silent(row, quality)]
    steps: _Steps = (
        (limits.SILENT_FAILURE, "failure"), (limits.SILENT_WARNING, "warning"), (limits.QUALITY_NOTE, "note"),
    )  # fmt: skip
    return _by_share("silent_recordings", "recordings without speech", facts, found, len(measured), steps)


def _clipped(facts: RecordingFacts) -> Checked:
    measured = [(row, quality) for row, quality in enumerate(facts.quality) if quality is not None]
    found = [row for row, quality in measured if is_clipped(quality.clipped_share)]
    steps: _Steps = (
        (limits.CLIPPED_WARNING, "warning"), (limits.QUALITY_NOTE, "note"),
    )  # fmt: skip
    return _by_share("clipped_recordings", "recordings that are clipped", facts, found, len(measured), steps)


def _by_share(
    name: str,
    measure: str,
    facts: RecordingFacts,
    found: list[int],
    judged: int,
    steps: _Steps,
) -> Checked:
    """A finding as bad as the first of the ``steps`` that the share reaches."""
    if not judged:
        return Checked.impossible("the quality of no recording was measured", name)
    share = len(found) / judged
    severity: Severity | None = next((severity for least, severity in steps if found and share >= least), None)
    if severity is None:
        return Checked((name,))
    evidence = Evidence(measure, share, f"below {100 * limits.QUALITY_NOTE:g} %", "%")
    return Checked((name,), (Finding(name, severity, (evidence,), _named([facts.names[row] for row in found])),))


def _duplicates(facts: RecordingFacts) -> Checked:
    name = "duplicate_recordings"
    groups: dict[str, list[int]] = defaultdict(list)
    for row, digest in enumerate(facts.digests):
        if digest and not _is_silent(facts.quality[row]):
            groups[digest].append(row)
    if not any(facts.digests):
        return Checked.impossible("the content of no recording is known", name)
    several = [rows for rows in groups.values() if len(rows) > 1]
    copies = sum(len(rows) - 1 for rows in several) / len(facts.names)
    labels = sum(_others(facts.speakers, rows) for rows in several) / len(facts.names)
    splits = sum(_others(facts.splits, rows) for rows in several) / len(facts.names)
    if not several:
        return Checked((name,))
    bad = copies >= limits.COPIES_WARNING or max(labels, splits) >= limits.COPIES_ACROSS_WARNING
    evidence = [Evidence("recordings that repeat another", copies, "none", "%")]
    evidence += [Evidence("of them under another speaker", labels, "none", "%")] * (labels > 0)
    evidence += [Evidence("of them in another split", splits, "none", "%")] * (splits > 0)
    several.sort(key=lambda rows: -_others(facts.speakers, rows) - _others(facts.splits, rows))
    where = _named([" = ".join(facts.names[row] for row in rows[:2]) for rows in several])
    return Checked((name,), (Finding(name, "warning" if bad else "note", tuple(evidence), where),))


def _is_silent(quality: RecordingQuality | None) -> bool:
    """Nothing but zeros or noise: equal content then is no copy."""
    return quality is not None and quality.speech_s == 0.0


def _others(labels: Sequence[str], rows: list[int]) -> int:
    """How many of the recordings have another label than most of them."""
    return len(rows) - max(Counter(labels[row] for row in rows).values())


def _few(facts: RecordingFacts, rows: list[int]) -> Checked:
    name = "few_recordings"
    counts = Counter(facts.speakers[row] for row in rows)
    sessions: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        sessions[facts.speakers[row]].add(facts.sessions[row])
    known = all(facts.sessions[row] for row in rows)
    single = sum(count == 1 for count in counts.values()) / len(counts)
    one_session = sum(len(own) == 1 for own in sessions.values()) / len(counts) if known else 0.0
    if single < limits.SINGLE_NOTE and one_session < limits.ONE_SESSION_NOTE:
        return Checked((name,))
    evidence = [Evidence("speakers with one recording", single, f"below {100 * limits.SINGLE_NOTE:.0f} %", "%")]
    if known:
        evidence.append(Evidence("speakers with one session", one_session, "few", "%"))
    evidence.append(Evidence("recordings of the median speaker", float(np.median(list(counts.values()))), "5 and more"))
    severity = "warning" if single >= limits.SINGLE_WARNING else "note"
    return Checked((name,), (Finding(name, severity, tuple(evidence)),))


def _imbalance(facts: RecordingFacts, rows: list[int]) -> Checked:
    name = "speaker_imbalance"
    counts = Counter(facts.speakers[row] for row in rows)
    if len(counts) < limits.FEWEST_SPEAKERS_FOR_BALANCE:
        return Checked.impossible(
            f"needs at least {limits.FEWEST_SPEAKERS_FOR_BALANCE} speakers, got {len(counts)}", name
        )
    shares = np.sort(np.array(list(counts.values()), dtype=np.float64))[::-1] / len(rows)
    effective = float(np.exp(-(shares * np.log(shares)).sum()))
    alone = shares[0] >= limits.LARGEST_SHARE and shares[0] * len(shares) >= limits.TIMES_EVEN
    top = max(1, round(limits.TOP_SHARE * len(shares)))
    uneven = effective < limits.EFFECTIVE_SHARE * len(shares)
    uneven |= bool(shares[:top].sum() >= limits.TIMES_EVEN_TOP * top / len(shares))
    if not alone and not uneven:
        return Checked((name,))
    evidence = (
        Evidence(f"recordings of the {top} speakers that have most", float(shares[:top].sum()), "10 to 30 %", "%"),
        Evidence("effective number of speakers", effective, f"above {limits.EFFECTIVE_SHARE * len(shares):.0f}"),
        Evidence("recordings of the largest speaker", float(shares[0]), f"about {100 / len(shares):.2g} %", "%"),
    )
    severity = "warning" if alone or effective < limits.EFFECTIVE_SPEAKERS else "note"
    where = _named([speaker for speaker, _ in counts.most_common(top)])
    return Checked((name,), (Finding(name, severity, evidence, where),))


def _named(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
