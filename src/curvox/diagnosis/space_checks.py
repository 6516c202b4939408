"""Checks of a Poincaré ball: where the points lie in it, what float32 makes of their distances, what curvature does."""

from __future__ import annotations

import torch
from torch import Tensor

from curvox.diagnosis import thresholds_embeddings as limits
from curvox.diagnosis.embedding_pairs import EmbeddingPairs, pairs_of, why_unusable
from curvox.diagnosis.findings import Checked, Evidence, Finding, merged
from curvox.diagnosis.observation import EmbeddedSet
from curvox.geometry import PoincareBall, Published, rim_gap
from curvox.losses import AbstractLoss

CAUSES_OF_SPACE = ("points_at_origin", "float32_distance_error", "dead_radius", "curvature_without_effect")


def space_checks(items: EmbeddedSet, loss: AbstractLoss | None = None) -> Checked:
    """Look for what goes wrong in a Poincaré ball; in another space there is nothing to look for.

    ``loss`` is the run's; its space is taken where there is one, since that is where the gradient comes from.
    """
    space = items.space if loss is None else loss.space
    ball = space.ball
    if ball is None:
        return Checked(())
    here = EmbeddedSet(items.raw, items.speakers, ball, items.sessions, items.channels, items.names)
    if why := why_unusable(here):
        return Checked.impossible(why, *CAUSES_OF_SPACE)
    pairs = pairs_of(here)
    checks = (_points_at_origin, _float32_distance_error, _dead_radius, _curvature_without_effect)
    return merged(check(ball, pairs) for check in checks)


def _points_at_origin(space: PoincareBall, pairs: EmbeddingPairs) -> Checked:
    name = "points_at_origin"
    depth = space.distance(pairs.points, torch.zeros_like(pairs.points)).median().item()
    # In a ball that is large and flat the points may be far apart, however near the middle they are.
    if depth >= limits.NEAR_ORIGIN_DISTANCE:
        return Checked((name,))
    evidence = (
        Evidence("median distance of the points from the origin", depth, "0.5 to 6", vital="radius_mid"),
        Evidence("largest distance that the lift can give", space.max_distance / 2.0, "1 and more"),
    )
    severity = "failure" if depth < limits.ORIGIN_DISTANCE else "warning"
    return Checked((name,), (Finding(name, severity, evidence),))


def _float32_distance_error(space: PoincareBall, pairs: EmbeddingPairs) -> Checked:
    name = "float32_distance_error"
    rough_points = space.project(pairs.items.raw.float())
    rough = space.pairwise_distance(rough_points, rough_points).double()
    whole = pairs.same | pairs.different
    exact = pairs.once(whole)
    error = torch.quantile(_thinned((rough[whole.triu(1)] - exact).abs()), 0.95).item()
    spread = exact.std(correction=0).item()
    if spread == 0 or error < limits.FLOAT32_ERROR * spread:
        return Checked((name,))
    closest = rim_gap(pairs.points, c=space.c_value).median().item()
    evidence = (
        Evidence("error of float32 distances over their standard deviation", error / spread, "below 0.1 %", "%"),
        Evidence("1 - c|x|² of the median point", closest, "above 0.01"),
    )
    severity = "failure" if error >= limits.FLOAT32_ERROR_FAILURE * spread else "warning"
    return Checked((name,), (Finding(name, severity, evidence),))


def _dead_radius(space: PoincareBall, pairs: EmbeddingPairs) -> Checked:
    name = "dead_radius"
    slopes = _radius_slopes(space, pairs.items.raw)
    share = (slopes < limits.DEAD_SLOPE).double().mean().item()
    if share < limits.HALF_DEAD_SHARE:
        return Checked((name,))
    reach = space.reach
    length = torch.linalg.vector_norm(pairs.items.raw.double(), dim=1).median().item()
    evidence = (
        Evidence("embeddings whose length has no gradient", share, "none", "%"),
        Evidence("median length of the raw embeddings over the largest radius", length / reach, "below 1"),
    )
    severity = "warning" if share >= limits.DEAD_SHARE else "note"
    return Checked((name,), (Finding(name, severity, evidence),))


def _radius_slopes(space: PoincareBall, raw: Tensor) -> Tensor:
    """(N,) how the distance from the origin follows the raw length: d log distance / d log length."""
    lengths = torch.linalg.vector_norm(raw.double(), dim=1).clamp_min(1e-12)
    c = space.c_value
    with torch.enable_grad():
        logs = lengths.log().requires_grad_()
        squares = (2.0 * logs).exp()
        radii = logs.exp() * space.lift.factor(squares, dim=raw.shape[1], c=c)
        (slopes,) = torch.autograd.grad(radii.sum(), logs)
    radii = radii.detach()
    gaps = space.lift.rim_gap(squares.detach(), dim=raw.shape[1], c=c).detach()
    depth = 2.0 / c**0.5 * torch.atanh((c**0.5 * radii).clamp_max(1.0 - 1e-12))
    return 2.0 * slopes / gaps / depth.clamp_min(1e-300)


def _curvature_without_effect(space: PoincareBall, pairs: EmbeddingPairs) -> Checked:
    name = "curvature_without_effect"
    effect = _curvature_effect(space, pairs)
    lift = space.lift
    if effect < limits.CURVATURE_EFFECT:
        evidence = (
            Evidence("variation of hyperbolic over flat distance", effect, "20 % and more", "%"),
            Evidence("curvature c of the ball", space.c_value, "1 where the lift reaches the rim"),
        )
        return Checked((name,), (Finding(name, "warning", evidence),))
    if isinstance(lift, Published) and lift.curvature != 1.0:
        evidence = (
            Evidence(
                "published curvature, which sets the clip radius only", lift.curvature, "1, the c of the distance"
            ),
            Evidence("variation of hyperbolic over flat distance", effect, "20 % and more", "%"),
        )
        return Checked((name,), (Finding(name, "note", evidence),))
    return Checked((name,))


def _curvature_effect(space: PoincareBall, pairs: EmbeddingPairs) -> float:
    """By how much hyperbolic over flat distance varies within the radius that the points reach.

    Around a point that ratio is ``2 / (1 - c |x|²)`` for short distances; for the longest, to the opposite point, it is
    ``2 artanh(r) / r`` with ``r = sqrt(c) |x|``. Pairs of a batch would tell less: early in a training all are short.
    """
    c = space.c_value
    local = 2.0 / rim_gap(pairs.points, c=c)
    radii = (c**0.5 * torch.linalg.vector_norm(pairs.points, dim=1)).clamp(1e-9, 1.0 - 1e-12)
    ratios = torch.cat((local, 2.0 * torch.atanh(radii) / radii))
    low, high = torch.quantile(ratios, torch.tensor([0.05, 0.95], dtype=ratios.dtype)).tolist()
    return 1.0 - low / high


def _thinned(values: Tensor) -> Tensor:
    """At most a million of them: `torch.quantile` takes no more than 16."""
    return values[:: max(1, len(values) // 1_000_000)]
