"""Causes that lie in the loss itself."""

from curvox.diagnosis.cause import Cause

_LABELS = ("split_speakers", "merged_speakers", "channel_shortcut")
"""What labels look like to a model that learnt nothing of them."""

_FATE = ("collapse", "dimensional_collapse", "vanishing_gradient", "overfitting", "learning_rate_too_low", *_LABELS)

LOSS = (
    Cause(
        "label_blind",
        "The loss does not see the labels",
        "loss",
        "The gradient is the same whether two recordings are of one speaker or of two, so nothing in it tells speakers "
        "apart. It then moves all embeddings alike, most often together, until they are one.",
        "Give the two kinds of pairs different terms: pull one speaker together, push others apart up to a margin. "
        "For a divergence that is symmetric in its arguments, swapping them changes nothing: use gaussian_kl.",
        "loss: {name: gaussian_kl}",
        (*_FATE, "gradient_multiplied", "never_satisfied", "learning_rate_too_high"),
    ),
    Cause(
        "wrong_direction",
        "The loss pushes the wrong way",
        "loss",
        "A step against the gradient drives recordings of one speaker apart, or brings different speakers together. "
        "The usual reason is a label that means 'different' where the loss takes it for 'same', or a distance used as "
        "a similarity.",
        "Turn the label around (1 - same), or the sign of the distance; then ask the doctor again on one batch.",
        "",
        (*_FATE, "never_satisfied", "margin_out_of_reach", "scale_too_small"),
    ),
    Cause(
        "never_satisfied",
        "A term stays at its margin when everything is solved",
        "loss",
        "With every speaker in a point of its own, far from all others, the loss still reports its margin for "
        "same-speaker pairs and goes on pulling. The pull that never ends outweighs the push that does, and the value "
        "cannot be read.",
        "Write same-speaker pairs as max(0, d - m_same) and others as max(0, m_different - d), which both reach zero: "
        "use contrastive_hinge.",
        "loss: {name: contrastive_hinge}",
        ("collapse", "dimensional_collapse", "few_items_rule", *_LABELS),
    ),
    Cause(
        "margin_out_of_reach",
        "The margin is larger than any distance",
        "loss",
        "The distance is bounded (a sigmoid, a cosine, a ball), and its bound lies below the margin: every "
        "different-speaker pair stays inside it for ever. The loss sticks at a positive value and pushes pairs that "
        "are as far apart as they can be.",
        "Take a margin below the largest distance of the space, a third of it to begin with, or one without a bound.",
        "loss: {margin: 0.5}",
        ("collapse", "dimensional_collapse", "few_items_rule", "scale_too_small", *_LABELS),
    ),
    Cause(
        "never_active",
        "No pair or triplet is active",
        "loss",
        "Every pair or triplet already satisfies its margin, so the loss is zero and so is its gradient, although the "
        "speakers are not told apart. Nothing is learnt from here on.",
        "Raise the margin above the distances that the embeddings have now, or mine harder pairs.",
        "loss: {mining: hardest}",
        (*_FATE, "frozen_parameters", "centres_never_move"),
    ),
    Cause(
        "gradient_multiplied",
        "A constant multiplies the gradient",
        "loss",
        "A fixed factor, such as 1/σ² of a narrow Gaussian, makes a relative change of the embeddings cost hundreds of "
        "times what it does in other losses. The steps are then too long for any usual learning rate.",
        "Let the variance be learnt between a floor and a ceiling, or set it to the size of the squared distances, and "
        "divide by the number of dimensions.",
        "loss: {name: gaussian_kl}",
        ("exploding_gradient", "learning_rate_too_high", "few_items_rule", "half_precision_overflow", "collapse"),
    ),
    Cause(
        "scale_too_small",
        "The scale is too small for this many speakers",
        "loss",
        "Similarities are bounded, and with a small scale even a recording on its own centre gets a small probability "
        "among so many. The loss cannot fall below a floor, and goes on pushing recordings that are right already.",
        "Raise the scale to about sqrt(2) ln(N - 1) or more; 30 is usual for thousands of speakers.",
        "loss: {scale: 30}",
        (
            "overfitting",
            "collapse",
            "dimensional_collapse",
            "never_satisfied",
            "margin_out_of_reach",
            "vanishing_gradient",
        ),
    ),
    Cause(
        "scale_too_large",
        "The scale is too large",
        "loss",
        "Differences of similarity are multiplied until the softmax is one or zero: most recordings have no gradient "
        "at all, and the few on the wrong side have the full one. Training is ruled by the errors of the moment.",
        "Lower the scale; the range that fits the measured distances stands in the evidence.",
        "loss: {scale: 30}",
        ("vanishing_gradient", "few_items_rule", "learning_rate_too_high", "overfitting", "exploding_gradient"),
    ),
)
