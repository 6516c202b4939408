"""The table of causes, those before their consequences.

Of two findings equally bad, the one whose cause stands further up is named first. Each cause has a section of its own
name in ``docs/findings.md``.
"""

from __future__ import annotations

from curvox.diagnosis.cause import Cause
from curvox.diagnosis.data_causes import DATA, LABELS
from curvox.diagnosis.embedding_causes import EMBEDDINGS, SPACE
from curvox.diagnosis.loss_causes import LOSS
from curvox.diagnosis.training_causes import NUMBERS, TRAINING
from curvox.errors import require_name

CAUSES: dict[str, Cause] = {
    cause.name: cause for cause in (*NUMBERS, *LOSS, *TRAINING, *DATA, *SPACE, *EMBEDDINGS, *LABELS)
}
"""Every cause by name."""


def cause_of(name: str) -> Cause:
    """Return the cause called ``name``.

    Raises:
        UnknownNameError: no such cause; the nearest names are listed.
    """
    require_name(name, CAUSES, "cause")
    return CAUSES[name]
