"""Causes that show in the embeddings and in hyperbolic space."""

from curvox.diagnosis.cause import Cause

SPACE = (
    Cause(
        "points_at_origin",
        "All points sit at the origin of the ball",
        "space",
        "The lift puts the embeddings so near the origin that the ball is flat there and all distances are tiny. The "
        "loss cannot reach a useful difference of distances.",
        "Raise the gain of the lift, or take the lift clip.",
        "loss: {space: {name: poincare_ball, lift: {name: exp_map, gain: 0.1}}}",
        ("scale_too_small", "curvature_without_effect", "margin_out_of_reach", "vanishing_gradient", "concentration"),
    ),
    Cause(
        "float32_distance_error",
        "Distances this near the rim are wrong in float32",
        "space",
        "The distance divides by 1 - c|x|², of which float32 keeps few digits near the rim. Distances and their "
        "gradients are then off by more than they should decide.",
        "Keep the points further inside: a smaller radius of the lift, or a smaller gain.",
        "loss: {space: {name: poincare_ball, lift: {name: clip, radius: 0.99}}}",
        ("exploding_gradient", "dead_radius"),
    ),
    Cause(
        "dead_radius",
        "The radius is dead",
        "space",
        "Every embedding is longer than the clip radius and put onto one sphere, and no gradient reaches its length. "
        "The radius, where a hyperbolic space keeps its hierarchy, is not learnt at all.",
        "If the radius is to be learnt, take the lift soft_clip, and mind the error rate, which was higher with it on "
        "openvoices. If not, leave it: directions are enough to tell speakers apart.",
        "loss: {space: {name: poincare_ball, lift: {name: soft_clip}}}",
    ),
    Cause(
        "curvature_without_effect",
        "The curvature has no effect",
        "space",
        "Within the radius that the points reach, hyperbolic and flat distances are the same up to a factor. The ball "
        "costs more and gives nothing then.",
        "Raise c or the radius that the lift can reach, or take a flat space.",
        "loss: {space: {name: poincare_ball, c: 1.0}}",
        ("scale_too_large",),
    ),
)

EMBEDDINGS = (
    Cause(
        "collapse",
        "All embeddings are one",
        "embeddings",
        "The embeddings of all recordings are the same up to rounding, and so is every score. The loss then stands "
        "at the value it has for a single point: the margin, or log N.",
        "Look at what came first: a loss that does not see the labels, a learning rate too high, hardest mining at the "
        "start. Begin with semi-hard mining or a classification loss.",
        "loss: {mining: semi_hard}",
        (
            "dimensional_collapse",
            "never_active",
            "vanishing_gradient",
            "concentration",
            "label_blind",
            "merged_speakers",
        ),
    ),
    Cause(
        "dimensional_collapse",
        "The embeddings use a few dimensions only",
        "embeddings",
        "Nearly all of their variance lies in a few directions, and so few cannot hold many speakers apart. A narrow "
        "layer, a pull without a push or a strong weight decay does it.",
        "Widen the narrowest layer before the embedding, or add a term that pushes different speakers apart.",
        "",
        ("hubness", "concentration"),
    ),
    Cause(
        "concentration",
        "All distances are alike",
        "embeddings",
        "In many dimensions that carry noise the distances of all pairs grow alike, and nearest and farthest differ "
        "by little. Neither a margin nor a threshold finds anything to hold on to.",
        "Use fewer dimensions, about the number in the evidence, or train longer: noise dimensions shrink when the "
        "loss has use for none of them.",
        "encoder: {embedding_dim: 192}",
    ),
    Cause(
        "hubness",
        "A few recordings are everybody's neighbours",
        "embeddings",
        "Some embeddings are among the nearest of very many others, whatever the speaker, because they lie near the "
        "middle of all. Their trials are false alarms.",
        "Subtract the mean, normalise the length, and normalise scores against a cohort (as_norm).",
        "",
    ),
)
