"""What the form of a loss does: it does not see the labels, pushes the wrong way, never rests or never acts.

The numbers were set on the development seeds of ``benchmarks/doctor.py``, and tested on others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from curvox.diagnosis.findings import Cause, Checked, Evidence, Finding, graded, merged

if TYPE_CHECKING:
    from curvox.diagnosis.observation import LiveSigns
    from curvox.diagnosis.probes.loss import BatchMeasures, LossMeasures, Response, Rests

_LABELS = ("split_speakers", "merged_speakers", "channel_shortcut")
"""What labels look like to a model that learnt nothing of them."""

_FATE = ("collapse", "dimensional_collapse", "vanishing_gradient", "overfitting", "learning_rate_too_low", *_LABELS)

LABEL_BLIND = Cause(
    "label_blind",
    "The loss does not see the labels",
    "loss",
    "The gradient is the same whether two recordings are of one speaker or of two, so nothing in it tells speakers "
    "apart. It then moves all embeddings alike, most often together, until they are one.",
    "Give the two kinds of pairs different terms: pull one speaker together, push others apart up to a margin. For a "
    "divergence that is symmetric in its arguments, swapping them changes nothing: use gaussian_kl.",
    "loss: {name: gaussian_kl}",
    (*_FATE, "gradient_multiplied", "never_satisfied", "learning_rate_too_high"),
)

WRONG_DIRECTION = Cause(
    "wrong_direction",
    "The loss pushes the wrong way",
    "loss",
    "A step against the gradient drives recordings of one speaker apart, or brings different speakers together. The "
    "usual reason is a label that means 'different' where the loss takes it for 'same', or a distance used as a "
    "similarity.",
    "Turn the label around (1 - same), or the sign of the distance; then ask the doctor again on one batch.",
    "",
    (*_FATE, "never_satisfied", "margin_out_of_reach", "scale_too_small"),
)

NEVER_SATISFIED = Cause(
    "never_satisfied",
    "A term stays at its margin when everything is solved",
    "loss",
    "With every speaker in a point of its own, far from all others, the loss still reports its margin for same-speaker "
    "pairs and goes on pulling. The pull that never ends outweighs the push that does, and the value cannot be read.",
    "Write same-speaker pairs as max(0, d - m_same) and others as max(0, m_different - d), which both reach zero: use "
    "contrastive_hinge.",
    "loss: {name: contrastive_hinge}",
    ("collapse", "dimensional_collapse", "few_items_rule", *_LABELS),
)

MARGIN_OUT_OF_REACH = Cause(
    "margin_out_of_reach",
    "The margin is larger than any distance",
    "loss",
    "The distance is bounded (a sigmoid, a cosine, a ball), and its bound lies below the margin: every "
    "different-speaker pair stays inside it for ever. The loss sticks at a positive value and pushes pairs that are as "
    "far apart as they can be.",
    "Take a margin below the largest distance of the space, a third of it to begin with, or one without a bound.",
    "loss: {margin: 0.5}",
    ("collapse", "dimensional_collapse", "few_items_rule", "scale_too_small", *_LABELS),
)

NEVER_ACTIVE = Cause(
    "never_active",
    "No pair or triplet is active",
    "loss",
    "Every pair or triplet already satisfies its margin, so the loss is zero and so is its gradient, although the "
    "speakers are not told apart. Nothing is learnt from here on.",
    "Raise the margin above the distances that the embeddings have now, or mine harder pairs.",
    "loss: {mining: hardest}",
    (*_FATE, "frozen_parameters", "centres_never_move"),
)

BLIND_DIFFERENCE = 0.02
"""Gradients under two groupings that differ by less than this, over their length, do not see the labels; losses that
do see them differ by 0.3 and more."""

TOLD_APART = 0.7
"""AUC that free embeddings must reach by following a loss that also moves them the wrong way at first; sound losses
reach 0.84 and more."""

TURNED = 0.3
"""AUC below which they have gone the wrong way; from chance, 0.5, sound losses never go down."""

GATHERED = 0.35
"""Spread, after over before, below which free embeddings were drawn together rather than told apart."""

SOLVED_OVER_COLLAPSED = 0.98
"""A loss that is hardly smaller with all speakers solved than with everybody in one point gains nothing by telling them
apart; with a margin out of reach it gains a tenth at least, or pulls in the right direction."""

REST = 0.03
"""Share of the collapsed value that a sound loss may keep when all is solved: bounded similarities leave 0.001."""

REST_OUT_OF_REACH = 0.1
"""Share of the collapsed value, with most speakers as far apart as can be, that names a margin out of reach."""

REST_GROWTH = 1.05
"""Growth of what is left from few speakers to many, above which it belongs to different-speaker pairs."""

SOFTMAX_GROWTH = 1.8
"""Growth of the collapsed value from two to eight speakers that tells a softmax, log 8 / log 2 = 3, from terms of
pairs, at most 1.4."""

NO_GRADIENT = 1e-5
"""Relative gradient of a batch that counts as none; sound losses have 0.1 and more at random."""

ACTIVE_UNTIL = 0.95
"""AUC of a batch up to which a loss without any gradient has stopped too early."""

ONE_POINT = 1e-6
"""Spread of the distances of a batch over the length of its embeddings: all are one, which has a name of its own."""

SOLVED_LIVE = 3.0
"""Distance of different speakers over that of one, which means told apart."""

_MARGINS = (NEVER_SATISFIED.name, MARGIN_OUT_OF_REACH.name)
_CAUSES = (LABEL_BLIND.name, WRONG_DIRECTION.name, *_MARGINS, NEVER_ACTIVE.name)


def check_form(measures: LossMeasures) -> Checked:
    """Look for what is wrong with the form of a loss; a loss that is inactive or goes astray is asked no further."""
    reason, at_random, left = "; ".join(measures.refusals), measures.at_random, measures.rests
    if at_random is None:
        return Checked.impossible(f"the loss refuses the batches made for it: {reason}", *_CAUSES)
    if not at_random.finite:
        return Checked.impossible("the loss or its gradient is not finite on embeddings at random", *_CAUSES)
    inactive, why = _never_active(measures, at_random), reason or "the loss is inactive"
    asked = not inactive.findings
    labels = asked and measures.labels is not None
    way = asked and measures.descent is not None
    parts = [
        inactive,
        _label_blind(measures) if labels else LABEL_BLIND.unknown(why),
        _wrong_direction(measures) if way else WRONG_DIRECTION.unknown(why),
    ]
    if measures.has_centres:
        # Their margin is part of a softmax, which has no value that it must reach.
        parts.insert(0, Checked.impossible("the loss has centres of its own", *_MARGINS))
    elif left is None:
        parts.append(Checked.impossible(why, *_MARGINS))
    else:
        astray = any(part.findings for part in parts)
        parts += [Checked(_MARGINS)] if astray else [_never_satisfied(left), _out_of_reach(left)]
    return merged(parts)


def _never_active(measures: LossMeasures, at_random: Response) -> Checked:
    return NEVER_ACTIVE.judged(
        graded(failure=at_random.relative <= NO_GRADIENT),
        Evidence("gradient times length of embeddings at random", at_random.relative, "0.1 and more"),
        Evidence("value of the loss there", at_random.value, "above 0"),
        *_auc(measures),
    )


def inactive_in_batch(measures: BatchMeasures) -> Finding | None:
    """The finding where a batch has no gradient although its speakers are not told apart."""
    relative = measures.response.relative
    if measures.auc is None or measures.auc > ACTIVE_UNTIL or relative > NO_GRADIENT or measures.spread <= ONE_POINT:
        return None
    return NEVER_ACTIVE.finding(
        "failure",
        Evidence("gradient of this batch times length of its embeddings", relative, "above 0.01"),
        Evidence("AUC of its same- and different-speaker pairs", measures.auc, "near 1 when nothing is active"),
    )


def inactive_now(signs: LiveSigns) -> Finding | None:
    """The finding where a running training has had no gradient for some logs."""
    shares, norms = signs.all("active_share"), signs.all("gradient_norm")
    if shares is None or norms is None or max(shares) > 0 or max(norms) > 0:
        return None
    same, apart = signs.all("same_distance"), signs.all("different_distance")
    # With all speakers told apart, no gradient is what the end of a good training looks like.
    solved = same is not None and apart is not None and apart[-1] > SOLVED_LIVE * same[-1]
    evidence = Evidence("recordings with a gradient", shares[-1], "some, until all is learnt", "%", "active_share")
    return NEVER_ACTIVE.finding("note" if solved else "failure", evidence)


def _label_blind(measures: LossMeasures) -> Checked:
    labels = measures.labels
    if labels is None:
        return LABEL_BLIND.absent()
    # A loss ruled by one recording hardly changes with the labels of the others, but tells speakers apart in the end.
    told_apart = measures.descent is not None and measures.descent.auc > TOLD_APART
    blind = not labels.difference > BLIND_DIFFERENCE or _pulls_all_alike(measures)
    return LABEL_BLIND.judged(
        graded(failure=blind and not told_apart),
        Evidence("cosine of the gradients under two different groupings", labels.cosine, "below 0.95"),
        Evidence("their difference over their length", labels.difference, "0.3 and more"),
        *_pull(measures),
        *_auc(measures),
        *_spread(measures),
    )


def _pulls_all_alike(measures: LossMeasures) -> bool:
    """Both kinds of pairs are pulled together, if with other weights, and nothing is gained by telling them apart."""
    pull, descent, left = measures.pull, measures.descent, measures.rests
    if pull is None or descent is None or left is None or not pull.same <= pull.different < 0:
        return False
    return descent.spread < GATHERED and _prefers_collapse(left)


def _wrong_direction(measures: LossMeasures) -> Checked:
    descent, left, pull = measures.descent, measures.rests, measures.pull
    if descent is None or pull is None or pull.same <= pull.different or _label_blind(measures).findings:
        return WRONG_DIRECTION.absent()
    # With centres of its own a loss cannot be asked about solved speakers; then the way of free embeddings decides.
    turned = descent.auc < (TURNED if left is not None else TOLD_APART)
    evidence = (*_pull(measures), *_auc(measures))
    if left is not None:
        turned = turned or _prefers_collapse(left)
        evidence += (
            Evidence("loss with all speakers solved", left.solved[left.most], "below that with everybody in one point"),
            Evidence("loss with everybody in one point", left.collapsed[left.most], "above that of solved speakers"),
        )
    return WRONG_DIRECTION.judged(graded(failure=turned), *evidence, *_spread(measures))


def _prefers_collapse(left: Rests) -> bool:
    return left.solved[left.most] > SOLVED_OVER_COLLAPSED * left.collapsed[left.most]


def _never_satisfied(left: Rests) -> Checked:
    """What is left belongs to same-speaker pairs: it is gone without any, or shrinks as their share of all does."""
    least = min(left.share(left.fewest), left.share(left.most))
    pulls = not (is_softmax(left) or _stays_alone(left) or _grows(left))
    evidence = (
        Evidence(f"share of the collapsed loss that is left with {n} speakers solved", left.share(n), "0", "%")
        for n in (left.fewest, left.most)
    )
    return NEVER_SATISFIED.judged(graded(failure=pulls and not least <= REST), *evidence)


def _out_of_reach(left: Rests) -> Checked:
    """What is left belongs to different-speaker pairs: it stays without others, or grows with their share."""
    pushes = not is_softmax(left) and (_grows(left) or _stays_alone(left))
    what = f"share of the collapsed loss that is left with {left.most} speakers as far apart as can be, at any length"
    return MARGIN_OUT_OF_REACH.judged(
        graded(failure=pushes and not left.share(left.most) <= REST_OUT_OF_REACH),
        Evidence(what, left.share(left.most), "0", "%"),
        Evidence(f"the same with {left.fewest} speakers", left.share(left.fewest), "0", "%"),
    )


def is_softmax(left: Rests) -> bool:
    """Tell whether the collapsed value grows with the number of speakers as log N does."""
    return 0 < SOFTMAX_GROWTH * left.collapsed[left.fewest] < left.collapsed[left.most]


def _grows(left: Rests) -> bool:
    """Whether what is left grows with the speakers, where it cannot be asked without same-speaker pairs."""
    return left.alone is None and left.solved[left.most] > REST_GROWTH * left.solved[left.fewest]


def _stays_alone(left: Rests) -> bool:
    """Whether something is left of a solved batch that holds no same-speaker pairs."""
    return left.alone is not None and left.alone[0] > REST_OUT_OF_REACH * max(left.alone[1], 1e-12)


def _pull(measures: LossMeasures) -> tuple[Evidence, ...]:
    pull = measures.pull
    if pull is None:
        return ()
    return (
        Evidence("change of same-speaker distances in a short step", pull.same, "less than that of others", "%"),
        Evidence("change of different-speaker distances in it", pull.different, "more than the former", "%"),
    )


def _auc(measures: LossMeasures) -> tuple[Evidence, ...]:
    if measures.descent is None:
        return ()
    what = "AUC of free embeddings that followed the loss, from 0.5 on"
    return (Evidence(what, measures.descent.auc, "above 0.8"),)


def _spread(measures: LossMeasures) -> tuple[Evidence, ...]:
    if measures.descent is None:
        return ()
    return (Evidence("their mean distance, after over before", measures.descent.spread, "not near 0"),)
