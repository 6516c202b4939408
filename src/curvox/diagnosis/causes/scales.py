"""Is the loss too soft, too sharp, or multiplied? Scales judged by the number of speakers and by distances."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from curvox.diagnosis.causes.loss_form import REST_OUT_OF_REACH, is_softmax
from curvox.diagnosis.findings import Cause, Checked, Evidence, graded, merged

if TYPE_CHECKING:
    from curvox.diagnosis.probes.loss import LossMeasures, Response, Rests
    from curvox.diagnosis.probes.softmax import Softmax

GRADIENT_MULTIPLIED = Cause(
    "gradient_multiplied",
    "A constant multiplies the gradient",
    "loss",
    "A fixed factor, such as 1/σ² of a narrow Gaussian, makes a relative change of the embeddings cost hundreds of "
    "times what it does in other losses. The steps are then too long for any usual learning rate.",
    "Let the variance be learnt between a floor and a ceiling, or set it to the size of the squared distances, and "
    "divide by the number of dimensions.",
    "loss: {name: gaussian_kl}",
    ("exploding_gradient", "learning_rate_too_high", "few_items_rule", "half_precision_overflow", "collapse"),
)

SCALE_TOO_SMALL = Cause(
    "scale_too_small",
    "The scale is too small for this many speakers",
    "loss",
    "Similarities are bounded, and with a small scale even a recording on its own centre gets a small probability "
    "among so many. The loss cannot fall below a floor, and goes on pushing recordings that are right already.",
    "Raise the scale to about sqrt(2) ln(N - 1) or more; 30 is usual for thousands of speakers.",
    "loss: {scale: 30}",
    ("overfitting", "collapse", "dimensional_collapse", "never_satisfied", "margin_out_of_reach", "vanishing_gradient"),
)

SCALE_TOO_LARGE = Cause(
    "scale_too_large",
    "The scale is too large",
    "loss",
    "Differences of similarity are multiplied until the softmax is one or zero: most recordings have no gradient at "
    "all, and the few on the wrong side have the full one. Training is ruled by the errors of the moment.",
    "Lower the scale; the range that fits the measured distances stands in the evidence.",
    "loss: {scale: 30}",
    ("vanishing_gradient", "few_items_rule", "learning_rate_too_high", "overfitting", "exploding_gradient"),
)

MULTIPLIED, MULTIPLIED_FAR = 1500.0, 10000.0
"""Relative gradient of a loss of pairs at random from which on a constant is said to multiply it (a warning), and
from which on that is a failure; the largest of a sound loss is 730, of squared lengths that nobody normalised."""

USUAL_GRADIENT = 30.0
"""Relative gradient of a usual loss of pairs."""

SURE, HARDLY = 0.9, 0.5
"""Probability on the own centre with all centres as far apart as can be: below the first a warning, below the second
a failure, for the loss then stays above 0.1 and above 0.7 for ever."""

SCALE_FACTOR, SCALE_FACTOR_FAR = 20.0, 50.0
"""Scale over that of AdaCos, sqrt(2) ln(N - 1) (Zhang et al. 2019, arXiv:1905.00292), from which on it is too large:
a warning, and a failure. The usual 30 and 64 are 2.5 to 17 times that, from 6,000 speakers down to 16."""

BALL_FACTOR, BALL_FACTOR_FAR = 100.0, 300.0
"""The same on the ball, where points come to use more and more of the room while they are trained: sound runs with a
scale of 30 are between 50 and 100 here and there."""

FLOOR_FAILURE = 0.3
"""Share of the collapsed loss that a softmax over recordings keeps with solved speakers, for a failure."""


def check_scale(measures: LossMeasures) -> Checked:
    """Look for scales that do not fit the speakers and the embeddings, and for constants that multiply the gradient."""
    if measures.at_random is None or not measures.at_random.finite:
        reason = "; ".join(measures.refusals) or "the loss or its gradient is not finite on embeddings at random"
        return Checked.impossible(reason, SCALE_TOO_SMALL.name, SCALE_TOO_LARGE.name, GRADIENT_MULTIPLIED.name)
    if measures.softmaxes:
        known = GRADIENT_MULTIPLIED.unknown("the scale of the loss says it")
        return merged((*(check(part) for part in measures.softmaxes for check in (_too_small, _too_large)), known))
    looked = (cause.absent() for cause in (GRADIENT_MULTIPLIED, SCALE_TOO_SMALL, SCALE_TOO_LARGE))
    return merged((*looked, _multiplied(measures.at_random, measures.rests), _soft_floor(measures.rests)))


def _too_small(softmax: Softmax) -> Checked:
    what = f"largest probability that one of {softmax.speakers} speakers can get"
    return SCALE_TOO_SMALL.judged(
        graded(failure=softmax.surest < HARDLY, warning=softmax.surest < SURE),
        Evidence(what, softmax.surest, "above 90 %", "%"),
        Evidence("scale", softmax.scale, f"{softmax.scale_for(SURE):.3g} or more"),
    )


def _too_large(softmax: Softmax) -> Checked:
    factor = softmax.scale / softmax.usual_scale
    most, far = (BALL_FACTOR, BALL_FACTOR_FAR) if softmax.on_ball else (SCALE_FACTOR, SCALE_FACTOR_FAR)
    fits = f"from {softmax.scale_for(SURE):.3g} to {most * softmax.usual_scale:.3g}"
    return SCALE_TOO_LARGE.judged(
        graded(failure=factor > far, warning=factor > most),
        Evidence("scale", softmax.scale, fits),
        Evidence(f"scale over the usual one for {softmax.speakers} speakers", factor, f"below {most:g}"),
    )


def _multiplied(at_random: Response, left: Rests | None) -> Checked:
    # A softmax that is only sharp still costs log N when everybody is in one point.
    sharp = left is not None and is_softmax(left) and left.collapsed[left.most] < 5.0 * math.log(2 * left.most)
    return (SCALE_TOO_LARGE if sharp else GRADIENT_MULTIPLIED).judged(
        graded(failure=at_random.relative > MULTIPLIED_FAR, warning=at_random.relative > MULTIPLIED),
        Evidence("gradient times length of embeddings at random", at_random.relative, "0.1 to 700"),
        Evidence("factor by which the loss is too steep", at_random.relative / USUAL_GRADIENT, "about 1"),
    )


def _soft_floor(left: Rests | None) -> Checked:
    """A softmax over the recordings of the batch that keeps a floor when all is solved."""
    if left is None or not is_softmax(left):
        return SCALE_TOO_SMALL.absent()
    share = left.share(left.most)
    severity = graded(failure=share > FLOOR_FAILURE, warning=share > REST_OUT_OF_REACH)
    what = f"share of the collapsed loss that is left with {left.most} speakers as far apart as they can be"
    # From 1 on it is not a floor but the wrong way.
    return SCALE_TOO_SMALL.judged(severity if share < 1.0 else None, Evidence(what, share, "near 0", "%"))
