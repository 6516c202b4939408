"""Error rates of scored trials, and how sure one may be of them: pure functions of scores and labels."""

from curvox.metrics.bootstrap import Replicates, bootstrap_speakers
from curvox.metrics.breakdown import breakdown_masks
from curvox.metrics.calibration_curve import CalibrationCurve, calibration_curve
from curvox.metrics.cllr import cllr, min_cllr, pav_llrs
from curvox.metrics.comparison import Difference, compare_systems
from curvox.metrics.dcf import (
    ActualDcf,
    MinDcf,
    OperatingPoint,
    actual_dcf,
    bayes_threshold,
    min_dcf,
    min_dcf_of_roc,
)
from curvox.metrics.det import DetCurve, det_curve, probit
from curvox.metrics.draws import SpeakerDraws, draw_speakers, resample_speakers, speaker_draws
from curvox.metrics.eer import Eer, eer_of_hull, eer_of_roc, equal_error_rate
from curvox.metrics.evaluation import Evaluation, evaluate
from curvox.metrics.figures import DEFAULT_POINTS, DEFAULT_RATES, Figure, detection_figures
from curvox.metrics.health import ScoreHealth, ScoreHistogram, score_health
from curvox.metrics.inputs import check_level
from curvox.metrics.intervals import Interval, logarithmic_interval, rate_interval, reflected_interval, sum_interval
from curvox.metrics.operating_points import OPERATING_POINTS
from curvox.metrics.rates import RateAt, far_at_frr, frr_at_far
from curvox.metrics.roc import RocPoints, auc, roc_corners, roc_points, tied_share

__all__ = [
    "DEFAULT_POINTS",
    "DEFAULT_RATES",
    "OPERATING_POINTS",
    "ActualDcf",
    "CalibrationCurve",
    "DetCurve",
    "Difference",
    "Eer",
    "Evaluation",
    "Figure",
    "Interval",
    "MinDcf",
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
    "cllr",
    "compare_systems",
    "det_curve",
    "detection_figures",
    "draw_speakers",
    "eer_of_hull",
    "eer_of_roc",
    "equal_error_rate",
    "evaluate",
    "far_at_frr",
    "frr_at_far",
    "logarithmic_interval",
    "min_cllr",
    "min_dcf",
    "min_dcf_of_roc",
    "pav_llrs",
    "probit",
    "rate_interval",
    "reflected_interval",
    "resample_speakers",
    "roc_corners",
    "roc_points",
    "score_health",
    "speaker_draws",
    "sum_interval",
    "tied_share",
]
