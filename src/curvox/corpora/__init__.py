"""Corpora: manifests, trials, the tree of labels and the plan of an epoch. No torch is needed here.

Every part is imported when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from curvox.tables import lazy_exports

if TYPE_CHECKING:
    from curvox.corpora.corpus import COLUMNS, Corpus, Utterance, join_corpora
    from curvox.corpora.epochs.batches import default_lanes, shard_epoch_plan, shards_by_first_use, speaker_epoch_plan
    from curvox.corpora.epochs.plan import EpochPlan, epoch_plan, names_at_speeds, plan_speeds, shard, speaker_of_class
    from curvox.corpora.formats.kaldi import write_kaldi
    from curvox.corpora.formats.lhotse import from_lhotse, to_lhotse
    from curvox.corpora.formats.manifest import write_csv, write_manifest
    from curvox.corpora.formats.reading import CORPORA, check_corpus, read_corpus
    from curvox.corpora.formats.shar import unpack_shar
    from curvox.corpora.formats.shards import ShardingOptions, shard_corpus
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
    from curvox.corpora.trials.columns import (
        first_recording,
        repeated_trials,
        same_recordings,
        speakers_of,
        trial_columns,
    )
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

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "corpus": "COLUMNS Corpus Utterance join_corpora",
        "epochs.batches": "default_lanes shard_epoch_plan shards_by_first_use speaker_epoch_plan",
        "epochs.plan": "EpochPlan epoch_plan names_at_speeds plan_speeds shard speaker_of_class",
        "formats.kaldi": "write_kaldi",
        "formats.lhotse": "from_lhotse to_lhotse",
        "formats.manifest": "write_csv write_manifest",
        "formats.reading": "CORPORA check_corpus read_corpus",
        "formats.shar": "unpack_shar",
        "formats.shards": "ShardingOptions shard_corpus",
        "label_tree": "NOT_OF_SPEAKERS UNKNOWN LabelTree label_of label_paths labels_of_speakers speaker_labels",
        "preparing.lhotse": "lhotse_recipes",
        "preparing.prepare": "PREPARATIONS prepare_corpus",
        "problems": "BadRecording CorpusReport Problem check_share write_bad_files",
        "trials.columns": "first_recording repeated_trials same_recordings speakers_of trial_columns",
        "trials.list_files": "ENROLMENT_STYLES read_enrolments read_trials write_enrolments write_trials",
        "trials.making": "holdout_speakers make_trials",
        "trials.scores": "ScoreList align read_scores write_scores",
        "trials.styles": "TRIAL_STYLES",
        "trials.trial_list": "EnrolmentMap TrialList TrialPlan plan_trials",
    },
)
