"""Error rates of scored trials, and how sure one may be of them: pure functions of scores and labels."""

from curvox.metrics.bootstrap import (
    Difference,
    MeasuredRates,
    Replicates,
    bootstrap_speakers,
    compare_systems,
    rates_at_thresholds,
)
from curvox.metrics.breakdown import breakdown_masks
from curvox.metrics.cllr import CalibrationCurve, calibration_curve, cllr, min_cllr, pav_llrs
from curvox.metrics.dcf import (
    OPERATING_POINTS,
    DetectionCost,
    OperatingPoint,
    actual_dcf,
    bayes_threshold,
    min_dcf,
)
from curvox.metrics.error_rates import Eer, RateAt, eer_of_hull, equal_error_rate, far_at_frr, frr_at_far
from curvox.metrics.evaluation import Evaluation, evaluate
from curvox.metrics.figures import DEFAULT_POINTS, DEFAULT_RATES, Figure, detection_figures, point_key
from curvox.metrics.health import ScoreHealth, ScoreHistogram, score_health, tied_share
from curvox.metrics.inputs import check_level, check_speakers, check_trials
from curvox.metrics.intervals import Interval, logarithmic_interval, rate_interval, sum_interval
from curvox.metrics.resamples import SpeakerDraws, draw_speakers, resample_speakers, speaker_draws
from curvox.metrics.roc import DetCurve, RocPoints, auc, det_curve, probit, roc_corners

__all__ = [
    "DEFAULT_POINTS",
    "DEFAULT_RATES",
    "OPERATING_POINTS",
    "CalibrationCurve",
    "DetCurve",
    "DetectionCost",
    "Difference",
    "Eer",
    "Evaluation",
    "Figure",
    "Interval",
    "MeasuredRates",
    "OperatingPoint",
    "RateAt",
    "Replicates",
    "RocPoints",
    "ScoreHealth",
    "ScoreHistogram",
    "SpeakerDraws",
    "actual_dcf",
    "auc",
    "bayes_threshold",
    "bootstrap_speakers",
    "breakdown_masks",
    "calibration_curve",
    "check_level",
    "check_speakers",
    "check_trials",
    "cllr",
    "compare_systems",
    "det_curve",
    "detection_figures",
    "draw_speakers",
    "eer_of_hull",
    "equal_error_rate",
    "evaluate",
    "far_at_frr",
    "frr_at_far",
    "logarithmic_interval",
    "min_cllr",
    "min_dcf",
    "pav_llrs",
    "point_key",
    "probit",
    "rate_interval",
    "rates_at_thresholds",
    "resample_speakers",
    "roc_corners",
    "score_health",
    "speaker_draws",
    "sum_interval",
    "tied_share",
]
