"""What is wrong in a Poincaré ball: where the points lie, what float32 makes of them, what curvature does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curvox.diagnosis.findings import Cause, Checked, Evidence, Finding, graded, merged

if TYPE_CHECKING:
    from curvox.diagnosis.observation import LiveSigns
    from curvox.diagnosis.probes.pairs import PointsInBall

POINTS_AT_ORIGIN = Cause(
    "points_at_origin",
    "All points sit at the origin of the ball",
    "space",
    "The lift puts the embeddings so near the origin that the ball is flat there and all distances are tiny. The loss "
    "cannot reach a useful difference of distances.",
    "Raise the gain of the lift, or take the lift clip.",
    "loss: {space: {name: poincare_ball, lift: {name: exp_map, gain: 0.1}}}",
    ("scale_too_small", "curvature_without_effect", "margin_out_of_reach", "vanishing_gradient", "concentration"),
)

FLOAT32_DISTANCE_ERROR = Cause(
    "float32_distance_error",
    "Distances this near the rim are wrong in float32",
    "space",
    "The distance divides by 1 - c|x|², of which float32 keeps few digits near the rim. Distances and their gradients "
    "are then off by more than they should decide.",
    "Keep the points further inside: a smaller radius of the lift, or a smaller gain.",
    "loss: {space: {name: poincare_ball, lift: {name: clip, radius: 0.99}}}",
    ("exploding_gradient", "dead_radius"),
)

DEAD_RADIUS = Cause(
    "dead_radius",
    "The radius is dead",
    "space",
    "Every embedding is longer than the clip radius and put onto one sphere, and no gradient reaches its length. The "
    "radius, where a hyperbolic space keeps its hierarchy, is not learnt at all.",
    "If the radius is to be learnt, take the lift soft_clip, and mind the error rate, which was higher with it on "
    "openvoices. If not, leave it: directions are enough to tell speakers apart.",
    "loss: {space: {name: poincare_ball, lift: {name: soft_clip}}}",
)

CURVATURE_WITHOUT_EFFECT = Cause(
    "curvature_without_effect",
    "The curvature has no effect",
    "space",
    "Within the radius that the points reach, hyperbolic and flat distances are the same up to a factor. The ball "
    "costs more and gives nothing then.",
    "Raise c or the radius that the lift can reach, or take a flat space.",
    "loss: {space: {name: poincare_ball, c: 1.0}}",
    ("scale_too_large",),
)

ORIGIN_DISTANCE = 0.05
"""Median distance from the origin that is a failure: opposite points are then 0.1 apart, and a softmax of scale 30 over
such distances cannot reach a probability of 0.9 among 200 speakers."""

NEAR_ORIGIN_DISTANCE = 0.12
"""Median distance from the origin for a warning."""

FLOAT32_ERROR = 0.02
"""Error of float32 distances (95 % quantile) over the standard deviation of the distances. Well inside the rim it is
1e-4 and less."""

FLOAT32_ERROR_FAILURE = 0.5
"""Here float32 decides as much as the embedding does."""

DEAD_SLOPE = 1e-4
"""Relative change of a point's distance from the origin for that of the raw length: 0 on a clip sphere, 1 where the
lift is straight, 0.2 far out on a soft one."""

DEAD_SHARE, HALF_DEAD_SHARE = 0.9, 0.5
"""Share of the points with a dead length, for a warning and for a note."""

SAME_RADIUS, AT_THE_RIM = 1e-4, 0.5
"""Quantiles of the radius of a running training that are one and the same, over the largest radius, away from the
origin."""

CURVATURE_EFFECT = 0.02
"""By how much the ratio of hyperbolic to flat distance varies out to the points; 0.24 at a radius of 0.58, 0.02 at
0.17."""

OF_SPACE = (POINTS_AT_ORIGIN.name, FLOAT32_DISTANCE_ERROR.name, DEAD_RADIUS.name, CURVATURE_WITHOUT_EFFECT.name)
"""The causes that show in a ball."""


def check_ball(ball: PointsInBall) -> Checked:
    """Look for what goes wrong in a Poincaré ball."""
    checks = (_points_at_origin, _float32_distance_error, _dead_radius, _curvature_without_effect)
    return merged(check(ball) for check in checks)


def _points_at_origin(ball: PointsInBall) -> Checked:
    depth = ball.depth()
    # In a ball that is large and flat the points may be far apart, however near the middle they are.
    return POINTS_AT_ORIGIN.judged(
        graded(failure=depth < ORIGIN_DISTANCE, warning=depth < NEAR_ORIGIN_DISTANCE),
        Evidence("median distance of the points from the origin", depth, "0.5 to 6", vital="radius_mid"),
        Evidence("largest distance that the lift can give", ball.space.max_distance / 2.0, "1 and more"),
    )


def _float32_distance_error(ball: PointsInBall) -> Checked:
    error, spread = ball.float32_error()
    share = error / spread if spread != 0 else 0.0
    return FLOAT32_DISTANCE_ERROR.judged(
        graded(
            failure=share >= FLOAT32_ERROR_FAILURE, warning=not share < FLOAT32_ERROR
        ),  # also where float32 gives NaN
        Evidence("error of float32 distances over their standard deviation", share, "below 0.1 %", "%"),
        Evidence("1 - c|x|² of the median point", ball.rim_gap(), "above 0.01"),
    )


def _dead_radius(ball: PointsInBall) -> Checked:
    share = ball.share_of_dead_lengths(DEAD_SLOPE)
    what = "median length of the raw embeddings over the largest radius"
    return DEAD_RADIUS.judged(
        graded(warning=share >= DEAD_SHARE, note=share >= HALF_DEAD_SHARE),
        Evidence("embeddings whose length has no gradient", share, "none", "%"),
        Evidence(what, ball.length_over_reach(), "below 1"),
    )


def dead_radius_now(signs: LiveSigns) -> Finding | None:
    """The finding where all points of a running training have lain on one sphere for some logs."""
    low, high = signs.all("radius_low"), signs.all("radius_high")
    if low is None or high is None or max(high) - min(low) > SAME_RADIUS or min(low) < AT_THE_RIM:
        return None
    return DEAD_RADIUS.finding(
        "note",
        Evidence("radius, 5 % quantile", low[-1], "below the 95 % quantile", "", "radius_low"),
        Evidence("radius, 95 % quantile", high[-1], "above the 5 % quantile", "", "radius_high"),
    )


def _curvature_without_effect(ball: PointsInBall) -> Checked:
    effect = ball.curvature_effect()
    evidence = Evidence("variation of hyperbolic over flat distance", effect, "20 % and more", "%")
    if effect < CURVATURE_EFFECT:
        c = Evidence("curvature c of the ball", ball.space.c_value, "1 where the lift reaches the rim")
        return CURVATURE_WITHOUT_EFFECT.judged("warning", evidence, c)
    published = ball.published_curvature()
    what = "published curvature, which sets the clip radius only"
    clip = Evidence(what, published, "1, the c of the distance")
    return CURVATURE_WITHOUT_EFFECT.judged(graded(note=published != 1.0), clip, evidence)
