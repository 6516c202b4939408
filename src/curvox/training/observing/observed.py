"""Parts of a run, measured: the model as trained, what it makes of recordings, the step that comes next."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor, nn

from curvox.audio import RecordingQuality, measure_quality
from curvox.diagnosis import EmbeddedSet, RecordingFacts, StepProbe, probe_step
from curvox.embedder import Embedder, model_folder, read_description
from curvox.errors import AudioError, CheckpointError, CurvoxError
from curvox.files import tensors_from_file
from curvox.losses import AbstractLoss
from curvox.training.data.augmenting import Augmentation, Augmenter
from curvox.training.data.loading import PlannedBatches, training_loader
from curvox.training.data.prepared import PreparedData, Recordings, evenly
from curvox.training.recipe.recipe import Recipe
from curvox.training.run.checkpoints import read_start, read_training_state
from curvox.training.step.building import Build, build_optimizer, first_model, margin_scale
from curvox.training.step.module import DEV_BATCH_S, SpeakerModule, different_tensors


@dataclass(frozen=True)
class ObservedModel:
    """A model with the weights of a checkpoint.

    Attributes:
        embedder: the encoder and its space.
        loss: None where it is not known, because ``last`` cannot be read and the loss has learnt something.
        why_no_loss: the reason.
        state: the training state; None for ``best``.
        speakers: the names of the classes; empty where unknown.
        initial: weights before the first step, by the names of `curvox.diagnosis.ParameterProbe`; None where unknown.
    """

    embedder: Embedder
    loss: AbstractLoss | None
    why_no_loss: str
    state: Mapping[str, Any] | None
    speakers: tuple[str, ...]
    initial: Mapping[str, Tensor] | None

    @property
    def step(self) -> int:
        """Optimiser steps that were taken."""
        return 0 if self.state is None else int(self.state["global_step"])


def observed_model(run: Path, recipe: Recipe, build: Build) -> ObservedModel:
    """Rebuild the model of ``run`` from ``last``, or from ``best`` where ``last`` is not there or of an older version.

    Raises:
        CheckpointError: there is no checkpoint yet, it is damaged, or ``build`` makes another model.
    """
    last, best = _folder(run, "last"), _folder(run, "best")
    if last is None and best is None:
        raise CheckpointError(
            f"{run} holds no checkpoint: the run has not finished its first epoch, or last/ was removed"
        )
    why = "last/ is missing"
    if last is not None:
        try:
            return _from_last(last, _training_state(last), recipe, build)
        except CheckpointError as error:
            if best is None:
                raise
            why = str(error)
    assert best is not None
    return _from_best(best, recipe, build, f"best/ does not hold what the loss has learnt, and from last/: {why}")


def _training_state(last: Path) -> dict[str, Any]:
    try:
        return read_training_state(last)
    except CheckpointError:  # a run that is under way may have put the next one in its place meanwhile
        return read_training_state(last)


def _from_last(folder: Path, state: dict[str, Any], recipe: Recipe, build: Build) -> ObservedModel:
    speakers = tuple(state["curvox"]["speakers"])
    with isolate_rng(include_cuda=False):
        embedder, loss = first_model(recipe, len(speakers), build, state["curvox"].get("labels"))
    initial = _initial(recipe, embedder, loss)
    _load(nn.ModuleDict({"embedder": embedder, "loss": loss}), state["state_dict"], folder)
    return ObservedModel(embedder.eval(), loss.eval(), "", state, speakers, initial)


def _from_best(folder: Path, recipe: Recipe, build: Build, why: str) -> ObservedModel:
    speakers = read_description(folder).training.get("speakers", 2)
    if not isinstance(speakers, int) or speakers < 1:
        raise CheckpointError(f"{folder} does not describe a model of a run: training.speakers is {speakers!r}")
    with isolate_rng(include_cuda=False):
        embedder, loss = first_model(recipe, speakers, build)
    of_loss = {name for name, _ in loss.named_parameters()} - {f"space.{name}" for name in loss.space.state_dict()}
    weights = tensors_from_file(folder / "model.safetensors")
    _load(nn.ModuleDict({"encoder": embedder.encoder, "space": embedder.space}), weights, folder)
    known = None if of_loss else loss.eval()
    return ObservedModel(embedder.eval(), known, "" if known is not None else why, None, (), None)


def named_weights(embedder: Embedder, loss: AbstractLoss) -> dict[str, Tensor]:
    """Copies of the parameters by name, "encoder.…" and "loss.…"."""
    parts = (("encoder", embedder.encoder), ("loss", loss))
    return {f"{part}.{name}": p.detach().clone() for part, module in parts for name, p in module.named_parameters()}


def _initial(recipe: Recipe, embedder: Embedder, loss: AbstractLoss) -> dict[str, Tensor] | None:
    """Weights before the first step: as drawn, or those of the run that training started from, where it is there."""
    drawn = named_weights(embedder, loss)
    if recipe.training.start_from is None:
        return drawn
    try:
        start = read_start(recipe.training.start_from, embedder)
    except CurvoxError:
        return None
    return {name: start.weights[_in_state(name)] for name in drawn if _in_state(name) in start.weights}


def _in_state(name: str) -> str:
    return f"embedder.{name}" if name.startswith("encoder.") else name


def _load(module: nn.Module, weights: Mapping[str, Tensor], folder: Path) -> None:
    if wrong := different_tensors(weights, module.state_dict()):
        raise CheckpointError(
            f"the weights in {folder} are of another model: {len(wrong)} tensors differ (first: {wrong[0]}); a run of "
            "train(build=...) is read with the same build and recipe.yaml"
        )
    module.load_state_dict(dict(weights))


def _folder(run: Path, name: str) -> Path | None:
    """``last`` or ``best`` of a run; for the moment between the two renames of an exchange, the one before."""
    try:
        return model_folder(run / name)
    except CheckpointError:
        return None


LONGEST_S = 10.0
MOST_MEASURED = 1000
_DIGESTED_S = 1.0


def embed_recordings(embedder: Embedder, items: Recordings, rows: np.ndarray) -> EmbeddedSet:
    """Embed these ``rows`` of ``items`` in evaluation mode, of longer ones the middle `LONGEST_S`; the model is left as
    it was.

    Raises:
        CheckpointError: embeddings are not finite.
    """
    longest = round(LONGEST_S * embedder.sampling_rate_hz)
    waveforms = [items.waveform(int(row)) for row in rows]
    starts = [max(0, (len(waveform) - longest) // 2) for waveform in waveforms]
    waveforms = [waveform[start : start + longest] for waveform, start in zip(waveforms, starts, strict=True)]
    return EmbeddedSet(
        _raw_embeddings(embedder, waveforms),
        torch.from_numpy(items.speakers[rows]),
        embedder.space,
        _known(items.sessions, items.session_names, rows),
        None if items.channels is None else _known(items.channels, items.channel_names, rows),
        tuple(items.utterances[row] for row in rows),
        items.speaker_names,
    )


def recording_facts(data: PreparedData, splits: tuple[str, str]) -> RecordingFacts:
    """Return what is known of all recordings of both ``splits``, those of training first.

    Quality is measured of at most `MOST_MEASURED` of them, at even distances.
    """
    parts = [
        (items, row, split)
        for items, split in zip((data.train, data.dev), splits, strict=True)
        for row in range(len(items.utterances))
    ]
    measured = set(evenly(len(parts), MOST_MEASURED).tolist())
    rate_hz = data.train.store.sampling_rate_hz
    heard = [_heard(items.waveform(row), rate_hz) if i in measured else None for i, (items, row, _) in enumerate(parts)]
    return RecordingFacts(
        names=tuple(items.utterances[row] for items, row, _ in parts),
        speakers=tuple(items.speaker_names[items.speakers[row]] for items, row, _ in parts),
        sessions=tuple(_session(items, row) for items, row, _ in parts),
        splits=tuple(split for _, _, split in parts),
        durations_s=np.concatenate([data.train.lengths_samples, data.dev.lengths_samples]) / rate_hz,
        digests=tuple(_digest(items, row) for items, row, _ in parts),
        quality=tuple(None if found is None else found[0] for found in heard),
        levels_db=np.array([np.nan if found is None else found[1] for found in heard]),
    )


def _heard(waveform: np.ndarray, rate_hz: int) -> tuple[RecordingQuality, float]:
    """Quality, and mean power in dB of full scale."""
    power = float(np.square(waveform, dtype=np.float64).mean()) if len(waveform) else 0.0
    level_db = 10.0 * math.log10(power) if power > 0 else -math.inf
    try:
        return measure_quality(waveform, rate_hz), level_db
    except AudioError:  # nothing can be heard in it: silent from end to end, or shorter than a frame
        duration_s = len(waveform) / rate_hz
        return RecordingQuality(duration_s, 0.0, 1.0, -20.0, 200.0, 0.0, rate_hz), level_db


def _digest(items: Recordings, row: int) -> str:
    """A digest of the length and of a second each from begin, middle and end: reading on would take a large corpus
    many minutes and tell nothing more."""
    samples = items.store[int(items.places[row])]
    part = round(_DIGESTED_S * items.store.sampling_rate_hz)
    digest = hashlib.sha1(str(len(samples)).encode(), usedforsecurity=False)
    for start in (0, (len(samples) - part) // 2, len(samples) - part) if len(samples) > 3 * part else (None,):
        digest.update(np.ascontiguousarray(samples if start is None else samples[start : start + part]).tobytes())
    return digest.hexdigest()


def _session(items: Recordings, row: int) -> str:
    number = int(items.sessions[row])
    return items.session_names[number] if number < len(items.session_names) else str(number)


def _known(numbers: np.ndarray, names: tuple[str, ...], rows: np.ndarray) -> Tensor | None:
    """Numbers (N,) of these rows, None where the corpus does not name all of theirs."""
    some = numbers[rows]
    if names and any(not names[number] for number in np.unique(some) if number < len(names)):
        return None
    return torch.from_numpy(some.astype(np.int64))


@torch.no_grad()
def _raw_embeddings(embedder: Embedder, waveforms: list[np.ndarray]) -> Tensor:
    raw = torch.zeros(len(waveforms), embedder.embedding_dim)
    for batch, z in embedder.embed_batches(waveforms, batch_s=DEV_BATCH_S):
        raw[batch] = z.float()
    if lost := int((~torch.isfinite(raw).all(dim=1)).sum()):
        raise CheckpointError(
            f"{lost} of {len(raw)} recordings have embeddings that are not finite: the weights of the checkpoint are "
            "destroyed; take an earlier one"
        )
    return raw


def observed_step(recipe: Recipe, data: PreparedData, model: ObservedModel) -> StepProbe:
    """Measure the training step that would come next in the run, without augmentation and at the peak learning rate.

    Raises:
        CheckpointError: the classes of the run are other speakers than those of ``data``, or its loss is not known.
    """
    embedder, loss = model.embedder, model.loss
    if loss is None:
        raise CheckpointError(model.why_no_loss)
    if loss.speakers is not None and model.speakers != data.class_names:
        raise CheckpointError(
            f"the run was trained on {len(model.speakers)} speakers that are not the {len(data.class_names)} "
            "of these recordings; give the corpus, and the prepare, that it was trained with"
        )
    loader = training_loader(data, recipe.data, seed=recipe.seed, rank=0, processes=1)
    batches = loader.planned
    epoch, place = divmod(model.step, len(batches))
    warmup = recipe.training.margin_warmup
    loss.set_margin_scale(margin_scale(model.step, warmup=warmup, steps_per_epoch=len(batches)))
    module = SpeakerModule(embedder, loss, recipe, data, loader, Augmenter(Augmentation(), embedder.sampling_rate_hz))
    batch = loader.dataset.__getitems__(batches.plan(epoch).crops(place))  # pyright: ignore
    features = module.batch_features(batch)
    optimizer = build_optimizer(recipe.training.optimizer, embedder, loss)
    for state in () if model.state is None else model.state.get("optimizer_states", [])[:1]:
        optimizer.load_state_dict(state)
    probe = probe_step(
        lambda: embedder.encoder(features),
        embedder.encoder,
        loss,
        batch["speakers"],
        lambda: optimizer,
        learning_rate=recipe.training.optimizer.learning_rate,
        items=tuple(data.train.utterances[item] for item in batch["items"].tolist()),
        initial=model.initial,
        batches_with_positives=share_with_positives(data, batches),
        precision=recipe.training.precision,
        clip_gradient_norm=recipe.training.optimizer.clip_gradient_norm,
    )
    embedder.eval()
    loss.eval()
    return probe


def share_with_positives(data: PreparedData, batches: PlannedBatches) -> float:
    """Share of the batches of the first epoch in which some speaker comes twice, at one speed."""
    plan = batches.plan(0)
    speakers = np.sort(data.classes(plan.indices, plan.speeds), axis=1)
    return float((speakers[:, 1:] == speakers[:, :-1]).any(axis=1).mean())
