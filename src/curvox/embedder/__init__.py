"""The embedder: waveform in, embedding out, with the space the embedding lives in; and its folder on disk."""

from curvox.embedder.card.calibrated_scoring import CalibratedScoring, restore_scoring
from curvox.embedder.card.decision_card import (
    ChosenPoint,
    DecisionCard,
    FittedOn,
    Range,
    Seen,
    TailPoint,
    choose_point,
    outside_of_card,
)
from curvox.embedder.card.fitting import CardSettings, fit_card
from curvox.embedder.card_file import read_card, read_state, require_new_card, write_card
from curvox.embedder.checkpoint import load_embedder, save_embedder, write_embedder
from curvox.embedder.decisions import Verification
from curvox.embedder.embedder import DevResult, Embedder, batches_by_length
from curvox.embedder.identification import (
    Candidate,
    Identification,
    SearchThreshold,
    find_recordings,
    identify,
    read_gallery,
    search_threshold,
)
from curvox.embedder.model_folder import (
    CHECKPOINTS,
    ModelDescription,
    model_fingerprint,
    model_folder,
    read_description,
)
from curvox.embedder.recordings import EmbeddedRecordings, EnrolledModels, enrol_models, measures_of

__all__ = [
    "CHECKPOINTS",
    "CalibratedScoring",
    "Candidate",
    "CardSettings",
    "ChosenPoint",
    "DecisionCard",
    "DevResult",
    "EmbeddedRecordings",
    "Embedder",
    "EnrolledModels",
    "FittedOn",
    "Identification",
    "ModelDescription",
    "Range",
    "SearchThreshold",
    "Seen",
    "TailPoint",
    "Verification",
    "batches_by_length",
    "choose_point",
    "enrol_models",
    "find_recordings",
    "fit_card",
    "identify",
    "load_embedder",
    "measures_of",
    "model_fingerprint",
    "model_folder",
    "outside_of_card",
    "read_card",
    "read_description",
    "read_gallery",
    "read_state",
    "require_new_card",
    "restore_scoring",
    "save_embedder",
    "search_threshold",
    "write_card",
    "write_embedder",
]
