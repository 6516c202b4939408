"""From distances to scores, and from scores to decisions: the only package in which a distance turns into a score."""

from curvox.scoring.back_ends.contract import (
    BACK_ENDS,
    AbstractBackEnd,
    AbstractFittedBackEnd,
    create_back_end,
    require_other_speakers,
    restore_back_end,
)
from curvox.scoring.back_ends.plda import TwoCovariancePLDA
from curvox.scoring.back_ends.score_norms import CohortStatistics, cohort_means, cohort_statistics, normalise
from curvox.scoring.calibration.contract import (
    CALIBRATIONS,
    AbstractCalibration,
    HeldOut,
    calibration_from,
    fit_calibration,
    held_out_llrs,
    posterior,
)
from curvox.scoring.calibration.quality import (
    TRIAL_MEASURES,
    RecordingMeasures,
    TrialQuality,
    embedding_magnitude,
    hyperbolic_radius,
    trial_quality,
)
from curvox.scoring.calibration.thresholds import NamedThreshold, find_thresholds, measurable_rates
from curvox.scoring.enrolment import (
    ENROLMENTS,
    SCORE_MEAN,
    RecordingTrials,
    average_scores,
    enrol,
    recording_trials,
)
from curvox.scoring.pairs import score_pairs
from curvox.scoring.scorers import (
    SCORERS,
    AbstractProductScorer,
    AbstractScorer,
    CosineScorer,
    DistanceScorer,
    EuclideanScorer,
    HyperbolicScorer,
    create_scorer,
)

__all__ = [
    "BACK_ENDS",
    "CALIBRATIONS",
    "ENROLMENTS",
    "SCORERS",
    "SCORE_MEAN",
    "TRIAL_MEASURES",
    "AbstractBackEnd",
    "AbstractCalibration",
    "AbstractFittedBackEnd",
    "AbstractProductScorer",
    "AbstractScorer",
    "CohortStatistics",
    "CosineScorer",
    "DistanceScorer",
    "EuclideanScorer",
    "HeldOut",
    "HyperbolicScorer",
    "NamedThreshold",
    "RecordingMeasures",
    "RecordingTrials",
    "TrialQuality",
    "TwoCovariancePLDA",
    "average_scores",
    "calibration_from",
    "cohort_means",
    "cohort_statistics",
    "create_back_end",
    "create_scorer",
    "embedding_magnitude",
    "enrol",
    "find_thresholds",
    "fit_calibration",
    "held_out_llrs",
    "hyperbolic_radius",
    "measurable_rates",
    "normalise",
    "posterior",
    "recording_trials",
    "require_other_speakers",
    "restore_back_end",
    "score_pairs",
    "trial_quality",
]
