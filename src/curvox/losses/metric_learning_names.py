"""What of pytorch-metric-learning a recipe may name: losses, miners, distances, and their options.

The tables are closed: a name that is not in them is refused, and no import path is ever taken from a file. Options
are checked against the constructors of the installed version, by name.
"""

from __future__ import annotations

import importlib
import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from curvox.errors import InputError, MissingExtraError, RecipeError, nearest, require_name

PACKAGE = "pytorch_metric_learning"


@dataclass(frozen=True)
class Kind:
    """What the bridge must know of a loss or a miner.

    Attributes:
        any_space: works with any distance; otherwise only with its own, which is of unit vectors.
        margin: unit of an additive margin that can be scheduled, "cosine" or "degrees"; None where there is none.
        per_class: the terms belong to classes, not to recordings.
        takes_miner: can be told which pairs or triplets to use.
    """

    any_space: bool = False
    margin: str | None = None
    per_class: bool = False
    takes_miner: bool = True


_FREE = Kind(any_space=True)
_BOUND = Kind()

PML_LOSSES: Mapping[str, Kind] = {
    "AngularLoss": _BOUND,
    "ArcFaceLoss": Kind(margin="degrees"),
    "CircleLoss": _BOUND,
    "ContrastiveLoss": _FREE,
    "CosFaceLoss": Kind(margin="cosine"),
    "FastAPLoss": _BOUND,
    "GeneralizedLiftedStructureLoss": _FREE,
    "HistogramLoss": _BOUND,
    "IntraPairVarianceLoss": _FREE,
    "LargeMarginSoftmaxLoss": _BOUND,
    "LiftedStructureLoss": _FREE,
    "MarginLoss": _FREE,
    "MultiSimilarityLoss": _FREE,
    "NCALoss": _FREE,
    "NPairsLoss": _FREE,
    "NTXentLoss": _FREE,
    "NormalizedSoftmaxLoss": _FREE,
    "P2SGradLoss": Kind(takes_miner=False),
    "PNPLoss": Kind(takes_miner=False),
    "ProxyAnchorLoss": Kind(any_space=True, per_class=True),
    "ProxyNCALoss": _FREE,
    "RankedListLoss": Kind(any_space=True, takes_miner=False),
    "SignalToNoiseRatioContrastiveLoss": _BOUND,
    "SoftTripleLoss": Kind(margin="cosine"),
    "SphereFaceLoss": _BOUND,
    "SubCenterArcFaceLoss": Kind(margin="degrees"),
    "SupConLoss": _FREE,
    "ThresholdConsistentMarginLoss": _BOUND,
    "TripletMarginLoss": _FREE,
    "TupletMarginLoss": _BOUND,
}

PML_MINERS: Mapping[str, Kind] = {
    "AngularMiner": _BOUND,
    "BatchEasyHardMiner": _FREE,
    "BatchHardMiner": _FREE,
    "DistanceWeightedMiner": _BOUND,
    "HDCMiner": _FREE,
    "MultiSimilarityMiner": _FREE,
    "PairMarginMiner": _FREE,
    "TripletMarginMiner": _FREE,
    "UniformHistogramMiner": _FREE,
}

PML_DISTANCES: Mapping[str, Kind] = dict.fromkeys(
    ("CosineSimilarity", "DotProductSimilarity", "LpDistance", "SNRDistance"), _BOUND
)

LEFT_OUT: Mapping[str, str] = {
    "CrossBatchMemory": "its queue fills over steps and is not part of a step's loss",
    "DynamicSoftMarginLoss": "its histogram is in no state_dict, so a resumed training would be another one",
    "EmbeddingsAlreadyPackagedAsTriplets": "it reads triplets from the order of the batch",
    "InstanceLoss": "it takes a speaker's number for a place in the batch",
    "ManifoldLoss": "it takes no speakers",
    "MultipleLosses": "the loss combined does it",
    "SelfSupervisedLoss": "it takes no speakers",
    "SmoothAPLoss": "it reads speakers from the order of the batch",
    "VICRegLoss": "it takes no speakers",
}

