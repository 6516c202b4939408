"""One batch and any loss: a diagnosis in a second, before anything was trained."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from curvox.diagnosis import thresholds_loss as limits
from curvox.diagnosis.adapters import BatchLoss, adapt
from curvox.diagnosis.embedding_checks import embedding_checks
from curvox.diagnosis.findings import Checked, Diagnosis, Evidence, Finding
from curvox.diagnosis.loss_checks import loss_checks
from curvox.diagnosis.loss_probe import auc_of_distances, measure_loss, pair_distances, relative_gradient, respond
from curvox.diagnosis.observation import EmbeddedSet
from curvox.diagnosis.origin import find_origin
from curvox.diagnosis.scale_checks import length_of, scale_checks
from curvox.diagnosis.space_checks import space_checks
from curvox.diagnosis.verdict import diagnosis_of
from curvox.errors import InputError
from curvox.geometry import AbstractSpace
from curvox.losses import AbstractLoss

LEAST_RECORDINGS, LEAST_SPEAKERS = 4, 2


def diagnose(
    loss: Callable[..., Any],
    embeddings: Tensor | np.ndarray,
    speakers: Tensor | np.ndarray,
    *,
    takes: str = "embeddings, speakers",
    space: AbstractSpace | None = None,
) -> Diagnosis:
    """Say what is wrong with a loss, or with the embeddings of one batch, before training or in the middle of it.

    The loss is asked on batches made for it (speakers at random, all solved, all in one point) and on this one. It is
    copied: its parameters and their gradients stay as they are.

    Args:
        loss: a loss of curvox, or any callable of tensors.
        embeddings: (B, D) raw encoder output, B >= 4; of an untrained encoder, or made up: a point for each speaker
            and a little noise.
        speakers: (B,) whole numbers, at least two different ones; below the number of speakers that a loss with
            centres was made for.
        takes: how the loss is called, a key of `curvox.diagnosis.SIGNATURES`; never guessed.
        space: where embeddings are compared; default the loss's own, or for other callables `Euclidean`.

    Returns:
        What was found, "healthy" where nothing was, and what could not be looked for.

    Raises:
        InputError: shapes or types that are not these, a batch too small to judge, a loss that cannot be called so.
    """
    raw, labels = _checked(embeddings, speakers)
    adapted = copy.deepcopy(adapt(loss, takes=takes, dim=raw.shape[1], space=space)).cpu().float()
    items = EmbeddedSet(raw, labels, adapted.space)
    if not torch.isfinite(raw).all():
        return diagnosis_of([_embeddings_not_finite(raw)])
    return diagnosis_of([*loss_parts(adapted, raw, labels), embedding_checks(items), space_checks(items, adapted)])


def loss_parts(loss: AbstractLoss, raw: Tensor, speakers: Tensor) -> list[Checked]:
    """The checks of a loss, on batches made for it and on this one of finite embeddings (B, D)."""
    measures = measure_loss(loss, length=length_of(raw))
    return [loss_checks(loss, measures), scale_checks(loss, measures, raw), given_batch_checks(loss, raw, speakers)]


def given_batch_checks(loss: AbstractLoss, raw: Tensor, speakers: Tensor) -> Checked:
    """What the loss does on this very batch: NaN and where it was born, no gradient, no pairs, half precision."""
    if loss.whole_batch and len(speakers.unique()) == len(speakers):
        return _no_positives(speakers)
    try:
        response = respond(loss, raw, speakers)
    except InputError as refusal:
        if isinstance(loss, BatchLoss):
            raise
        return Checked.impossible(f"the loss refuses this batch: {refusal}", "not_finite", "never_active")
    looked = ("not_finite", "never_active", "no_positives")
    if not response.finite:
        return Checked(looked, (_not_finite(loss, raw, speakers),))
    return Checked(looked, _inactive_here(loss, raw, speakers, relative_gradient(response.gradient, raw)))


def _inactive_here(loss: AbstractLoss, raw: Tensor, speakers: Tensor, relative: float) -> tuple[Finding, ...]:
    same, different = pair_distances(loss.space, raw, speakers)
    if relative > limits.NO_GRADIENT or len(same) == 0 or len(different) == 0:
        return ()
    auc = auc_of_distances(same, different)
    apart = float(torch.cat([same, different]).std())
    if auc > limits.ACTIVE_UNTIL or apart <= 1e-6 * length_of(raw):  # solved, or collapsed, which has a name of its own
        return ()
    evidence = (
        Evidence("gradient of this batch times length of its embeddings", relative, "above 0.01"),
        Evidence("AUC of its same- and different-speaker pairs", auc, "near 1 when nothing is active"),
    )
    return (Finding("never_active", "failure", evidence),)


def _not_finite(loss: AbstractLoss, raw: Tensor, speakers: Tensor) -> Finding:
    leaf = raw.clone().requires_grad_()
    origin = find_origin(lambda: loss(leaf, speakers).value, loss)
    where = "" if origin is None else f"{origin.operation} ({'backward' if origin.backward else 'forward'})"
    rows = () if origin is None else origin.rows
    shown = f", rows {', '.join(map(str, rows))}" if rows else ""
    evidence = Evidence(
        "embeddings of this batch that are finite, while the loss or its gradient is not", 1.0, "0", "%"
    )
    return Finding("not_finite", "failure", (evidence,), where + shown)


def _embeddings_not_finite(raw: Tensor) -> Checked:
    bad = ~torch.isfinite(raw).all(dim=1)
    rows = bad.nonzero().flatten().tolist()
    evidence = Evidence("embeddings with NaN or infinity", float(bad.double().mean()), "0", "%")
    shown = f"the encoder; rows {', '.join(map(str, rows[:8]))}{' ...' if len(rows) > 8 else ''}"
    return Checked(("not_finite",), (Finding("not_finite", "failure", (evidence,), shown),))


def _no_positives(speakers: Tensor) -> Checked:
    evidence = Evidence(f"same-speaker pairs among {len(speakers)} recordings", 0.0, "as many as speakers, or more")
    return Checked(("no_positives",), (Finding("no_positives", "failure", (evidence,)),))


def _checked(embeddings: Tensor | np.ndarray, speakers: Tensor | np.ndarray) -> tuple[Tensor, Tensor]:
    raw = torch.as_tensor(embeddings).detach().cpu()
    labels = torch.as_tensor(speakers).detach().cpu()
    if not raw.is_floating_point() or raw.ndim != 2:
        raise InputError(f"embeddings must be floating-point (B, D), got {raw.dtype} {tuple(raw.shape)}")
    if labels.is_floating_point() or labels.dtype == torch.bool or labels.shape != raw.shape[:1]:
        raise InputError(f"speakers must be whole numbers ({len(raw)},), got {labels.dtype} {tuple(labels.shape)}")
    if len(raw) < LEAST_RECORDINGS or len(labels.unique()) < LEAST_SPEAKERS:
        raise InputError(
            f"a batch needs at least {LEAST_RECORDINGS} recordings of {LEAST_SPEAKERS} speakers to be judged, got "
            f"{len(raw)} of {len(labels.unique())}; take 32 recordings of 16 speakers, or more"
        )
    return raw.float(), labels.long()
