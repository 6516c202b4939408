"""Where to decide: operating points by name, and thresholds by the error rate they keep."""

from __future__ import annotations

from dataclasses import dataclass

from curvox.embedder.decision_card import DecisionCard
from curvox.errors import InputError, UnknownNameError, nearest
from curvox.metrics import OPERATING_POINTS, OperatingPoint, bayes_threshold
from curvox.scoring import NamedThreshold

DEFAULT_PRIOR = 0.5


@dataclass(frozen=True)
class ChosenPoint:
    """Where a decision is taken: accept a log-likelihood ratio of at least ``llr_threshold``.

    Attributes:
        name: as it was asked for.
        meaning: in words.
        llr_threshold: natural-log likelihood ratio.
        prior: the prior probability of the same speaker that it states; None where it states a rate.
        measured: the error rates at this threshold on the card's trials, where they are known.
    """

    name: str
    meaning: str
    llr_threshold: float
    prior: float | None
    measured: NamedThreshold | None


def choose_point(name: str | None, card: DecisionCard, *, prior: float | None = None) -> ChosenPoint:
    """Return the operating point that a text names.

    Args:
        name: a name in ``curvox.metrics.OPERATING_POINTS`` ("voxsrc"); "bayes:0.01", or with the costs of a miss and of
            a false alarm "bayes:0.01:10:1"; "far:0.01", "frr:0.05" or "eer" for a threshold of the card; None for
            equal costs at ``prior``.
        card: whose thresholds are meant.
        prior: of the same speaker, in (0, 1); 0.5 if None.

    Raises:
        UnknownNameError: no such name; the message lists the nearest ones.
        InputError: a rate that the card has no threshold for, or numbers out of range.
    """
    if name is None:
        prior = DEFAULT_PRIOR if prior is None else prior
        return _bayes(f"bayes:{prior:g}", OperatingPoint(prior), card)
    if name in OPERATING_POINTS:
        return _bayes(name, OPERATING_POINTS[name], card)
    kind, *numbers = name.split(":")
    if kind == "bayes" and len(numbers) in (1, 3):
        return _bayes(name, OperatingPoint(*_numbers(name, numbers)), card)
    if (kind in ("far", "frr") and len(numbers) == 1) or name == "eer":
        return _of_card(name, kind, _numbers(name, numbers)[0] if numbers else None, card)
    known = [*OPERATING_POINTS, *(threshold.name for threshold in card.thresholds)]
    raise UnknownNameError(f'unknown operating point "{name}": {nearest(name, known)}')


def _bayes(name: str, point: OperatingPoint, card: DecisionCard) -> ChosenPoint:
    measured = next((threshold for threshold in card.thresholds if threshold.point == point), None)
    miss, false_alarm = point.cost_miss, point.cost_false_alarm
    costs = "equal costs" if miss == false_alarm else f"a miss costs {miss:g}, a false alarm {false_alarm:g}"
    meaning = f"prior {point.p_target:g}, {costs}"
    return ChosenPoint(name, meaning, bayes_threshold(point), point.p_target, measured)


def _of_card(name: str, kind: str, rate: float | None, card: DecisionCard) -> ChosenPoint:
    found = next((one for one in card.thresholds if one.kind == kind and one.rate == rate), None)
    if found is None:
        known = ", ".join(one.name for one in card.thresholds if one.kind != "bayes") or "none"
        raise InputError(
            f'the decision card has no threshold "{name}"; it has {known}. Find another with '
            f"curvox calibrate RUN --trials LIST --rate {name} --overwrite"
        )
    errors = {"far": "false acceptances", "frr": "false rejections"}
    meaning = "equal error rates" if rate is None else f"at most {100 * rate:g} % {errors[kind]}"
    return ChosenPoint(name, meaning, found.llr_threshold, None, found)


def _numbers(name: str, numbers: list[str]) -> list[float]:
    try:
        return [float(number) for number in numbers]
    except ValueError as error:
        raise InputError(
            f'an operating point holds numbers after its colons, such as far:0.01, got "{name}"'
        ) from error
