"""Checks of losses that compare the recordings of a batch with each other; others pass them as they are."""

from __future__ import annotations

import torch
from torch import Tensor

from curvox.errors import InputError
from curvox.testing.loss_probes import LossFactory, batch, build, listed, refuses, require, step

UNEQUAL = (0, 1, 0, 2, 1, 0, 3, 0)


def _unequal(embeddings: Tensor) -> tuple[Tensor, Tensor]:
    return embeddings[: len(UNEQUAL)], torch.tensor(UNEQUAL)


@listed
def check_batches_without_pairs(factory: LossFactory) -> None:
    """A batch without a same-speaker pair, and one without a second speaker, are refused, and the repair is named."""
    loss = build(factory)
    if not loss.whole_batch:
        return
    embeddings, _ = batch(4)
    refuses("a batch of one speaker", loss, embeddings, torch.zeros(4, dtype=torch.long))
    try:
        loss(embeddings, torch.arange(4))
    except InputError as refusal:
        require("recordings_per_speaker" in str(refusal), f"the repair must be named, got {str(refusal)!r}")
        return
    raise AssertionError("a batch without a same-speaker pair must be refused by InputError")


@listed
def check_unequal_recordings(factory: LossFactory) -> None:
    """Speakers with four recordings, two and one in one batch are finite."""
    loss = build(factory)
    if loss.whole_batch:
        step(loss, *_unequal(batch()[0]))


@listed
def check_solved(factory: LossFactory) -> None:
    """Recordings that coincide within each speaker are finite, near and far from those of other speakers."""
    loss = build(factory)
    if not loss.whole_batch:
        return
    embeddings, speakers = batch()
    for apart in (1e-6, 1.0, 1e3):
        step(loss, embeddings[0] + apart * embeddings[speakers], speakers)


@listed
def check_labels(factory: LossFactory) -> None:
    """Speakers are only compared with each other: other whole numbers, also negative and large, change nothing."""
    loss = build(factory).double()
    if not loss.whole_batch or loss.speakers is not None:
        return
    embeddings, speakers = _unequal(batch()[0].double())
    torch.manual_seed(4)
    first = loss(embeddings, speakers).per_item
    torch.manual_seed(4)
    second = loss(embeddings, torch.tensor([7, -3, 2**40, 0])[speakers]).per_item
    require(torch.allclose(first, second, rtol=1e-12, atol=1e-12), f"other labels change {first} to {second}")


@listed
def check_learnt_space(factory: LossFactory) -> None:
    """Whatever the space learns gets a gradient through a pair loss."""
    loss = build(factory)
    if loss.whole_batch:
        step(loss, *batch())
        for name, parameter in loss.space.named_parameters():
            require(parameter.grad is not None, f'no gradient reaches "{name}" of the space')
