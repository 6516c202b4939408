"""One diagnosis for every thing that can be ill: a run, what was observed of one, or a loss with a batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from curvox.diagnosis import Diagnosis, RunObservation, diagnose_run
from curvox.diagnosis import diagnose as diagnose_batch
from curvox.errors import InputError
from curvox.evaluating.folders import run_folder

if TYPE_CHECKING:
    from curvox.geometry import AbstractSpace


def diagnose(
    what: str | Path | RunObservation | Callable[..., Any],
    embeddings: Tensor | np.ndarray | None = None,
    speakers: Tensor | np.ndarray | None = None,
    *,
    takes: str = "embeddings, speakers",
    space: AbstractSpace | None = None,
    data: str | Path | None = None,
) -> Diagnosis:
    """Say why a run, or a loss, gives no useful embeddings: ``diagnose("runs/x").first.cause``.

    Args:
        what: the path of a run, finished, under way or dead; what ``curvox.training.observe_run`` measured of one; or
            a loss, of curvox or any callable of tensors, which is then asked on a batch.
        embeddings: for a loss, (B, D) raw encoder output or made up; see ``curvox.diagnosis.diagnose``.
        speakers: for a loss, (B,) whole numbers.
        takes: how a loss of your own is called, a key of ``curvox.diagnosis.SIGNATURES``.
        space: where a loss of your own compares embeddings; Euclidean if None.
        data: for a run, its corpus, where it is not where the recipe says.

    Raises:
        InputError: a loss without a batch, or a run with one; a batch that is too small or of other shapes.
        CheckpointError: the path is that of no run.
    """
    is_run = isinstance(what, (str, Path, RunObservation))
    if is_run and not (embeddings is None and speakers is None):
        raise InputError("a run is diagnosed by its own recordings: leave embeddings and speakers out")
    if isinstance(what, RunObservation):
        return diagnose_run(what)
    if isinstance(what, (str, Path)):
        from curvox.training import observe_run

        return diagnose_run(observe_run(run_folder(Path(what)), data=data))
    if embeddings is None or speakers is None:
        raise InputError("a loss is diagnosed on a batch: give its embeddings (B, D) and speakers (B,)")
    return diagnose_batch(what, embeddings, speakers, takes=takes, space=space)
