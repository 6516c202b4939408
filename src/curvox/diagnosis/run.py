"""A whole run, finished, running or dead: every check that what was observed allows."""

from __future__ import annotations

import copy
from collections.abc import Iterable

import torch

from curvox.diagnosis.batch import loss_parts
from curvox.diagnosis.causes import CAUSES
from curvox.diagnosis.data_checks import data_checks
from curvox.diagnosis.death_checks import death_checks
from curvox.diagnosis.embedding_checks import embedding_checks
from curvox.diagnosis.findings import Checked, Diagnosis
from curvox.diagnosis.history_checks import history_checks
from curvox.diagnosis.label_checks import label_checks
from curvox.diagnosis.observation import RunObservation
from curvox.diagnosis.space_checks import space_checks
from curvox.diagnosis.step_checks import step_checks
from curvox.diagnosis.verdict import diagnosis_of

_GROUPS = {
    "step": ("numbers", "training"),
    "train": ("embeddings", "space"),
    "recordings": ("data",),
    "loss": ("loss",),
    "history": ("training",),
}
"""The kinds of causes that each part of an observation is needed for."""


def diagnose_run(observation: RunObservation) -> Diagnosis:
    """Look for every cause that the parts of an observation allow.

    Raises:
        InputError: nothing was observed.
    """
    return diagnosis_of([*_parts(observation), *_missing(observation)], vitals=_last_vitals(observation))


def _parts(run: RunObservation) -> Iterable[Checked]:
    loss = None if run.loss is None else copy.deepcopy(run.loss).cpu().float()
    if run.death is not None:
        yield death_checks(run.death)
    if loss is not None and run.step is not None and bool(torch.isfinite(run.step.raw).all()):
        yield from loss_parts(loss, run.step.raw.float(), run.step.speakers)
    if run.step is not None:
        yield step_checks(run.step, loss)
    if run.history is not None:
        yield history_checks(run.history, items=None if run.step is None else len(run.step.speakers))
    if run.train is not None:
        yield embedding_checks(run.train)
        yield space_checks(run.train, loss)
        yield label_checks(run.train, run.dev)
    if run.recordings is not None:
        yield data_checks(run.recordings)


def _missing(run: RunObservation) -> Iterable[Checked]:
    for part, groups in _GROUPS.items():
        if getattr(run, part) is None:
            causes = tuple(cause.name for cause in CAUSES.values() if cause.group in groups)
            yield Checked.impossible(run.missing.get(part, f"nothing is known of the {part}"), *causes)


def _last_vitals(run: RunObservation) -> dict[str, float]:
    """The last finite value of every vital sign."""
    if run.history is None:
        return {}
    found = {}
    for name, values in run.history.signs.items():
        finite = values[values == values]
        if len(finite):
            found[name] = float(finite[-1])
    return found
