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
from curvox.embedder.folders import (
    new_folder,
    remedy,
    replace_bytes,
    replace_folder,
    replace_text,
    settle_folder,
    tensors_from_file,
    tensors_to_file,
)
from curvox.embedder.identification import (
    Candidate,
    Identification,
    SearchThreshold,
    find_recordings,
    identify,
    read_gallery,
    search_threshold,
)
from curvox.embedder.model_folder import CHECKPOINTS, model_fingerprint, model_folder
from curvox.embedder.recordings import EmbeddedRecordings, EnrolledModels, default_way, enrol_models, measures_of

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
    "Range",
    "SearchThreshold",
    "Seen",
    "TailPoint",
    "Verification",
    "batches_by_length",
    "choose_point",
    "default_way",
    "enrol_models",
    "find_recordings",
    "fit_card",
    "identify",
    "load_embedder",
    "measures_of",
    "model_fingerprint",
    "model_folder",
    "new_folder",
    "outside_of_card",
    "read_card",
    "read_gallery",
    "read_state",
    "remedy",
    "replace_bytes",
    "replace_folder",
    "replace_text",
    "require_new_card",
    "restore_scoring",
    "save_embedder",
    "search_threshold",
    "settle_folder",
    "tensors_from_file",
    "tensors_to_file",
    "write_card",
    "write_embedder",
]
