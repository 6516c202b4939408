"""Labels that do not fit the voices: one for two voices, two for one, a channel instead of a voice.

They are judged by embeddings, so that a model is needed that hears speakers already; where it does not, nothing is
judged. Where the embeddings are at fault themselves, that comes first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from curvox.diagnosis.findings import Cause, Checked, Evidence, graded, listed, merged

if TYPE_CHECKING:
    from curvox.diagnosis.observation import EmbeddedSet
    from curvox.diagnosis.probes.pairs import EmbeddingPairs, SplitLabel

SPLIT_SPEAKERS = Cause(
    "split_speakers",
    "One label that looks like two voices",
    "data",
    "The embeddings of one speaker fall into two groups that are as far apart as different speakers are. The label "
    "probably stands for two people, and the loss pulls them together against what it hears.",
    "Listen to one recording of each group; correct the label, or use sub-centres.",
    "loss: {sub_centres: 3}",
    ("few_items_rule",),
)

MERGED_SPEAKERS = Cause(
    "merged_speakers",
    "Two labels that look like one voice",
    "data",
    "The recordings of two speakers lie among each other, as those of one do. The two labels probably stand for one "
    "person, whom the loss tears apart.",
    "Listen to both; merge the labels if it is one person.",
    "",
    ("few_items_rule",),
)

CHANNEL_SHORTCUT = Cause(
    "channel_shortcut",
    "The channel predicts the speaker better than the voice does",
    "data",
    "Recordings of one session are much nearer to each other than recordings of one speaker across sessions, and other "
    "speakers of the same session or channel lie in between. The loss is solved by what marks the recording.",
    "Pair recordings across sessions, and augment with noise, rooms, telephone lines and codecs; judge by trials "
    "across sessions.",
    "augmentation: {waveforms: {}, telephone: {}}",
    ("overfitting",),
)

SEEN_SEPARATION = 0.85
"""How often two recordings of one session of the median speaker have to be closer than two of different speakers, for
labels to be judged by embeddings. A small encoder has 0.9 and more after a hundred steps."""

LEARNT_SEPARATION = 0.75
"""How often any two recordings of one speaker have to be closer, before the channel is judged: a model that has learnt
nothing yet hears the channel first."""

FEWEST_FOR_SPLIT = 6
"""Recordings of a label: fewer do not show two groups."""

SPLIT_FAR_SHARE = 0.5
"""Share of a label's pairs, of one session, that are nearer to the distance of different speakers than to that of the
same one. Two voices in equal parts give 0.55; the worst label of a sound corpus had 0.2 to 0.4."""

SPLIT_SCORE, SPLIT_DISTANCE = 0.75, 0.8
"""How much farther apart they are than within, 1 for different speakers,
and their distance over that of different speakers. One voice in one session has up to 0.5 and 0.7. Groups of different
sessions are two voices only where few labels are like that."""

FOLLOWED = 0.7
"""Share of same-session pairs that a split keeps together, from which on it follows the sessions. A split that has
nothing to do with them keeps half."""

FEW_WITH_SESSIONS = 0.4
"""Share of labels with several sessions, up to which a split along them is taken for two voices: the other speakers
have one session. Where most have several, it cannot be told from the channel."""

FEWEST_FOR_MERGED = 3
MERGED_SHARE = 0.55
"""Share of the recordings of two labels whose nearest recording of any other label is of the other of the two: towards
1 for one voice. Two that sound alike have up to 1 as well, so the next is asked for too."""

MERGED_RATIO = 1.05
"""Distance to the nearest recording of that other label over that to the nearest of the own one. One voice that was
dealt to two labels has about 1, since the own label offers one recording less; two that sound alike 1.1."""

SPLIT_SHARE, MERGED_SHARE_OF_LABELS = 0.1, 0.05
FEWEST_SPLIT, FEWEST_MERGED = 3, 2
"""Shares and numbers of suspicious labels for a warning; sound runs of small models find up to 8 % of labels split."""

CHANNEL_SPEAKERS = 0.5
"""Share of speakers with two sessions, below which sessions are no matter of the corpus."""

FEWEST_CHANNEL_SPEAKERS = 4
WITHIN_SESSION, ACROSS_SESSIONS, CHANNEL_LOSS = 0.85, 0.85, 0.15
"""How often same-speaker pairs are closer than different ones: at least, in one session; at most, across sessions; and
the least difference of both."""

MOST_NAMED = 6

OF_LABELS = (SPLIT_SPEAKERS.name, MERGED_SPEAKERS.name, CHANNEL_SHORTCUT.name)
"""The causes that lie in the labels."""


def check_labels(pairs: EmbeddingPairs, dev: EmbeddingPairs | None = None) -> Checked:
    """Look for labels that do not fit the voices, and for a channel that stands for the speaker.

    Labels are judged on ``pairs``, of recordings that were trained on; the channel on ``dev`` where its speakers have
    several sessions, since a model remembers the sessions that it was trained on.
    """
    seen = pairs.seen_separation()
    if seen != seen:
        return Checked.impossible("needs two recordings of a speaker", *OF_LABELS)
    if seen < SEEN_SEPARATION:
        why = (
            f"the embeddings do not tell speakers apart yet: {seen:.0%} of the pairs of a typical speaker are closer "
            f"than different ones, needs {SEEN_SEPARATION:.0%}"
        )
        return Checked.impossible(why, *OF_LABELS)
    return merged((_split_speakers(pairs), _merged_speakers(pairs), _channel_shortcut(pairs, dev)))


def _split_speakers(pairs: EmbeddingPairs) -> Checked:
    splits = pairs.splits(FEWEST_FOR_SPLIT)
    if not splits:
        return SPLIT_SPEAKERS.unknown(f"needs a speaker with at least {FEWEST_FOR_SPLIT} recordings")
    found = [split for split in splits if _two_voices(split)]
    if sum(split.several_sessions for split in splits) <= FEW_WITH_SESSIONS * len(splits):
        # Where all speakers have sessions, it is the channel.
        found += [split for split in splits if _apart(split) and not _two_voices(split)]
    if not found:
        return SPLIT_SPEAKERS.absent()
    worst = max(found, key=lambda split: split.distance)
    return SPLIT_SPEAKERS.judged(
        graded(warning=len(found) >= max(FEWEST_SPLIT, SPLIT_SHARE * len(splits)), note=True),
        Evidence("labels that fall into two groups", float(len(found)), f"0 of {len(splits)}"),
        Evidence("distance of the groups over that of different speakers", worst.distance, "below 0.6"),
        where=_named(pairs.items, [split.label for split in found]),
    )


def _apart(split: SplitLabel) -> bool:
    return split.score >= SPLIT_SCORE and split.distance >= SPLIT_DISTANCE


def _two_voices(split: SplitLabel) -> bool:
    # With few pairs of one session it cannot be told from a channel.
    followed = split.kept_share != split.kept_share or split.kept_share >= FOLLOWED
    by_session = split.several_sessions and followed
    return split.far_share >= SPLIT_FAR_SHARE or (_apart(split) and not by_session)


def _merged_speakers(pairs: EmbeddingPairs) -> Checked:
    judged, mixed = pairs.mixed_labels(FEWEST_FOR_MERGED, MERGED_SHARE)
    if judged < 3:
        return MERGED_SPEAKERS.unknown(f"needs at least 3 speakers with {FEWEST_FOR_MERGED} recordings, got {judged}")
    found = [pair for pair in mixed if pair.ratio <= MERGED_RATIO]
    if not found:
        return MERGED_SPEAKERS.absent()
    worst = max(found, key=lambda pair: pair.share)
    what = "share of their recordings with the nearest other speaker in the other label"
    return MERGED_SPEAKERS.judged(
        graded(warning=len(found) >= max(FEWEST_MERGED, MERGED_SHARE_OF_LABELS * judged), note=True),
        Evidence("pairs of labels that lie among each other", float(len(found)), f"0 of {judged} labels"),
        Evidence(what, worst.share, "below 50 %", "%"),
        Evidence("distance to the other label over that to the own", worst.ratio, "1.1 and more"),
        where=_named(pairs.items, [label for pair in found for label in pair.labels]),
    )


def _channel_shortcut(pairs: EmbeddingPairs, dev: EmbeddingPairs | None) -> Checked:
    learnt = pairs.separation()
    if learnt < LEARNT_SEPARATION:
        return CHANNEL_SHORTCUT.unknown(f"{learnt:.0%} of the same-speaker pairs are closer, needs at least 75%")
    judged = next((p for p in (dev, pairs) if p is not None and _has_sessions(p)), None)
    if judged is None:
        return CHANNEL_SHORTCUT.unknown("needs speakers with recordings in at least two sessions")
    across_sessions = judged.same & ~judged.one_session
    within, across = judged.separation(judged.one_session), judged.separation(across_sessions)
    shortcut = within >= WITHIN_SESSION and across <= ACROSS_SESSIONS and within - across >= CHANNEL_LOSS
    evidence = [
        Evidence("same-speaker pairs across sessions that are closer than different speakers", across, "90 %", "%"),
        Evidence("same-speaker pairs within a session that are", within, "a little more than across", "%"),
    ]
    if (channels := judged.items.channels) is not None:
        alike = judged.different & (channels[:, None] == channels[None, :])
        if alike.any():
            rate = judged.separation(across_sessions, alike)
            evidence.append(Evidence("the former, against different speakers of one channel", rate, "90 %", "%"))
    return CHANNEL_SHORTCUT.judged(graded(warning=shortcut), *evidence)


def _has_sessions(pairs: EmbeddingPairs) -> bool:
    """Whether sessions can be compared: most speakers have two, and some session has two recordings."""
    across = pairs.same & ~pairs.one_session
    several = len(pairs.items.speakers[across.any(1)].unique())
    enough = several >= max(FEWEST_CHANNEL_SPEAKERS, CHANNEL_SPEAKERS * pairs.speakers)
    return enough and bool(pairs.one_session.any())


def _named(items: EmbeddedSet, labels: list[int]) -> str:
    names = [items.speaker_names[label] if label < len(items.speaker_names) else str(label) for label in labels]
    return listed(names, MOST_NAMED)
