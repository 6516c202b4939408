"""Check parts of your own: contract suites, dummies of published corpora, synthetic voices.

One call holds a part of your own to the contract that the parts of the tables keep: `check_loss`, `check_encoder`,
`check_space`, `check_back_end`, `check_waveform_source`. Each suite's module has its checks one by one in ``CHECKS``:

    import pytest
    from curvox.testing.loss_contract import CHECKS

    @pytest.mark.parametrize("name", CHECKS)
    def test_my_loss__keeps_the_contract(name):
        CHECKS[name](lambda dim, speakers: MyLoss(dim, speakers, margin=0.3))

Everything is imported when it is asked for, so that a test pays only for what it uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from curvox.tables import lazy_exports

if TYPE_CHECKING:
    from curvox.testing.back_end_contract import check_back_end
    from curvox.testing.dummies import DUMMIES
    from curvox.testing.encoder_contract import check_encoder
    from curvox.testing.loss_contract import check_loss
    from curvox.testing.space_contract import check_space
    from curvox.testing.voices import synthesise_corpus
    from curvox.testing.waveform_contract import check_waveform_source

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "back_end_contract": "check_back_end",
        "dummies": "DUMMIES",
        "encoder_contract": "check_encoder",
        "loss_contract": "check_loss",
        "space_contract": "check_space",
        "voices": "synthesise_corpus",
        "waveform_contract": "check_waveform_source",
    },
)
