"""All cases: the sabotaged ones, and healthy ones of every loss, on both corpora, early and late, small and large."""

from __future__ import annotations

from typing import Any

from curvox.errors import require_name
from sabotage.case import PAIRS, Case, Variant
from sabotage.sabotaged import SABOTAGED_VARIANTS, ball

LOSSES: dict[str, dict[str, Any]] = {
    "softmax": {"name": "softmax"},
    "am": {"name": "am_softmax"},
    "aam": {"name": "aam_softmax"},
    "ram": {"name": "ram_softmax"},
    "sphereface2": {"name": "sphereface2"},
    "h": {"name": "h_softmax", "space": ball("exp_map")},
    "ham": {"name": "ham_softmax", "space": ball("exp_map")},
    "ham, soft clip": {"name": "ham_softmax", "space": ball("soft_clip")},
    "combined": {
        "name": "combined",
        "parts": [
            {"name": "ram_softmax", "weight": 0.3},
            {"name": "ham_softmax", "weight": 0.7, "space": ball("exp_map")},
        ],
    },
    "contrastive hinge": {"name": "contrastive_hinge"},
    "gaussian kl": {"name": "gaussian_kl"},
    "triplet": {"name": "triplet"},
    "prototypical": {"name": "prototypical"},
    "angular prototypical": {"name": "angular_prototypical"},
    "ge2e": {"name": "ge2e"},
    "supervised contrastive": {"name": "supervised_contrastive"},
}
"""Recipes of losses as they are meant to be used."""

_OF_PAIRS = ("contrastive", "gaussian", "triplet", "prototypical", "angular", "ge2e", "supervised")


def _healthy(loss: str, kind: str, corpus: str, *seeds: int, changes: tuple[str, ...] = (), **more: Any) -> Variant:
    pairs = PAIRS if loss.startswith(_OF_PAIRS) else ()
    cause = more.pop("cause", "")
    return Variant(cause, f"{loss}, {kind}", corpus, seeds, LOSSES[loss], (*pairs, *changes), **more)


def _usual() -> tuple[Variant, ...]:
    corpora = ("voices", "openvoices")
    return tuple(
        _healthy(loss, "usual", corpora[(place + turn) % 2], seed, epochs=4, steps=25)
        for place, loss in enumerate(LOSSES)
        for turn, seed in enumerate((1, 5))
    )


_WARMED = ("training.margin_warmup.start_epoch=1.0", "training.margin_warmup.end_epoch=3.0", "loss.margin=0.5")

HEALTHY_VARIANTS = (
    *_usual(),
    *(
        _healthy(loss, "early", corpus, 2, 6, epochs=1, steps=25)
        for loss, corpus in (
            ("am", "openvoices"), ("ham", "voices"), ("triplet", "voices"), ("gaussian kl", "openvoices"),
        )
    ),
    *(
        _healthy(loss, "late", corpus, 2, 6, epochs=6, steps=30)
        for loss, corpus in (("aam", "voices"), ("contrastive hinge", "openvoices"), ("softmax", "openvoices"))
    ),
    _healthy("am", "16 dimensions", "voices", 2, 6, changes=("encoder.embedding_dim=16",), epochs=4, steps=25),
    _healthy("ge2e", "64 dimensions", "openvoices", 2, 6, changes=("encoder.embedding_dim=64",), epochs=4, steps=25),
    _healthy("am", "warm-up", "voices", 2, 6, changes=_WARMED, cause="margin_ramp", epochs=4, steps=25),
    _healthy("aam", "warm-up", "openvoices", 2, 6, changes=_WARMED, cause="margin_ramp", epochs=4, steps=25),
)  # fmt: skip


IMPOSSIBLE = ("margin_ramp",)
"""Causes that are no fault; a healthy run shows them."""

_ALL = (
    *(case for variant in SABOTAGED_VARIANTS for case in variant.cases("sabotaged")),
    *(case for variant in HEALTHY_VARIANTS for case in variant.cases("healthy")),
)

CASES: dict[str, Case] = {case.name: case for case in _ALL}
"""Every case by name, the sabotaged ones first."""


def case_of(name: str) -> Case:
    """Return the case called ``name``.

    Raises:
        UnknownNameError: no such case; the nearest names are listed.
    """
    require_name(name, CASES, "case")
    return CASES[name]
