"""Error rates of scored trials, and how sure one may be of them: pure functions of scores and labels."""

from curvox.metrics.bootstrap import Interval, Replicates, bootstrap_speakers, reflected_interval
from curvox.metrics.dcf import MinDcf, OperatingPoint, min_dcf, min_dcf_of_roc
from curvox.metrics.det import DetCurve, det_curve, probit
from curvox.metrics.eer import Eer, eer_of_roc, equal_error_rate
from curvox.metrics.evaluation import DEFAULT_POINTS, Evaluation, evaluate
from curvox.metrics.roc import RocPoints, roc_points, tied_share

__all__ = [
    "DEFAULT_POINTS",
    "DetCurve",
    "Eer",
    "Evaluation",
    "Interval",
    "MinDcf",
    "OperatingPoint",
    "Replicates",
    "RocPoints",
    "bootstrap_speakers",
    "det_curve",
    "eer_of_roc",
    "equal_error_rate",
    "evaluate",
    "min_dcf",
    "min_dcf_of_roc",
    "probit",
    "reflected_interval",
    "roc_points",
    "tied_share",
]
