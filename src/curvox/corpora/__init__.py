"""Corpora: manifests, trials, the tree of labels and the plan of an epoch. No torch is needed here."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from curvox.corpora.corpus import COLUMNS, Corpus, Utterance, join_corpora
from curvox.corpora.epochs.batches import default_lanes, shard_epoch_plan, shards_by_first_use, speaker_epoch_plan
from curvox.corpora.epochs.plan import EpochPlan, epoch_plan, names_at_speeds, plan_speeds, shard, speaker_of_class
from curvox.corpora.formats.kaldi import write_kaldi
from curvox.corpora.formats.lhotse import from_lhotse, to_lhotse
from curvox.corpora.formats.manifest import write_csv, write_manifest
from curvox.corpora.formats.reading import CORPORA, check_corpus, read_corpus
from curvox.corpora.formats.shar import unpack_shar
from curvox.corpora.label_tree import (
    NOT_OF_SPEAKERS,
    UNKNOWN,
    LabelTree,
    label_of,
    label_paths,
    labels_of_speakers,
    speaker_labels,
)
from curvox.corpora.preparing.lhotse import lhotse_recipes
from curvox.corpora.preparing.prepare import PREPARATIONS, prepare_corpus
from curvox.corpora.problems import BadRecording, CorpusReport, Problem, check_share, write_bad_files
from curvox.corpora.trials.columns import first_recording, repeated_trials, same_recordings, speakers_of, trial_columns
from curvox.corpora.trials.list_files import (
    ENROLMENT_STYLES,
    read_enrolments,
    read_trials,
    write_enrolments,
    write_trials,
)
from curvox.corpora.trials.making import holdout_speakers, make_trials
from curvox.corpora.trials.scores import ScoreList, align, read_scores, write_scores
from curvox.corpora.trials.styles import TRIAL_STYLES
from curvox.corpora.trials.trial_list import EnrolmentMap, TrialList, TrialPlan, plan_trials

if TYPE_CHECKING:
    from curvox.corpora.formats.shards import ShardingOptions, shard_corpus

__all__ = [
    "COLUMNS",
    "CORPORA",
    "ENROLMENT_STYLES",
    "NOT_OF_SPEAKERS",
    "PREPARATIONS",
    "TRIAL_STYLES",
    "UNKNOWN",
    "BadRecording",
    "Corpus",
    "CorpusReport",
    "EnrolmentMap",
    "EpochPlan",
    "LabelTree",
    "Problem",
    "ScoreList",
    "ShardingOptions",
    "TrialList",
    "TrialPlan",
    "Utterance",
    "align",
    "check_corpus",
    "check_share",
    "default_lanes",
    "epoch_plan",
    "first_recording",
    "from_lhotse",
    "holdout_speakers",
    "join_corpora",
    "label_of",
    "label_paths",
    "labels_of_speakers",
    "lhotse_recipes",
    "make_trials",
    "names_at_speeds",
    "plan_speeds",
    "plan_trials",
    "prepare_corpus",
    "read_corpus",
    "read_enrolments",
    "read_scores",
    "read_trials",
    "repeated_trials",
    "same_recordings",
    "shard",
    "shard_corpus",
    "shard_epoch_plan",
    "shards_by_first_use",
    "speaker_epoch_plan",
    "speaker_labels",
    "speaker_of_class",
    "speakers_of",
    "to_lhotse",
    "trial_columns",
    "unpack_shar",
    "write_bad_files",
    "write_csv",
    "write_enrolments",
    "write_kaldi",
    "write_manifest",
    "write_scores",
    "write_trials",
]

# What encodes recordings brings soundfile with it, which reading a manifest does not need.
_SHARDING = ("ShardingOptions", "shard_corpus")


def __getattr__(name: str) -> Any:
    if name in _SHARDING:
        return getattr(importlib.import_module("curvox.corpora.formats.shards"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
