"""The table of causes: each is one place, with its text, its numbers and its check; a family of them is a module.

A check turns what a probe measured into findings. To add a cause, write it and its check into a module of this package
and give it a line in the table. A family that is new, or judges what it did not yet, also gets a line in
`curvox.diagnosis.diagnosing`. The modules import no torch, so that the table can be read without it.
"""

from __future__ import annotations

from curvox.diagnosis.causes import (
    course,
    data,
    embeddings,
    gradients,
    labels,
    loss_form,
    numbers,
    parameters,
    rates,
    scales,
    space,
)
from curvox.diagnosis.findings import Cause

_RANKED = (
    numbers.NOT_FINITE, numbers.HALF_PRECISION_OVERFLOW,
    loss_form.LABEL_BLIND, loss_form.WRONG_DIRECTION, loss_form.NEVER_SATISFIED, loss_form.MARGIN_OUT_OF_REACH,
    loss_form.NEVER_ACTIVE,
    scales.GRADIENT_MULTIPLIED, scales.SCALE_TOO_SMALL, scales.SCALE_TOO_LARGE,
    parameters.FROZEN_PARAMETERS, parameters.UNUSED_PARAMETERS, parameters.CENTRES_NEVER_MOVE,
    rates.LEARNING_RATE_TOO_HIGH, rates.LEARNING_RATE_TOO_LOW,
    gradients.EXPLODING_GRADIENT, gradients.VANISHING_GRADIENT, gradients.FEW_ITEMS_RULE,
    course.OVERFITTING, course.MARGIN_RAMP,
    data.NO_POSITIVES, data.SILENT_RECORDINGS, data.CLIPPED_RECORDINGS, data.DUPLICATE_RECORDINGS, data.FEW_RECORDINGS,
    data.SPEAKER_IMBALANCE,
    space.POINTS_AT_ORIGIN, space.FLOAT32_DISTANCE_ERROR, space.DEAD_RADIUS, space.CURVATURE_WITHOUT_EFFECT,
    embeddings.COLLAPSE, embeddings.DIMENSIONAL_COLLAPSE, embeddings.CONCENTRATION, embeddings.HUBNESS,
    labels.SPLIT_SPEAKERS, labels.MERGED_SPEAKERS, labels.CHANNEL_SHORTCUT,
)  # fmt: skip

CAUSES: dict[str, Cause] = {cause.name: cause for cause in _RANKED}
"""Every cause by name, those before their consequences: of two findings equally bad, the one whose cause stands further
up is named first. Each has a section of its own name in ``docs/findings.md``."""
