"""Is the loss itself at fault? Judged from `LossMeasures`."""

from __future__ import annotations

from curvox.diagnosis import thresholds_loss as limits
from curvox.diagnosis.adapters import has_centres
from curvox.diagnosis.findings import Checked, Evidence, Finding, NotChecked
from curvox.diagnosis.loss_probe import COUNTS, LossMeasures, Rests
from curvox.losses import AbstractLoss

_CAUSES = ("label_blind", "wrong_direction", "never_satisfied", "margin_out_of_reach", "never_active")
_LEAST, _MOST = COUNTS[0], COUNTS[-1]


def loss_checks(loss: AbstractLoss, measures: LossMeasures) -> Checked:
    """Look for what is wrong with the form of a loss; scales are looked at by `scale_checks`."""
    reason = "; ".join(measures.refusals)
    if measures.at_random is None:
        return Checked.impossible(f"the loss refuses the batches made for it: {reason}", *_CAUSES)
    if not measures.at_random.finite:
        return Checked.impossible("the loss or its gradient is not finite on embeddings at random", *_CAUSES)
    looked = ["never_active"]
    findings = [_never_active(measures)]
    gaps: list[NotChecked] = []
    inactive = findings[0] is not None
    if measures.labels is not None and not inactive:
        looked.append("label_blind")
        findings.append(_label_blind(measures))
    if measures.descent is not None and not inactive:
        looked.append("wrong_direction")
        findings.append(_wrong_direction(measures))
    if measures.rests is not None:
        looked += ["never_satisfied", "margin_out_of_reach"]
        astray = any(f is not None and f.cause in ("label_blind", "wrong_direction") for f in findings)
        findings += [] if astray or inactive else [_never_satisfied(measures.rests), _out_of_reach(measures.rests)]
    elif has_centres(loss):
        # The margin of a loss with centres is part of its softmax, which has no value that it must reach.
        gaps += [
            NotChecked(cause, "the loss has centres of its own") for cause in ("never_satisfied", "margin_out_of_reach")
        ]
    gaps += [
        NotChecked(c, reason or "the loss is inactive") for c in _CAUSES if c not in looked and not has_gap(gaps, c)
    ]
    return Checked(tuple(looked), tuple(f for f in findings if f is not None), tuple(gaps))


def has_gap(gaps: list[NotChecked], cause: str) -> bool:
    """Whether a cause is listed among those that were not looked for."""
    return any(gap.cause == cause for gap in gaps)


def _never_active(measures: LossMeasures) -> Finding | None:
    relative = measures.relative_gradient or 0.0
    if relative > limits.NO_GRADIENT:
        return None
    return Finding(
        "never_active",
        "failure",
        (
            Evidence("gradient times length of embeddings at random", relative, "0.1 and more"),
            Evidence("value of the loss there", measures.at_random.value if measures.at_random else 0.0, "above 0"),
            *_auc(measures),
        ),
    )


def _label_blind(measures: LossMeasures) -> Finding | None:
    labels = measures.labels
    if labels is None or labels.gradient <= limits.NO_GRADIENT:
        return None
    # A loss ruled by one recording hardly changes with the labels of the others, but tells speakers apart in the end.
    told_apart = measures.descent is not None and measures.descent.auc[1] > limits.TOLD_APART
    if told_apart or (labels.difference > limits.BLIND_DIFFERENCE and not _pulls_all_alike(measures)):
        return None
    return Finding(
        "label_blind",
        "failure",
        (
            Evidence("cosine of the gradients under two different groupings", labels.cosine, "below 0.95"),
            Evidence("their difference over their length", labels.difference, "0.3 and more"),
            *_pull(measures),
            *_auc(measures),
            *_spread(measures),
        ),
    )


def _pulls_all_alike(measures: LossMeasures) -> bool:
    """Both kinds of pairs are pulled together, if with other weights, and nothing is gained by telling them apart."""
    pull, descent, left = measures.pull, measures.descent, measures.rests
    if pull is None or descent is None or left is None or not pull.same <= pull.different < 0:
        return False
    return descent.spread < limits.GATHERED and _prefers_collapse(left)


