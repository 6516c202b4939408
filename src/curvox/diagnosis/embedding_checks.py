"""Checks of what became of the embeddings: one point, few dimensions, distances all alike, hubs."""

from __future__ import annotations

import torch

from curvox.diagnosis import thresholds_embeddings as limits
from curvox.diagnosis.embedding_measures import (
    distance_variation,
    effective_rank,
    gaussian_rank,
    hubness,
    intrinsic_dimension,
    neighbour_counts,
    relative_spread,
    variance_shares,
)
from curvox.diagnosis.embedding_pairs import EmbeddingPairs, pairs_of, why_unusable
from curvox.diagnosis.findings import Checked, Evidence, Finding, merged
from curvox.diagnosis.observation import EmbeddedSet
from curvox.geometry import Euclidean, pairwise_euclidean_distance

CAUSES_OF_EMBEDDINGS = ("collapse", "dimensional_collapse", "concentration", "hubness")


def embedding_checks(items: EmbeddedSet) -> Checked:
    """Look for collapse, complete and of dimensions, for distances that are all alike, and for hubs.

    Judged are the points of the space, as distances and scores see them. Of very large sets a part is looked at.
    """
    if why := why_unusable(items):
        return Checked.impossible(why, *CAUSES_OF_EMBEDDINGS)
    pairs = pairs_of(items)
    spread = _spread(pairs)
    collapse = _collapse(pairs, spread)
    if spread < limits.ROUNDING_SPREAD:
        gone = Checked.impossible("the embeddings differ by rounding only", *CAUSES_OF_EMBEDDINGS[1:])
        return merged((collapse, gone))
    return merged((collapse, _dimensional_collapse(pairs), _concentration(pairs), _hubness(pairs)))


def _spread(pairs: EmbeddingPairs) -> float:
    """Relative spread of the points, or of the raw embeddings where that is smaller.

    Zero vectors have no direction: on the sphere they are a right angle apart, and one embedding all the same.
    """
    raw = pairs.items.raw.double()
    of_points = relative_spread(pairs.items.space, pairs.points, pairs.once(pairs.same | pairs.different))
    flat = pairwise_euclidean_distance(raw, raw)[torch.ones(len(raw), len(raw), dtype=torch.bool).triu(1)]
    return min(of_points, relative_spread(Euclidean(), raw, flat))


def _collapse(pairs: EmbeddingPairs, spread: float) -> Checked:
    separation = pairs.separation()
    useless = not separation >= limits.USELESS_SEPARATION  # also without any same-speaker pair
    if spread >= limits.COLLAPSED_SPREAD or (spread >= limits.ROUNDING_SPREAD and not useless):
        return Checked(("collapse",))
    evidence = [Evidence("distance of two recordings, over that of a point and its opposite", spread, "0.1 and more")]
    if separation == separation:
        evidence.append(_separation(separation))
    return Checked(("collapse",), (Finding("collapse", "failure", tuple(evidence)),))


def _dimensional_collapse(pairs: EmbeddingPairs) -> Checked:
    name = "dimensional_collapse"
    (count, dim), speakers = pairs.points.shape, len(pairs.items.speakers.unique())
    for what, got, least in (
        ("recordings", count, limits.FEWEST_FOR_RANK),
        ("speakers", speakers, limits.FEWEST_SPEAKERS_FOR_RANK),
        ("dimensions", dim, limits.FEWEST_DIMENSIONS_FOR_RANK),
    ):
        if got < least:
            return Checked.impossible(f"needs at least {least} {what}, got {got}", name)
    rank, used = effective_rank(pairs.points), _directions_used(pairs)
    if rank >= limits.LOW_RANK and used > limits.LOW_DIRECTIONS:
        return Checked((name,))
    usual = gaussian_rank(min(count, speakers), dim)
    evidence = (
        Evidence("effective rank of the embeddings", rank, f"towards {usual:.0f}", vital="effective_rank"),
        Evidence("directions that the embeddings vary in at all", float(used), f"{min(count - 1, dim)}"),
        _separation(pairs.separation()),
    )
    severity = "failure" if rank < limits.COLLAPSED_RANK or used <= limits.COLLAPSED_DIRECTIONS else "warning"
    return Checked((name,), (Finding(name, severity, _known(evidence)),))


def _directions_used(pairs: EmbeddingPairs) -> int:
    """How many principal axes of the raw embeddings carry anything; a narrow layer leaves as many as it is wide."""
    raw = pairs.items.raw
    lengths = variance_shares(raw).sqrt()
    return int((lengths > limits.IDLE_DIRECTION * lengths[0]).sum())


def _concentration(pairs: EmbeddingPairs) -> Checked:
    name = "concentration"
    if len(pairs.points) < limits.FEWEST_FOR_CONCENTRATION:
        return Checked.impossible(
            f"needs at least {limits.FEWEST_FOR_CONCENTRATION} recordings, got {len(pairs.points)}", name
        )
    separation = pairs.separation()
    if separation != separation:
        return Checked.impossible("needs two recordings of a speaker", name)
    # Far out in a ball the distance is a logarithm, which makes all distances alike by itself.
    flat = pairwise_euclidean_distance(pairs.points, pairs.points).fill_diagonal_(0.0)
    variation = distance_variation(flat[pairs.different.triu(1)])
    if variation >= limits.ALIKE_VARIATION or separation >= limits.USELESS_SEPARATION:
        return Checked((name,))
    dimension = intrinsic_dimension(flat)
    if not dimension >= limits.HIGH_DIMENSION:
        return Checked((name,))
    evidence = (
        Evidence("standard deviation of distances over their mean", variation, "0.15 and more"),
        Evidence("intrinsic dimension of the embeddings", dimension, "5 to 12 for voices"),
        _separation(separation),
    )
    noise = variation < limits.NOISE_VARIATION or separation < limits.CHANCE_SEPARATION
    severity = "failure" if noise else "warning"
    return Checked((name,), (Finding(name, severity, evidence),))


def _hubness(pairs: EmbeddingPairs) -> Checked:
    count = len(pairs.points)
    if count < limits.FEWEST_FOR_HUBS:
        return Checked.impossible(f"needs at least {limits.FEWEST_FOR_HUBS} recordings, got {count}", "hubness")
    skewness = hubness(pairs.distances, neighbours=limits.NEIGHBOURS)
    counts = neighbour_counts(pairs.distances, neighbours=limits.NEIGHBOURS)
    reach = counts.max().item() / count
    if skewness < limits.HUB_SKEWNESS or reach < limits.HUB_NOTE:
        return Checked(("hubness",))
    evidence = (
        Evidence("share of recordings that have the largest hub among their 10 nearest", reach, "below 10 %", "%"),
        Evidence("skewness of how often a recording is a neighbour", skewness, "below 2"),
    )
    largest = counts.topk(3).indices.tolist()
    where = ", ".join(pairs.items.names[row] for row in largest) if pairs.items.names else ""
    severity = "warning" if reach >= limits.HUB_WARNING else "note"
    return Checked(("hubness",), (Finding("hubness", severity, evidence, where),))


def _separation(value: float) -> Evidence:
    return Evidence("same-speaker pairs that are closer than different ones", value, "90 % and more", "%")


def _known(evidence: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
    return tuple(entry for entry in evidence if entry.value == entry.value)