SUPPLIED = ("num_classes", "embedding_size", "descriptors_dim")
# Objects that no recipe can write, and arguments that a class sets for its own base.
_CLOSED = {
    "collect_stats",
    "distance",
    "embedding_reg_weight",
    "embedding_regularizer",
    "is_inverted",
    "mat_based_loss",
    "reducer",
    "weight_init_func",
    "weight_reg_weight",
    "weight_regularizer",
}
_SET_BY_CLASS = {"BatchHardMiner": {"pos_strategy", "neg_strategy"}}


def load(module: str, name: str, table: Mapping[str, Kind], what: str) -> type[Any]:
    """Return the class ``name`` of ``pytorch_metric_learning.<module>`` if the table lists it.

    Raises:
        UnknownNameError: the name is not in the table; the nearest are listed.
        InputError: a class that curvox leaves out, with the reason.
        MissingExtraError: the package is not installed.
    """
    if not isinstance(name, str):
        raise InputError(f"{what} must be the name of a class of pytorch-metric-learning, got {name!r}")
    if name in LEFT_OUT:
        raise InputError(f"{what} {name} of pytorch-metric-learning is left out: {LEFT_OUT[name]}")
    require_name(name, table, f"{what} of pytorch-metric-learning")
    try:
        return getattr(importlib.import_module(f"{PACKAGE}.{module}"), name)
    except ImportError as error:
        raise missing(error) from error


def missing(error: ImportError) -> MissingExtraError:
    """The error that says how to install pytorch-metric-learning."""
    return MissingExtraError(f'pytorch-metric-learning is needed here: pip install "curvox[metric-learning]" ({error})')


def build(cls: type[Any], options: Mapping[str, Any], supplied: Mapping[str, Any]) -> Any:
    """Construct ``cls`` from checked plain options and what curvox supplies.

    Raises:
        RecipeError: an option the constructor does not have, or one that is missing.
        InputError: a value that is not plain and finite, or that the constructor refuses.
    """
    parameters = constructor_parameters(cls)
    known = [name for name in parameters if name not in SUPPLIED]
    for key, value in options.items():
        if key not in known:
            hint = nearest(str(key), known) if known else "it takes none"
            raise RecipeError(f'{cls.__name__} of pytorch-metric-learning has no option "{key}": {hint}')
        _require_plain(value, f"{cls.__name__}.{key}")
    for key in known:
        if parameters[key].default is inspect.Parameter.empty and key not in options:
            raise RecipeError(f'{cls.__name__} of pytorch-metric-learning needs the option "{key}"')
    try:
        return cls(**supplied, **options)
    except (TypeError, ValueError, ArithmeticError, AssertionError) as problem:
        raise InputError(f"{cls.__name__} of pytorch-metric-learning refuses {dict(options)}: {problem}") from problem


def constructor_parameters(cls: type[Any]) -> dict[str, inspect.Parameter]:
    """The named arguments of a constructor, those it hands to its bases included, objects left out."""
    found: dict[str, inspect.Parameter] = {}
    closed = _CLOSED | _SET_BY_CLASS.get(cls.__name__, set())
    for base in cls.__mro__:
        if "__init__" not in vars(base) or not base.__module__.startswith(PACKAGE):
            continue
        for name, parameter in list(inspect.signature(base.__init__).parameters.items())[1:]:
            named = parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
            if named and name not in closed:
                found.setdefault(name, parameter)
    return found


def _require_plain(value: Any, name: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{name} must be finite, got {value!r}")
    if isinstance(value, (list, tuple)):
        for item in value:
            _require_plain(item, name)
    elif value is not None and not isinstance(value, (bool, int, float, str)):
        raise InputError(f"{name} must be a number, a word or a list of them, got {value!r}")
