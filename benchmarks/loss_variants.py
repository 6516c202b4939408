"""The losses that the conformance suite runs on: every entry of the table, and the settings that change what it does.

from loss_variants import VARIANTS, factory_of

check_loss(factory_of("ham_softmax, exp_map"))
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from curvox.losses import LOSSES, AbstractLoss, create_loss
from curvox.testing.loss_contract import LossFactory

_ANGULAR = ("am_softmax", "aam_softmax", "ram_softmax")
_PAIRS = (
    "contrastive_hinge",
    "gaussian_kl",
    "triplet",
    "prototypical",
    "angular_prototypical",
    "ge2e",
    "supervised_contrastive",
)
_BALL = {"name": "poincare_ball", "lift": {"name": "soft_clip"}}


def _ball(c: float, lift: str, **options: float) -> dict[str, Any]:
    return {"name": "poincare_ball", "c": c, "lift": {"name": lift, **options}}


VARIANTS: dict[str, Mapping[str, Any]] = {
    **{name: {"name": name} for name in LOSSES},
    **{f"{name}, 3 sub-centres": {"name": name, "sub_centres": 3} for name in _ANGULAR},
    **{f"{name}, top 1": {"name": name, "top_k": 1} for name in _ANGULAR},
    **{f"{name}, learnt scale": {"name": name, "learn_scale": True} for name in _ANGULAR},
    "h_softmax, exp_map": {"name": "h_softmax", "space": _ball(1.0, "exp_map")},
    "ham_softmax, clip, c = 4": {"name": "ham_softmax", "space": _ball(4.0, "clip", radius=0.3)},
    "ham_softmax, rim, c = 0.1": {"name": "ham_softmax", "space": _ball(0.1, "clip")},
    "ham_softmax, exp_map": {"name": "ham_softmax", "space": _ball(1.0, "exp_map", gain=0.3)},
    "ham_softmax, soft_clip, c = 2": {"name": "ham_softmax", "space": _ball(2.0, "soft_clip")},
    "ham_softmax, learnt c": {"name": "ham_softmax", "space": {**_BALL, "learn_c": True}},
    "ham_softmax, riemannian": {"name": "ham_softmax", "centres": "riemannian", "space": _ball(0.1, "soft_clip")},
    **{
        f"level_prototypes, {name}": {"name": "level_prototypes", "levels": ["language", "gender"], **options}
        for name, options in {
            "levels": {},
            "margin, weights": {"margin": 0.2, "level_weights": [1.0, 0.25]},
            "hypersphere": {"space": {"name": "hypersphere"}},
            "rim, c = 0.1": {"space": _ball(0.1, "clip")},
            "learnt c": {"space": {**_BALL, "learn_c": True}},
        }.items()
    },
    "combined, levels": {
        "name": "combined",
        "parts": [
            {"name": "ham_softmax", "weight": 1.0},
            {"name": "level_prototypes", "weight": 0.1, "levels": ["language"]},
        ],
    },
    "combined, learnt parts": {
        "name": "combined",
        "parts": [
            {"name": "h_softmax", "weight": 2.0, "space": _ball(1.0, "exp_map")},
            {"name": "h_softmax", "weight": 1.0},
        ],
    },
    **{f"{name}, euclidean": {"name": name, "space": {"name": "euclidean"}} for name in _PAIRS},
    **{f"{name}, ball": {"name": name, "space": _BALL} for name in _PAIRS},
    "gaussian_kl, learnt variance": {"name": "gaussian_kl", "learn_variance": True, "margin": 0.5},
    "triplet, hardest": {"name": "triplet", "mining": "hardest"},
    "contrastive_hinge, hardest": {"name": "contrastive_hinge", "mining": "hardest"},
}
"""Names and descriptions, as `curvox.losses.create_loss` takes them."""


def factory_of(name: str) -> LossFactory:
    """Return the factory ``(dim, speakers) -> loss`` of a variant."""
    description = VARIANTS[name]
    has_levels = "'levels'" in str(description)  # of the loss or of one of its parts

    def build(dim: int, speakers: int) -> AbstractLoss:
        return create_loss(description, dim=dim, speakers=speakers, tree=_tree(speakers) if has_levels else None)

    return build


def _tree(speakers: int) -> dict[str, list[int]]:
    """Two languages with two genders each; of every fifth speaker, beginning with the third, the gender is unknown."""
    return {
        "language": [speaker % 2 for speaker in range(speakers)],
        "gender": [-1 if speaker % 5 == 2 else speaker // 2 % 2 for speaker in range(speakers)],
    }
