"""What became of the embeddings: one point, few dimensions, distances that are all alike, hubs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curvox.diagnosis.findings import Cause, Checked, Evidence, Finding, graded, merged

if TYPE_CHECKING:
    from curvox.diagnosis.observation import LiveSigns
    from curvox.diagnosis.probes.pairs import EmbeddingPairs

COLLAPSE = Cause(
    "collapse",
    "All embeddings are one",
    "embeddings",
    "The embeddings of all recordings are the same up to rounding, and so is every score. The loss then stands at the "
    "value it has for a single point: the margin, or log N.",
    "Look at what came first: a loss that does not see the labels, a learning rate too high, hardest mining at the "
    "start. Begin with semi-hard mining or a classification loss.",
    "loss: {mining: semi_hard}",
    ("dimensional_collapse", "never_active", "vanishing_gradient", "concentration", "label_blind", "merged_speakers"),
)

DIMENSIONAL_COLLAPSE = Cause(
    "dimensional_collapse",
    "The embeddings use a few dimensions only",
    "embeddings",
    "Nearly all of their variance lies in a few directions, and so few cannot hold many speakers apart. A narrow "
    "layer, a pull without a push or a strong weight decay does it.",
    "Widen the narrowest layer before the embedding, or add a term that pushes different speakers apart.",
    "",
    ("hubness", "concentration"),
)

CONCENTRATION = Cause(
    "concentration",
    "All distances are alike",
    "embeddings",
    "In many dimensions that carry noise the distances of all pairs grow alike, and nearest and farthest differ by "
    "little. Neither a margin nor a threshold finds anything to hold on to.",
    "Use fewer dimensions, about the number in the evidence, or train longer: noise dimensions shrink when the loss "
    "has use for none of them.",
    "encoder: {embedding_dim: 192}",
)

HUBNESS = Cause(
    "hubness",
    "A few recordings are everybody's neighbours",
    "embeddings",
    "Some embeddings are among the nearest of very many others, whatever the speaker, because they lie near the middle "
    "of all. Their trials are false alarms.",
    "Subtract the mean, normalise the length, and normalise scores against a cohort (as_norm).",
)

ROUNDING_SPREAD = 1e-4
"""Relative spread that float32 takes for none: by a matrix product it knows distances to 3e-4 of the norm."""

COLLAPSED_SPREAD = 1e-3
"""Relative spread (0.5 to 0.7 for random directions) below which embeddings are one, unless they part the speakers.
An untrained encoder, whose embeddings are alike in cosine to 0.95 or 0.999, has 0.01 to 0.2."""

COLLAPSED_DISTANCE = 1e-4
"""Mean distance of different speakers in a running training: rounding."""

COLLAPSED_UNIFORMITY = -1e-3
"""Above it unit vectors are one too; short embeddings of a flat space may be near and yet have directions."""

USELESS_SEPARATION = 0.75
"""How often a same-speaker pair is the closer one; below this nothing can be said of single speakers either."""

CHANCE_SEPARATION = 0.6
"""Up to here the distances know next to nothing of the speakers."""

FEWEST_FOR_RANK = 16
FEWEST_SPEAKERS_FOR_RANK = 6
FEWEST_DIMENSIONS_FOR_RANK = 6
"""The rank of a set is low anyway with fewer recordings, speakers or dimensions."""

COLLAPSED_RANK = 2.0
"""Effective rank below which many speakers cannot be held apart: one coordinate, or two that are hardly used."""

LOW_RANK = 3.3
"""Below this it is a warning: encoders at the start of their training have 5 and more, trained ones 12 to 20 of 32."""

IDLE_DIRECTION = 1e-3
"""Length of a principal axis over the longest, below which it is not used. A trained encoder uses all it has."""

COLLAPSED_DIRECTIONS, LOW_DIRECTIONS = 3, 5
"""Directions used at all, up to which it is a failure and a warning."""

FEWEST_FOR_CONCENTRATION = 64
"""The intrinsic dimension needs neighbours that are near."""

ALIKE_VARIATION, NOISE_VARIATION = 0.1, 0.05
"""Standard deviation of flat distances over their mean, for a warning and for a failure: 0.09 for 64 dimensions of
noise, 0.05 for 200, 0.18 for 16."""

HIGH_DIMENSION = 15.0
"""Intrinsic dimension by TwoNN, which finds 12 for 16 dimensions of noise and 30 for 64. Voices have about 5 to 12."""

FEWEST_FOR_HUBS = 200
NEIGHBOURS = 10
HUB_SKEWNESS = 2.0
HUB_NOTE, HUB_WARNING = 0.25, 0.5
"""Share of all recordings that have the largest hub among their 10 nearest: 0.05 to 0.1 as a rule. Gaussian noise of 64
to 200 dimensions in flat space has 0.3 to 0.4, and so has an encoder of as many dimensions early in its training."""

OF_EMBEDDINGS = (COLLAPSE.name, DIMENSIONAL_COLLAPSE.name, CONCENTRATION.name, HUBNESS.name)
"""The causes that show in the embeddings."""


def check_embeddings(pairs: EmbeddingPairs) -> Checked:
    """Look for collapse, complete and of dimensions, for distances that are all alike, and for hubs.

    Judged are the points of the space, as distances and scores see them.
    """
    spread = pairs.spread()
    collapse = _collapse(pairs, spread)
    if spread < ROUNDING_SPREAD:
        gone = Checked.impossible("the embeddings differ by rounding only", *OF_EMBEDDINGS[1:])
        return merged((collapse, gone))
    return merged((collapse, _dimensional_collapse(pairs), _concentration(pairs), _hubness(pairs)))


def _collapse(pairs: EmbeddingPairs, spread: float) -> Checked:
    separation = pairs.separation()
    useful = separation >= USELESS_SEPARATION  # not without any same-speaker pair, where it is NaN
    apart = spread >= COLLAPSED_SPREAD or (spread >= ROUNDING_SPREAD and useful)
    evidence = Evidence("distance of two recordings, over that of a point and its opposite", spread, "0.1 and more")
    return COLLAPSE.judged(graded(failure=not apart), evidence, *_separation(separation))


def collapsed_now(signs: LiveSigns) -> Finding | None:
    """The finding where the embeddings of a running training have been one for some logs."""
    apart, uniform = signs.all("different_distance"), signs.all("uniformity")
    # Identical points have no rank to speak of, so that rounding alone decides it.
    if apart is None or uniform is None or max(apart) > COLLAPSED_DISTANCE or min(uniform) < COLLAPSED_UNIFORMITY:
        return None
    evidence = [
        Evidence("mean distance of different speakers", apart[-1], "well above 0", "", "different_distance"),
        Evidence("uniformity", uniform[-1], "below -1; 0 where all are one", "", "uniformity"),
    ]
    if (ranks := signs.all("effective_rank")) is not None:
        evidence.append(Evidence("effective rank", ranks[-1], "ten or more", "", "effective_rank"))
    return COLLAPSE.finding("failure", *evidence)


def _dimensional_collapse(pairs: EmbeddingPairs) -> Checked:
    count, dim = pairs.points.shape
    for what, got, least in (
        ("recordings", count, FEWEST_FOR_RANK),
        ("speakers", pairs.speakers, FEWEST_SPEAKERS_FOR_RANK),
        ("dimensions", dim, FEWEST_DIMENSIONS_FOR_RANK),
    ):
        if got < least:
            return DIMENSIONAL_COLLAPSE.unknown(f"needs at least {least} {what}, got {got}")
    rank, used = pairs.effective_rank(), pairs.directions_used(IDLE_DIRECTION)
    towards = f"towards {pairs.usual_rank():.0f}"
    return DIMENSIONAL_COLLAPSE.judged(
        graded(
            failure=rank < COLLAPSED_RANK or used <= COLLAPSED_DIRECTIONS,
            warning=rank < LOW_RANK or used <= LOW_DIRECTIONS,
        ),
        Evidence("effective rank of the embeddings", rank, towards, vital="effective_rank"),
        Evidence("directions that the embeddings vary in at all", float(used), f"{min(count - 1, dim)}"),
        *_separation(pairs.separation()),
    )


def _concentration(pairs: EmbeddingPairs) -> Checked:
    count = len(pairs.points)
    if count < FEWEST_FOR_CONCENTRATION:
        return CONCENTRATION.unknown(f"needs at least {FEWEST_FOR_CONCENTRATION} recordings, got {count}")
    separation = pairs.separation()
    if separation != separation:
        return CONCENTRATION.unknown("needs two recordings of a speaker")
    variation = pairs.flat_variation()
    if variation >= ALIKE_VARIATION or separation >= USELESS_SEPARATION:
        return CONCENTRATION.absent()
    dimension = pairs.flat_dimension()
    far_off = variation < NOISE_VARIATION or separation < CHANCE_SEPARATION
    return CONCENTRATION.judged(
        graded(failure=far_off, warning=True) if dimension >= HIGH_DIMENSION else None,
        Evidence("standard deviation of distances over their mean", variation, "0.15 and more"),
        Evidence("intrinsic dimension of the embeddings", dimension, "5 to 12 for voices"),
        *_separation(separation),
    )


def _hubness(pairs: EmbeddingPairs) -> Checked:
    count = len(pairs.points)
    if count < FEWEST_FOR_HUBS:
        return HUBNESS.unknown(f"needs at least {FEWEST_FOR_HUBS} recordings, got {count}")
    hubs = pairs.hubs(NEIGHBOURS)
    severity = graded(warning=hubs.reach >= HUB_WARNING, note=hubs.reach >= HUB_NOTE)
    return HUBNESS.judged(
        severity if hubs.skewness >= HUB_SKEWNESS else None,
        Evidence("share of recordings that have the largest hub among their 10 nearest", hubs.reach, "below 10 %", "%"),
        Evidence("skewness of how often a recording is a neighbour", hubs.skewness, "below 2"),
        where=", ".join(pairs.items.names[row] for row in hubs.largest) if pairs.items.names else "",
    )


def _separation(value: float) -> tuple[Evidence, ...]:
    """How well speakers are told apart; nothing where it is NaN."""
    what = "same-speaker pairs that are closer than different ones"
    return (Evidence(what, value, "90 % and more", "%"),) if value == value else ()
