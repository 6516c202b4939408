"""Check parts of your own: contract suites, dummies of published corpora, synthetic voices.

One call holds a part of your own to the contract that the parts of the tables keep: `check_loss`, `check_encoder`,
`check_space`, `check_back_end`, `check_waveform_source`. Each suite's module has its checks one by one in ``CHECKS``.
Everything is imported when it is asked for, so that a test pays only for what it uses.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from curvox.testing.back_end_contract import check_back_end
    from curvox.testing.dummies import DUMMIES
    from curvox.testing.encoder_contract import check_encoder
    from curvox.testing.loss_contract import check_loss
    from curvox.testing.space_contract import check_space
    from curvox.testing.voices import synthesise_corpus
    from curvox.testing.waveform_contract import check_waveform_source

__all__ = [
    "DUMMIES",
    "check_back_end",
    "check_encoder",
    "check_loss",
    "check_space",
    "check_waveform_source",
    "synthesise_corpus",
]

_HOMES = {
    "DUMMIES": "dummies",
    "check_back_end": "back_end_contract",
    "check_encoder": "encoder_contract",
    "check_loss": "loss_contract",
    "check_space": "space_contract",
    "check_waveform_source": "waveform_contract",
    "synthesise_corpus": "voices",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"curvox.testing.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
