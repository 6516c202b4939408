"""The embedder: waveform in, embedding out, with the space the embedding lives in; and its folder on disk."""

from curvox.embedder.calibrated_scoring import CalibratedScoring, restore_scoring
from curvox.embedder.card_file import read_card, read_state, require_new_card, write_card
from curvox.embedder.card_fitting import fit_card
from curvox.embedder.card_trials import CardSettings
from curvox.embedder.checkpoint import load_embedder, save_embedder, write_embedder
from curvox.embedder.cohort import Cohort, choose_cohort, embed_cohort
from curvox.embedder.decision_card import DecisionCard, FittedOn, Range, Seen, TailPoint, outside_of_card
from curvox.embedder.decisions import Verification, verify_recordings
from curvox.embedder.embedder import DevResult, Embedder, batches_by_length, pad
from curvox.embedder.evaluation import (
    breakdowns_of,
    evaluate_scores,
    evaluate_trials,
    first_recording,
    parse_by,
    speakers_of,
)
from curvox.embedder.gallery import read_gallery
from curvox.embedder.identification import Candidate, Identification, SearchThreshold, identify, search_threshold
from curvox.embedder.model_folder import ModelDescription, model_fingerprint, model_folder, read_description
from curvox.embedder.models import EnrolledModels, default_way, enrol_models
from curvox.embedder.operating_points import ChosenPoint, choose_point
from curvox.embedder.recordings import MeasuredRecordings, embed_and_measure, measures_of
from curvox.embedder.trial_scores import embed_utterances, measure_utterances, score_plan
from curvox.embedder.verification import ScoredTrials, find_recordings, score_trials

__all__ = [
    "CalibratedScoring",
    "Candidate",
    "CardSettings",
    "ChosenPoint",
    "Cohort",
    "DecisionCard",
    "DevResult",
    "Embedder",
    "EnrolledModels",
    "FittedOn",
    "Identification",
    "MeasuredRecordings",
    "ModelDescription",
    "Range",
    "ScoredTrials",
    "SearchThreshold",
    "Seen",
    "TailPoint",
    "Verification",
    "batches_by_length",
    "breakdowns_of",
    "choose_cohort",
    "choose_point",
    "default_way",
    "embed_and_measure",
    "embed_cohort",
    "embed_utterances",
    "enrol_models",
    "evaluate_scores",
    "evaluate_trials",
    "find_recordings",
    "first_recording",
    "fit_card",
    "identify",
    "load_embedder",
    "measure_utterances",
    "measures_of",
    "model_fingerprint",
    "model_folder",
    "outside_of_card",
    "pad",
    "parse_by",
    "read_card",
    "read_description",
    "read_gallery",
    "read_state",
    "require_new_card",
    "restore_scoring",
    "save_embedder",
    "score_plan",
    "score_trials",
    "search_threshold",
    "speakers_of",
    "verify_recordings",
    "write_card",
    "write_embedder",
]
