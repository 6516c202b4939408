"""All figures of one set of scored trials, pooled and per group, as one frozen record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.errors import InputError
from curvox.metrics.bootstrap import replicate
from curvox.metrics.cllr import CalibrationCurve, calibration_of_sorted
from curvox.metrics.dcf import DetectionCost, OperatingPoint
from curvox.metrics.error_rates import Eer
from curvox.metrics.figures import DEFAULT_POINTS, DEFAULT_RATES, Choice, Figure, figures_of_sorted, point_key
from curvox.metrics.health import ScoreHealth, ScoreHistogram, health_of_sorted, score_histogram, tied_share
from curvox.metrics.inputs import check_level, check_mask, check_speakers, check_trials, number_speakers
from curvox.metrics.intervals import Interval
from curvox.metrics.resamples import weighed_trials
from curvox.metrics.roc import DetCurve, corners_of_sorted, det_curve
from curvox.metrics.sorted_trials import sort_checked

_FEW_SPEAKERS = 10
# With 30 errors the true rate is within 30 % of the one found, nine times in ten (Doddington et al., "The NIST speaker
# recognition evaluation", Speech Communication 31, 2000).
_FEW_ERRORS = 30


@dataclass(frozen=True)
class Evaluation:
    """What scored trials say about a verifier.

    Attributes:
        targets: number of target trials.
        non_targets: number of non-target trials.
        speakers: number of speakers on either side of the trials.
        tied_share: share of the trials that repeat no other, in [0, 1], whose score another of them has exactly as
            well.
        eer: equal error rate (a fraction), its threshold and its interval; None when there is no figure.
        min_dcf: the lowest detection cost at every operating point asked for; empty when there is no figure.
        det: the DET curve, thinned for drawing; None when there is no figure.
        resamples: how many resamples stand behind the intervals.
        redrawn: how many resamples had to be drawn again for lack of a class.
        seed: of the resamples.
        why_no_figures: why there are no figures; None when there are.
        groups: the same for named parts of the trials.
        figures: all figures, EER and minDCF among them; empty when there are none.
        llrs: whether the scores are natural-log likelihood ratios; only then are there "cllr" and "act_dcf" figures.
        health: what is suspicious about the scores; None when there is no figure.
        histogram: of the scores of both classes; None when there is no figure.
        calibration: actual and lowest cost over priors; None unless the scores are ratios.
        too_small: why the figures mean little, in a sentence; None if there is no such reason.
    """

    targets: int
    non_targets: int
    speakers: int
    tied_share: float
    eer: Eer | None = None
    min_dcf: tuple[DetectionCost, ...] = ()
    det: DetCurve | None = None
    resamples: int = 0
    redrawn: int = 0
    seed: int = 0
    why_no_figures: str | None = None
    groups: Mapping[str, Evaluation] = field(default_factory=dict)
    figures: tuple[Figure, ...] = ()
    llrs: bool = False
    health: ScoreHealth | None = None
    histogram: ScoreHistogram | None = None
    calibration: CalibrationCurve | None = None
    too_small: str | None = None

    def figure(self, key: str) -> Figure | None:
        """Return the figure of a key, such as "eer" or "min_dcf:0.01"; None if it is not here."""
        return next((figure for figure in self.figures if figure.key == key), None)

    @property
    def eer_interval(self) -> Interval | None:
        """The interval of the equal error rate; None without figure or without resamples."""
        return None if self.eer is None else self.eer.interval

    @property
    def min_dcf_intervals(self) -> tuple[Interval, ...]:
        """The intervals of the lowest costs, in their order; empty without figure or without resamples."""
        return tuple(cost.interval for cost in self.min_dcf if cost.interval is not None)


class _Settings(NamedTuple):
    choice: Choice
    resamples: int
    seed: int
    level: float


@dataclass(frozen=True, eq=False)
class _Part:
    """Checked trials: scores, labels, weights, speaker numbers of both sides, masks of what the health looks at.

    Weights and masks are None where nothing was said of them.
    """

    scores: NDArray[np.float64]
    labels: NDArray[np.bool_]
    weights: NDArray[np.float64] | None
    enrolment: NDArray[np.intp]
    test: NDArray[np.intp]
    same: NDArray[np.bool_] | None
    repeated: NDArray[np.bool_] | None

    @property
    def distinct(self) -> NDArray[np.float64] | None:
        """The scores of the trials that repeat no earlier one; None if nobody looked."""
        return None if self.repeated is None else self.scores[~self.repeated]

    def where(self, kept: NDArray[np.bool_]) -> _Part:
        """Return the part of the trials that ``kept`` marks."""
        kept_of: dict[str, Any] = {name: None if of is None else of[kept] for name, of in vars(self).items()}
        return _Part(**kept_of)


def evaluate(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    enrolment_speakers: ArrayLike,
    test_speakers: ArrayLike,
    points: Sequence[OperatingPoint] = DEFAULT_POINTS,
    llrs: bool = False,
    rates: Sequence[float] = DEFAULT_RATES,
    groups: Mapping[str, ArrayLike] | None = None,
    same_recording: ArrayLike | None = None,
    repeated: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Evaluation:
    """Return every figure of scored trials, with intervals by bootstrap over speakers, pooled and per group.

    A group without any trial of one class is listed with its counts and the reason why it has no figures.

    Args:
        scores: (N,) finite numbers, larger for the same speaker.
        labels: (N,) 1 or True for a target trial, 0 or False for a non-target trial.
        enrolment_speakers: (N,) names or whole numbers, the speaker of the enrolment side.
        test_speakers: (N,) likewise of the test side.
        points: where to take the detection costs.
        llrs: whether the scores are natural-log likelihood ratios; only then have they a Cllr and actual costs.
        rates: false acceptance and false rejection rates, in [0, 1), at which the other one is taken.
        groups: (N,) boolean masks by name; groups may overlap and need not cover all trials.
        same_recording: (N,) booleans, whether both sides of a trial are the same recording; unknown if None.
        repeated: (N,) booleans, whether a trial repeats an earlier one, perhaps with its sides swapped; ties of these
            are no sign of illness. They count in every figure. Unknown if None.
        weights: (N,) how much each trial counts, at least 0; 1 if None. Trials of weight 0 are left out everywhere.
        resamples: number of resamples for the intervals; 0 leaves the intervals out and is quick.
        seed: of the resamples.
        level: of the intervals.

    Raises:
        InputError: no trials, one class only, lengths that differ, NaN or infinite scores, labels that are neither
            0/1 nor bool, labels that contradict the speakers, a mask that is no mask.
    """
    if resamples < 0:
        raise InputError(f"resamples must be at least 0, got {resamples}")
    choice = Choice(points=tuple(points), rates=tuple(rates), llrs=llrs)
    settings = _Settings(choice=choice, resamples=resamples, seed=seed, level=check_level(level))
    scores_, labels_, weights_ = check_trials(scores, labels, weights)
    enrolment, test, _ = check_speakers(labels_, enrolment_speakers, test_speakers)
    same, again = (
        None if mask is None else check_mask(mask, scores_.size, name)
        for mask, name in ((same_recording, "same_recording"), (repeated, "repeated"))
    )
    whole = _Part(scores_, labels_, weights_, enrolment, test, same, again)
    counted = np.ones(scores_.size, dtype=bool) if weights_ is None else weights_ > 0
    parts = {
        name: _evaluate_part(whole.where(check_mask(mask, scores_.size, name) & counted), settings)
        for name, mask in (groups or {}).items()
    }
    found = _evaluate_part(whole if counted.all() else whole.where(counted), settings)
    return replace(found, groups=parts)


def _evaluate_part(part: _Part, settings: _Settings) -> Evaluation:
    targets = int(part.labels.sum())
    non_targets = part.labels.size - targets
    enrolment, test, speakers = number_speakers(part.enrolment, part.test)
    record: dict[str, Any] = {
        "targets": targets,
        "non_targets": non_targets,
        "speakers": speakers,
        "llrs": settings.choice.llrs,
        "seed": settings.seed,
    }
    if not targets or not non_targets:
        missing = "trials" if not part.labels.size else "target trials" if not targets else "non-target trials"
        tied = tied_share(part.scores if part.distinct is None else part.distinct)
        return Evaluation(**record, tied_share=tied, why_no_figures=f"no {missing}")
    trials = sort_checked(part.scores, part.labels, part.weights)
    figures = figures_of_sorted(trials, settings.choice)
    replicates = None
    if settings.resamples:
        weighed = weighed_trials(part.scores, part.labels, part.weights, enrolment, test, speakers, settings.choice)
        replicates = replicate(weighed, resamples=settings.resamples, seed=settings.seed)
        figures = tuple(replace(figure, interval=replicates.interval(figure.key, settings.level)) for figure in figures)
    histogram = score_histogram(trials)
    same_recording = 0 if part.same is None else int(part.same.sum())
    health = health_of_sorted(trials, histogram, same_recording=same_recording, distinct=part.distinct)
    return Evaluation(
        **record,
        **_leading_figures(figures, settings.choice.points),
        tied_share=health.tied_share,
        det=det_curve(corners_of_sorted(trials)),
        resamples=settings.resamples,
        redrawn=replicates.redrawn if replicates else 0,
        figures=figures,
        health=health,
        histogram=histogram,
        calibration=calibration_of_sorted(trials) if settings.choice.llrs else None,
        too_small=_too_small(targets, non_targets, speakers, figures[0].value),
    )


def _leading_figures(figures: Sequence[Figure], points: Sequence[OperatingPoint]) -> dict[str, Any]:
    """Return the equal error rate and the lowest costs, in their own kinds of record."""
    found = {figure.key: (figure.value, figure.threshold, figure.interval) for figure in figures}
    costs: list[Any] = [found[f"min_dcf:{point_key(point)}"] for point in points]
    rate: Any = found["eer"]
    costs = [DetectionCost.at(point, *cost) for point, cost in zip(points, costs, strict=True)]
    return {"eer": Eer(*rate), "min_dcf": tuple(costs)}


def _too_small(targets: int, non_targets: int, speakers: int, eer: float) -> str | None:
    """Return why figures mean little: few speakers, or few errors."""
    if speakers < _FEW_SPEAKERS:
        return f"only {speakers} speakers; with fewer than {_FEW_SPEAKERS} the next ones may give quite another figure"
    errors = eer * min(targets, non_targets)
    if errors < _FEW_ERRORS:
        side = "target" if targets <= non_targets else "non-target"
        return (
            f"only {errors:.0f} errors in {min(targets, non_targets)} {side} trials at the equal error rate; fewer "
            f"than {_FEW_ERRORS} do not fix a rate to within 30 % (Doddington's rule)"
        )
    return None
