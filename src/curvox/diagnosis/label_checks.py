"""Checks of labels by the embeddings: one label for two voices, two labels for one, a channel instead of a voice.

They need a model that hears speakers already; where it does not, nothing is judged.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from curvox.diagnosis import thresholds_data as limits
from curvox.diagnosis.embedding_pairs import EmbeddingPairs, pairs_of, shares_above, why_unusable
from curvox.diagnosis.findings import Checked, Evidence, Finding, Severity, merged
from curvox.diagnosis.observation import EmbeddedSet

CAUSES_OF_LABELS = ("split_speakers", "merged_speakers", "channel_shortcut")
_NAMED = 6


def label_checks(items: EmbeddedSet, dev: EmbeddedSet | None = None) -> Checked:
    """Look for labels that do not fit the voices, and for a channel that stands for the speaker.

    Labels are judged on ``items``, recordings that were trained on; the channel on ``dev`` where its speakers have
    several sessions, since a model remembers the sessions that it was trained on.
    """
    if why := why_unusable(items):
        return Checked.impossible(why, *CAUSES_OF_LABELS)
    pairs = pairs_of(items)
    seen = _seen_separation(pairs)
    if seen != seen:
        return Checked.impossible("needs two recordings of a speaker", *CAUSES_OF_LABELS)
    if seen < limits.SEEN_SEPARATION:
        why = (
            f"the embeddings do not tell speakers apart yet: {seen:.0%} of the pairs of a typical speaker are closer "
            f"than different ones, needs {limits.SEEN_SEPARATION:.0%}"
        )
        return Checked.impossible(why, *CAUSES_OF_LABELS)
    return merged((_split_speakers(pairs), _merged_speakers(pairs), _channel_shortcut(pairs, dev)))


def _one_session(pairs: EmbeddingPairs) -> Tensor:
    """(N, N) same-speaker pairs of one session; all of them where sessions are not known."""
    sessions = pairs.items.sessions
    return pairs.same if sessions is None else pairs.same & (sessions[:, None] == sessions[None, :])


def _seen_separation(pairs: EmbeddingPairs) -> float:
    """How often the pairs of one session of a speaker are closer than different speakers, for the median speaker.

    The median, because it is wrong labels that are looked for; NaN without such a pair.
    """
    once = _one_session(pairs).triu(1)
    if not once.any() or not pairs.different.any():
        return float("nan")
    rates = shares_above(pairs.distances[once], pairs.once(pairs.different))
    first = torch.nonzero(once)[:, 0]
    _, number, counts = pairs.items.speakers[first].unique(return_inverse=True, return_counts=True)
    sums = torch.zeros(len(counts), dtype=rates.dtype).index_add_(0, number, rates)
    return (sums / counts).median().item()


@dataclass(frozen=True)
class _Split:
    """How one label falls into two groups.

    Attributes:
        label: its number.
        far_share: of its pairs of one session, those that look like pairs of two speakers; NaN where there are few.
        score: how much farther apart the groups are than within themselves, 1 for different speakers.
        distance: of the groups over that of different speakers.
        several_sessions: its recordings are of more than one.
        by_session: the groups are of different ones.
    """

    label: int
    far_share: float
    score: float
    distance: float
    several_sessions: bool
    by_session: bool

    @property
    def apart(self) -> bool:
        return self.score >= limits.SPLIT_SCORE and self.distance >= limits.SPLIT_DISTANCE

    @property
    def two_voices(self) -> bool:
        return self.far_share >= limits.SPLIT_FAR_SHARE or (self.apart and not self.by_session)

    @property
    def two_sessions(self) -> bool:
        return self.apart and not self.two_voices


def _split_speakers(pairs: EmbeddingPairs) -> Checked:
    name = "split_speakers"
    one_session = _one_session(pairs)
    near, far = pairs.once(one_session).median().item(), pairs.once(pairs.different).median().item()
    labels, counts = pairs.items.speakers.unique(return_counts=True)
    labels = labels[counts >= limits.FEWEST_FOR_SPLIT].tolist()
    if not labels:
        return Checked.impossible(f"needs a speaker with at least {limits.FEWEST_FOR_SPLIT} recordings", name)
    splits = [_split_of(pairs, one_session, label, near, far) for label in labels]
    found = [split for split in splits if split.two_voices]
    by_session = [split for split in splits if split.two_sessions]
    if sum(split.several_sessions for split in splits) <= limits.FEW_WITH_SESSIONS * len(splits):
        found += by_session  # where all speakers have sessions, it is the channel
    if not found:
        return Checked((name,))
    worst = max(found, key=lambda split: split.distance)
    evidence = (
        Evidence("labels that fall into two groups", float(len(found)), f"0 of {len(splits)}"),
        Evidence("distance of the groups over that of different speakers", worst.distance, "below 0.6"),
    )
    severity = _severity(len(found), limits.FEWEST_SPLIT, limits.SPLIT_SHARE * len(splits))
    return Checked((name,), (Finding(name, severity, evidence, _named(pairs.items, [s.label for s in found])),))


def _split_of(pairs: EmbeddingPairs, one_session: Tensor, label: int, near: float, far: float) -> _Split:
    rows = torch.nonzero(pairs.items.speakers == label)[:, 0]
    rows = rows[:: -(-len(rows) // limits.MOST_FOR_SPLIT)]
    distances = pairs.distances[rows][:, rows]
    once = torch.ones_like(distances, dtype=torch.bool).triu(1)
    session = one_session[rows][:, rows] & once
    inside = distances[session]
    enough = len(inside) >= limits.FEWEST_PAIRS_FOR_SPLIT
    far_share = (inside > (near + far) / 2.0).double().mean().item() if enough else float("nan")
    group = _two_groups(distances)
    together = group[:, None] == group[None, :]
    between, within = distances[~together].mean().item(), distances[together & once].mean().item()
    several_sessions = len(inside) < int(once.sum())
    # With few pairs of one session it cannot be told from a channel.
    followed = not enough or together[session].double().mean().item() >= limits.FOLLOWED
    score = (between - within) / (far - near) if far > near else 0.0
    return _Split(
        label, far_share, score, between / far if far > 0 else 0.0, several_sessions, several_sessions and followed
    )


def _two_groups(distances: Tensor) -> Tensor:
    """(n,) which of two groups of at least two each is in: those around the two medoids that cost the least."""
    count = len(distances)
    first, second = torch.triu_indices(count, count, 1)
    cost = torch.minimum(distances[:, first], distances[:, second]).sum(0)
    member = distances[:, second] < distances[:, first]
    size = member.sum(0)
    cost = torch.where((size >= 2) & (size <= count - 2), cost, torch.inf)
    return member[:, int(cost.argmin())]


def _merged_speakers(pairs: EmbeddingPairs) -> Checked:
    name = "merged_speakers"
    speakers = pairs.items.speakers
    labels, numbers, counts = speakers.unique(return_inverse=True, return_counts=True)
    judged = counts >= limits.FEWEST_FOR_MERGED
    if int(judged.sum()) < 3:
        return Checked.impossible(
            f"needs at least 3 speakers with {limits.FEWEST_FOR_MERGED} recordings, got {int(judged.sum())}", name
        )
    _, place = torch.where(pairs.different, pairs.distances, torch.inf).min(1)
    chosen = torch.zeros(len(labels), len(labels), dtype=torch.float64)
    chosen.index_put_((numbers, numbers[place]), torch.ones(len(numbers), dtype=torch.float64), accumulate=True)
    share = chosen / counts[:, None]
    both = ((share + share.T) / 2.0).triu(1)
    both[~judged] = 0.0
    both[:, ~judged] = 0.0
    found = [
        (a, b, both[a, b].item(), ratio)
        for a, b in torch.nonzero(both >= limits.MERGED_SHARE).tolist()
        if (ratio := _mixing_ratio(pairs, numbers, a, b)) <= limits.MERGED_RATIO
    ]
    if not found:
        return Checked((name,))
    _, _, most, ratio = max(found, key=lambda pair: pair[2])
    evidence = (
        Evidence("pairs of labels that lie among each other", float(len(found)), f"0 of {int(judged.sum())} labels"),
        Evidence(
            "share of their recordings with the nearest other speaker in the other label", most, "below 50 %", "%"
        ),
        Evidence("distance to the other label over that to the own", ratio, "1.1 and more"),
    )
    severity = _severity(len(found), limits.FEWEST_MERGED, limits.MERGED_SHARE_OF_LABELS * int(judged.sum()))
    where = _named(pairs.items, [int(labels[one]) for pair in found for one in pair[:2]])
    return Checked((name,), (Finding(name, severity, evidence, where),))


def _mixing_ratio(pairs: EmbeddingPairs, numbers: Tensor, a: int, b: int) -> float:
    """Nearest distance to the other label over that to the own one, the median of the recordings of both labels."""
    first, second = torch.nonzero(numbers == a)[:, 0], torch.nonzero(numbers == b)[:, 0]
    across = pairs.distances[first][:, second]
    own = [pairs.distances[rows][:, rows].fill_diagonal_(torch.inf).amin(1) for rows in (first, second)]
    other = torch.cat((across.amin(1), across.amin(0)))
    return (other / torch.cat(own).clamp_min(torch.finfo(other.dtype).tiny)).median().item()


def _channel_shortcut(pairs: EmbeddingPairs, dev: EmbeddedSet | None) -> Checked:
    name = "channel_shortcut"
    learnt = pairs.separation()
    if learnt < limits.LEARNT_SEPARATION:
        return Checked.impossible(f"{learnt:.0%} of the same-speaker pairs are closer, needs at least 75%", name)
    judged = next((p for p in (_usable(dev), pairs) if p is not None and _has_sessions(p)), None)
    if judged is None:
        return Checked.impossible("needs speakers with recordings in at least two sessions", name)
    one_session = _one_session(judged)
    across_sessions = judged.same & ~one_session
    within, across = judged.separation(one_session), judged.separation(across_sessions)
    lost = within - across
    if within < limits.WITHIN_SESSION or across > limits.ACROSS_SESSIONS or lost < limits.CHANNEL_LOSS:
        return Checked((name,))
    evidence = [
        Evidence("same-speaker pairs across sessions that are closer than different speakers", across, "90 %", "%"),
        Evidence("same-speaker pairs within a session that are", within, "a little more than across", "%"),
    ]
    if judged.items.channels is not None:
        channels = judged.items.channels
        alike = judged.different & (channels[:, None] == channels[None, :])
        if alike.any():
            rate = judged.separation(across_sessions, alike)
            evidence.append(Evidence("the former, against different speakers of one channel", rate, "90 %", "%"))
    return Checked((name,), (Finding(name, "warning", tuple(evidence)),))


def _usable(items: EmbeddedSet | None) -> EmbeddingPairs | None:
    return None if items is None or why_unusable(items) else pairs_of(items)


def _has_sessions(pairs: EmbeddingPairs) -> bool:
    """Whether sessions can be compared: most speakers have two, and some session has two recordings."""
    one_session = _one_session(pairs)
    across = pairs.same & ~one_session
    speakers = pairs.items.speakers
    several = len(speakers[across.any(1)].unique())
    enough = several >= max(limits.FEWEST_CHANNEL_SPEAKERS, limits.CHANNEL_SPEAKERS * len(speakers.unique()))
    return enough and bool(one_session.any())


def _severity(found: int, fewest: int, share: float) -> Severity:
    return "warning" if found >= fewest and found >= share else "note"


def _named(items: EmbeddedSet, labels: list[int]) -> str:
    names = [items.speaker_names[label] if label < len(items.speaker_names) else str(label) for label in labels]
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
