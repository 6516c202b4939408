"""All figures of scored trials under one kind of name, for tables, intervals and comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from numpy.typing import ArrayLike

from curvox.errors import InputError
from curvox.metrics.cllr import cllr_of_sorted
from curvox.metrics.dcf import OperatingPoint, actual_dcf_of_sorted, min_dcf_of_sorted
from curvox.metrics.error_rates import eer_of_sorted, far_at_frr_of_sorted, frr_at_far_of_sorted
from curvox.metrics.inputs import check_rate
from curvox.metrics.intervals import Interval
from curvox.metrics.sorted_trials import SortedTrials, area, equal_error_value, hull_of, lowest_bits, sort_trials

DEFAULT_POINTS = (OperatingPoint(0.01), OperatingPoint(0.05))
DEFAULT_RATES = (0.01, 0.001)
_TITLES = {
    "eer": "EER",
    "eer_hull": "EER on the hull",
    "auc": "AUC",
    "cllr": "Cllr",
    "min_cllr": "min Cllr",
    "min_dcf": "minDCF",
    "act_dcf": "actDCF",
    "frr_at_far": "FRR",
    "far_at_frr": "FAR",
}
# Costs without an upper limit; all other figures lie in [0, 1].
UNBOUNDED = ("cllr", "act_dcf")


@dataclass(frozen=True)
class Figure:
    """One figure of scored trials.

    Attributes:
        key: its name for programs: "eer", "eer_hull", "auc", "cllr", "min_cllr", "min_dcf:0.01", "act_dcf:0.01" (with
            costs other than 1 "min_dcf:0.01:10:1", miss first), "frr_at_far:0.01" or "far_at_frr:0.01".
        title: its name for people, e.g. "minDCF(0.01)".
        value: the figure; a fraction, never per cent.
        interval: by bootstrap over speakers; None without resamples.
        threshold: accept scores of at least this to reach it; +inf rejects everything; None where no single threshold
            belongs to the figure.
    """

    key: str
    title: str
    value: float
    interval: Interval | None = None
    threshold: float | None = None


@dataclass(frozen=True)
class Choice:
    """Which figures are wanted: those of ``keys``, in their order."""

    points: tuple[OperatingPoint, ...] = DEFAULT_POINTS
    rates: tuple[float, ...] = DEFAULT_RATES
    llrs: bool = False

    def __post_init__(self) -> None:
        """Drop what is asked for twice and refuse rates that are none."""
        object.__setattr__(self, "points", tuple(dict.fromkeys(self.points)))
        rates = dict.fromkeys(check_rate(rate, "a rate of `rates`") for rate in self.rates)
        object.__setattr__(self, "rates", tuple(rates))

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of all figures; those that need log-likelihood ratios only where the scores are such."""
        keys = ["eer", "eer_hull", "auc", *(["cllr"] if self.llrs else []), "min_cllr"]
        for name in ("min_dcf", *(["act_dcf"] if self.llrs else [])):
            keys += [f"{name}:{point_key(point)}" for point in self.points]
        return (*keys, *(f"{name}:{rate:g}" for name in ("frr_at_far", "far_at_frr") for rate in self.rates))


def detection_figures(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    points: Sequence[OperatingPoint] = DEFAULT_POINTS,
    rates: Sequence[float] = DEFAULT_RATES,
    llrs: bool = False,
    weights: ArrayLike | None = None,
) -> tuple[Figure, ...]:
    """Return every figure of scored trials, without intervals and without asking whose trials they are.

    The scores are sorted once, each class for itself. Of ten million trials the whole takes some seconds. The
    arguments and what is refused are those of ``evaluate``.
    """
    choice = Choice(points=tuple(points), rates=tuple(rates), llrs=llrs)
    return figures_of_sorted(sort_trials(scores, labels, weights), choice)


def figures_of_sorted(trials: SortedTrials, choice: Choice) -> tuple[Figure, ...]:
    """Return every figure of sorted trials, without intervals."""
    corners = trials.corners()
    hull = hull_of(corners)
    eer = eer_of_sorted(trials)
    found: list[tuple[float, float | None]] = [(eer.value, eer.threshold), (equal_error_value(hull), None)]
    found.append((area(corners), None))
    if choice.llrs:
        found.append((cllr_of_sorted(trials), None))
    found.append((lowest_bits(hull), None))
    costs = [min_dcf_of_sorted(trials, point) for point in choice.points]
    if choice.llrs:
        costs += [actual_dcf_of_sorted(trials, point) for point in choice.points]
    rates = [frr_at_far_of_sorted(trials, rate) for rate in choice.rates]
    rates += [far_at_frr_of_sorted(trials, rate) for rate in choice.rates]
    found += [(single.value, single.threshold) for single in (*costs, *rates)]
    return tuple(
        Figure(key=key, title=figure_title(key), value=value, threshold=threshold)
        for key, (value, threshold) in zip(choice.keys, found, strict=True)
    )


def figure_title(key: str) -> str:
    """Return a figure's name for people: "EER", "minDCF(0.01, miss 10, false alarm 1)", "FRR(FAR=0.01)"."""
    name, *settings = key.split(":")
    if not settings:
        return _TITLES[name]
    if name in ("frr_at_far", "far_at_frr"):
        return f"{_TITLES[name]}({name[-3:].upper()}={settings[0]})"
    costs = f", miss {settings[1]}, false alarm {settings[2]}" if len(settings) == 3 else ""
    return f"{_TITLES[name]}({settings[0]}{costs})"


def point_key(point: OperatingPoint) -> str:
    """Return an operating point as it stands in a key: "0.01", or "0.01:10:1" where a cost is not 1."""
    costs = (point.cost_miss, point.cost_false_alarm)
    return ":".join(f"{number:g}" for number in (point.p_target, *(costs if costs != (1, 1) else ())))


def choice_of_keys(keys: Sequence[str]) -> Choice:
    """Return the smallest choice that has all the figures that ``keys`` name.

    Raises:
        InputError: a key that names no figure.
    """
    points, rates, llrs = [], [], False
    for key in keys:
        name, *settings = key.split(":")
        llrs = llrs or name in UNBOUNDED
        if name in ("min_dcf", "act_dcf") and len(settings) in (1, 3):
            points.append(OperatingPoint(*(_number(part, key) for part in settings)))
        elif name in ("frr_at_far", "far_at_frr") and len(settings) == 1:
            rates.append(_number(settings[0], key))
        elif name not in ("eer", "eer_hull", "auc", "cllr", "min_cllr") or settings:
            raise _no_figure(key)
    choice = Choice(points=tuple(points), rates=tuple(rates), llrs=llrs)
    for key in keys:
        if key not in choice.keys:
            raise _no_figure(key)
    return choice


def _number(text: str, key: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise _no_figure(key) from error


def _no_figure(key: str) -> InputError:
    return InputError(
        f'"{key}" names no figure: expected "eer", "eer_hull", "auc", "cllr", "min_cllr", "min_dcf:0.01" or '
        '"act_dcf:0.01" (with costs "min_dcf:0.01:10:1"), "frr_at_far:0.01" or "far_at_frr:0.01"'
    )