def _wrong_direction(measures: LossMeasures) -> Finding | None:
    descent, left = measures.descent, measures.rests
    if descent is None or _label_blind(measures) is not None:
        return None
    pull = measures.pull
    if pull is None or pull.same <= pull.different:
        return None
    # With centres of its own a loss cannot be asked about solved speakers; then the way of free embeddings decides.
    turned = descent.auc[1] < (limits.TURNED if left is not None else limits.TOLD_APART)
    if not turned and not (left is not None and _prefers_collapse(left)):
        return None
    evidence = (*_pull(measures), *_auc(measures))
    if left is not None:
        evidence += (
            Evidence("loss with all speakers solved", left.solved[_MOST], "below that with everybody in one point"),
            Evidence("loss with everybody in one point", left.collapsed[_MOST], "above that of solved speakers"),
        )
    return Finding("wrong_direction", "failure", (*evidence, *_spread(measures)))


def _prefers_collapse(left: Rests) -> bool:
    return left.solved[_MOST] > limits.SOLVED_OVER_COLLAPSED * left.collapsed[_MOST]


def _pull(measures: LossMeasures) -> tuple[Evidence, ...]:
    if measures.pull is None:
        return ()
    return (
        Evidence(
            "change of same-speaker distances in a short step", measures.pull.same, "less than that of others", "%"
        ),
        Evidence("change of different-speaker distances in it", measures.pull.different, "more than the former", "%"),
    )


def _never_satisfied(left: Rests) -> Finding | None:
    """What is left belongs to same-speaker pairs: it is gone without any, or shrinks as their share of all does."""
    if min(_left(left, _LEAST), _left(left, _MOST)) <= limits.REST or is_softmax(left) or _stays_alone(left):
        return None
    if left.alone is None and left.solved[_MOST] > 1.05 * left.solved[_LEAST]:
        return None
    return Finding(
        "never_satisfied",
        "failure",
        tuple(
            Evidence(f"share of the collapsed loss that is left with {n} speakers solved", _left(left, n), "0", "%")
            for n in (_LEAST, _MOST)
        ),
    )


def _out_of_reach(left: Rests) -> Finding | None:
    """What is left belongs to different-speaker pairs: it stays without others, or grows with their share."""
    grows = left.alone is None and left.solved[_MOST] > 1.05 * left.solved[_LEAST]
    if is_softmax(left) or not (grows or _stays_alone(left)) or _left(left, _MOST) <= limits.REST_OUT_OF_REACH:
        return None
    return Finding(
        "margin_out_of_reach",
        "failure",
        (
            Evidence(
                f"share of the collapsed loss that is left with {_MOST} speakers as far apart as can be, at any length",
                _left(left, _MOST),
                "0",
                "%",
            ),
            Evidence(f"the same with {_LEAST} speakers", _left(left, _LEAST), "0", "%"),
        ),
    )


def is_softmax(left: Rests) -> bool:
    """Whether the collapsed value grows with the number of speakers as log N does."""
    return 0 < limits.SOFTMAX_GROWTH * left.collapsed[_LEAST] < left.collapsed[_MOST]


def _stays_alone(left: Rests) -> bool:
    """Whether something is left of a solved batch that holds no same-speaker pairs."""
    return left.alone is not None and left.alone[0] > limits.REST_OUT_OF_REACH * max(left.alone[1], 1e-12)


def _left(left: Rests, count: int) -> float:
    return left.solved[count] / left.collapsed[count] if left.collapsed[count] > 0 else 0.0


def _auc(measures: LossMeasures) -> tuple[Evidence, ...]:
    if measures.descent is None:
        return ()
    return (
        Evidence("AUC of free embeddings that followed the loss, from 0.5 on", measures.descent.auc[1], "above 0.8"),
    )


def _spread(measures: LossMeasures) -> tuple[Evidence, ...]:
    if measures.descent is None:
        return ()
    return (Evidence("their mean distance, after over before", measures.descent.spread, "not near 0"),)
