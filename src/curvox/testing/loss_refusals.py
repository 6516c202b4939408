"""Checks of the door of a loss: embeddings and speakers that it must refuse."""

from __future__ import annotations

import torch

from curvox.testing.loss_probes import SPEAKERS, LossFactory, batch, build, listed, refuses


@listed
def check_bad_embeddings(factory: LossFactory) -> None:
    """Embeddings of a wrong shape or type, empty, or not finite are refused."""
    loss = build(factory)
    embeddings, speakers = batch()
    for value in (float("nan"), float("inf"), 1e30):
        broken = embeddings.clone()
        broken[5, 1] = value
        refuses(f"an embedding with {value}", loss, broken, speakers)
    refuses("one embedding without a batch", loss, embeddings[0], speakers)
    refuses("embeddings of another dimension", loss, embeddings[:, 1:], speakers)
    refuses("embeddings with a third axis", loss, embeddings[None], speakers)
    refuses("integer embeddings", loss, embeddings.long(), speakers)
    refuses("an empty batch", loss, embeddings[:0], speakers[:0])


@listed
def check_bad_speakers(factory: LossFactory) -> None:
    """Speakers of a wrong shape or type, or out of range, are refused."""
    loss = build(factory)
    embeddings, speakers = batch()
    refuses("float speakers", loss, embeddings, speakers.float())
    refuses("boolean speakers", loss, embeddings, speakers > 0)
    refuses("too few speakers", loss, embeddings, speakers[1:])
    refuses("one-hot speakers", loss, embeddings, torch.eye(SPEAKERS)[speakers].long())
    if loss.speakers is not None:
        refuses("a speaker beyond the last", loss, embeddings, speakers + 1)
        refuses("a speaker below zero", loss, embeddings, speakers - 1)
