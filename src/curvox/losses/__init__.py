"""Losses: embeddings and speakers in, ``LossOutput(value, per_item, parts)`` out.

``LOSSES`` is the table of all of them; the classes in it are imported when they are asked for, so that reading the
table costs no torch. A new loss is a file in one of the folders here and a line in the table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from curvox.losses.card import LossCard, read_loss_card
from curvox.losses.table import LOSSES
from curvox.tables import lazy_exports

if TYPE_CHECKING:
    from curvox.losses.centres.am_softmax import AAMSoftmax, AMSoftmax, RAMSoftmax
    from curvox.losses.centres.centres import LearntScale
    from curvox.losses.centres.ham_softmax import HAMSoftmax, HSoftmax
    from curvox.losses.centres.level_prototypes import LevelPrototypes
    from curvox.losses.centres.sharding import (
        as_sharded,
        full_state,
        has_centres,
        load_full_state,
        shard_centres,
        sharded_parameters,
    )
    from curvox.losses.centres.softmax import Softmax
    from curvox.losses.centres.sphereface2 import SphereFace2
    from curvox.losses.combined import Combined, WeightedLoss, create_loss, takes_tree
    from curvox.losses.contract import AbstractLoss, LossOutput
    from curvox.losses.metric_learning import MetricLearning, as_distance
    from curvox.losses.pairs.contrastive_hinge import ContrastiveHinge, contrastive_hinge_losses
    from curvox.losses.pairs.gaussian_kl import GaussianKL, gaussian_kl_losses
    from curvox.losses.pairs.ge2e import GE2E
    from curvox.losses.pairs.mining import mine_pairs, mine_triplets, same_speaker
    from curvox.losses.pairs.pairs import AbstractPairLoss, inputs_of_pairs, mean_of, require_pairs
    from curvox.losses.pairs.prototypical import AngularPrototypical, Prototypical
    from curvox.losses.pairs.supervised_contrastive import SupervisedContrastive
    from curvox.losses.pairs.triplet import Triplet, triplet_losses

_HOMES = {
    "centres.centres": "LearntScale",
    "centres.sharding": "as_sharded full_state has_centres load_full_state shard_centres sharded_parameters",
    "combined": "WeightedLoss create_loss takes_tree",
    "contract": "AbstractLoss LossOutput",
    "metric_learning": "as_distance",
    "pairs.contrastive_hinge": "contrastive_hinge_losses",
    "pairs.gaussian_kl": "gaussian_kl_losses",
    "pairs.mining": "mine_pairs mine_triplets same_speaker",
    "pairs.pairs": "AbstractPairLoss inputs_of_pairs mean_of require_pairs",
    "pairs.triplet": "triplet_losses",
}
for _entry in LOSSES.entries.values():
    _module = _entry.module.removeprefix("curvox.losses.")
    _HOMES[_module] = f"{_HOMES.get(_module, '')} {_entry.attribute}"

__getattr__, __dir__, __all__ = lazy_exports(__name__, _HOMES, here="LOSSES LossCard read_loss_card")
