"""Corpora: manifests, trials, the tree of labels and the plan of an epoch. No torch is needed here."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from curvox.corpora.bad_files import BadRecording, check_share, write_bad_files
from curvox.corpora.corpus import COLUMNS, Corpus, CorpusCounts, Utterance
from curvox.corpora.csv_manifest import write_csv
from curvox.corpora.enrolments import (
    ENROLMENT_STYLES,
    EnrolmentMap,
    TrialPlan,
    plan_trials,
    read_enrolments,
    write_enrolments,
)
from curvox.corpora.joining import join_corpora
from curvox.corpora.kaldi_export import write_kaldi
from curvox.corpora.label_tree import LabelTree, path_distance
from curvox.corpora.lhotse_bridge import from_lhotse
from curvox.corpora.lhotse_export import to_lhotse
from curvox.corpora.preparing import PREPARATIONS, Prepared, prepare_corpus
from curvox.corpora.problems import CorpusReport, Problem
from curvox.corpora.reading import check_corpus, detect_format, read_corpus
from curvox.corpora.sampling import EpochPlan, epoch_plan, shard
from curvox.corpora.score_files import ScoreList, align, read_scores, write_scores
from curvox.corpora.shar import unpack_shar
from curvox.corpora.shard_batches import default_lanes, shard_epoch_plan, shards_by_first_use
from curvox.corpora.speaker_batches import speaker_epoch_plan
from curvox.corpora.speaker_labels import speaker_labels
from curvox.corpora.speed_plan import names_at_speeds, plan_speeds, speaker_of_class
from curvox.corpora.trial_columns import (
    first_recording,
    repeated_trials,
    same_recordings,
    speakers_of,
    trial_columns,
)
from curvox.corpora.trial_formats import TRIAL_STYLES, read_trials, write_trials
from curvox.corpora.trial_making import holdout_speakers, make_trials
from curvox.corpora.trials import TrialList
from curvox.corpora.tsv import write_manifest
from curvox.tables import Entry, Table

if TYPE_CHECKING:
    from curvox.corpora.sharding import ShardingOptions, ShardingReport, shard_corpus

CORPORA = Table(
    "corpus format",
    {
        "tsv": Entry("curvox.corpora.tsv", "read_tsv", "manifest.tsv: one utterance a line, labels in named columns"),
        "csv": Entry("curvox.corpora.csv_manifest", "read_csv", "manifest.csv: the same columns, separated by commas"),
        "folders": Entry("curvox.corpora.folders", "read_folders", "a folder per speaker, as VoxCeleb has it"),
        "kaldi": Entry("curvox.corpora.kaldi", "read_kaldi", "wav.scp and utt2spk, with segments and spk2gender"),
        "lhotse": Entry("curvox.corpora.lhotse_bridge", "read_lhotse", "lhotse's cuts, or recordings and supervisions"),
        "shards": Entry("curvox.corpora.shards", "read_shards", "tar files of recordings, from curvox data shard"),
    },
)

__all__ = [
    "COLUMNS",
    "CORPORA",
    "ENROLMENT_STYLES",
    "PREPARATIONS",
    "TRIAL_STYLES",
    "BadRecording",
    "Corpus",
    "CorpusCounts",
    "CorpusReport",
    "EnrolmentMap",
    "EpochPlan",
    "LabelTree",
    "Prepared",
    "Problem",
    "ScoreList",
    "ShardingOptions",
    "ShardingReport",
    "TrialList",
    "TrialPlan",
    "Utterance",
    "align",
    "check_corpus",
    "check_share",
    "default_lanes",
    "detect_format",
    "epoch_plan",
    "first_recording",
    "from_lhotse",
    "holdout_speakers",
    "join_corpora",
    "make_trials",
    "names_at_speeds",
    "path_distance",
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
_SHARDING = ("ShardingOptions", "ShardingReport", "shard_corpus")


def __getattr__(name: str) -> Any:
    if name in _SHARDING:
        return getattr(importlib.import_module("curvox.corpora.sharding"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
