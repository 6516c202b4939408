"""Plan one epoch, as a function of seed and epoch: which crop of which recording comes when, at what speed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from curvox.errors import InputError, require_at_least, require_name

_SPEEDS_PURPOSE = 1
BALANCES = ("utterance", "speaker", "sqrt")


@dataclass(frozen=True, eq=False)
class EpochPlan:
    """The batches of one epoch. All three arrays are (batches, batch_size) and int64.

    ``indices`` are places in the list of recordings, ``starts_samples`` the first sample of each crop (0 in a recording
    shorter than the crop), ``item_seeds`` non-negative seeds for whatever is random about an item, such as its
    augmentation. Every batch is full: the crops of a last partial batch, chosen anew each epoch, are left out and
    counted in ``dropped``. ``speeds`` are numbers of the speeds that crops are played at, see `plan_speeds`; None: all
    at the first.
    """

    indices: np.ndarray
    starts_samples: np.ndarray
    item_seeds: np.ndarray
    dropped: int
    speeds: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.indices)

    def crops(self, batch: int) -> list[tuple[int, int, int, int]]:
        """Return a batch as (place in the list of recordings, first sample, seed, number of the speed) of each crop."""
        speeds = np.zeros_like(self.indices[batch]) if self.speeds is None else self.speeds[batch]
        columns = self.indices[batch], self.starts_samples[batch], self.item_seeds[batch], speeds
        return list(zip(*(column.tolist() for column in columns), strict=True))


def epoch_plan(
    speakers: np.ndarray,
    durations_samples: np.ndarray,
    *,
    crop_samples: int,
    batch_size: int,
    seed: int,
    epoch: int,
    balance: str = "utterance",
    crops_per_epoch: int | None = None,
    max_crops_per_utterance: int = 8,
) -> EpochPlan:
    """Plan one epoch; the same arguments give the same plan, so a resumed run goes on as if it had never stopped.

    A recording holds ``max(1, round(duration / crop))`` crops, at most ``max_crops_per_utterance``; an epoch has as
    many crops as all recordings hold together, or ``crops_per_epoch``. They are shared out among the speakers: in
    proportion to the crops they hold ("utterance": without ``crops_per_epoch`` each recording comes exactly as often as
    it holds crops), equally ("speaker"), or in proportion to the square root ("sqrt"). A speaker's share is a whole
    number next to the exact one, and goes evenly over the speaker's crops. The start of a crop is uniform over its
    recording.

    Args:
        speakers: whole numbers (utterances,), the speaker of each recording.
        durations_samples: whole numbers (utterances,) of at least 1, at the rate of ``crop_samples``.

    Raises:
        InputError: an argument is out of range, or there are fewer crops than one batch needs.
        UnknownNameError: ``balance`` is none of :data:`BALANCES`.
    """
    speakers, durations = check_arrays(speakers, durations_samples)
    require_name(balance, BALANCES, "balance")
    start = start_epoch(durations, crop_samples, batch_size, max_crops_per_utterance, seed, epoch, crops_per_epoch)
    chosen = start.rng.permutation(_choose(speakers, start.held, start.crops, balance, start.rng))
    indices = chosen[: start.batches * batch_size].reshape(start.batches, batch_size)
    return start.plan(indices, start.anywhere(durations[indices] - crop_samples))


def shard(plan: EpochPlan, rank: int, world_size: int) -> EpochPlan:
    """Return the part of each batch that process ``rank`` of ``world_size`` takes: the rank-th of equal blocks.

    The parts are disjoint and equally large; side by side in the order of the ranks they are the whole plan. In a plan
    of :func:`speaker_epoch_plan` each process gets whole speakers when their number in a batch is a multiple of
    ``world_size``.

    Raises:
        InputError: ``rank`` is out of range, or the batch size is no multiple of ``world_size``.
    """
    require_at_least(1, world_size=world_size)
    require_at_least(0, rank=rank)
    batch_size = plan.indices.shape[1]
    if rank >= world_size:
        raise InputError(f"rank must be below world_size, got {rank} of {world_size}")
    if batch_size % world_size:
        raise InputError(f"batch_size must be a multiple of the {world_size} processes, got {batch_size}")
    size = batch_size // world_size
    part = slice(rank * size, (rank + 1) * size)
    arrays = {name: value[:, part] for name, value in vars(plan).items() if isinstance(value, np.ndarray)}
    return replace(plan, **arrays)


class EpochStart(NamedTuple):
    """What every plan begins with: how many crops each recording holds, (utterances,), and how many the epoch has."""

    rng: np.random.Generator
    held: np.ndarray
    crops: int
    batches: int

    def anywhere(self, room: np.ndarray) -> np.ndarray:
        """Draw the first sample of each crop, uniform over 0 to ``room``; 0 where that is negative."""
        return self.rng.integers(0, np.maximum(room, 0), endpoint=True)

    def plan(self, indices: np.ndarray, starts_samples: np.ndarray) -> EpochPlan:
        """Return the plan of these crops, both (batches, batch_size), with a seed for each."""
        seeds = self.rng.integers(0, 2**63, size=indices.shape, dtype=np.int64)
        return EpochPlan(indices, starts_samples, seeds, self.crops - indices.size)


def start_epoch(
    durations: np.ndarray,
    crop_samples: int,
    batch_size: int,
    max_crops_per_utterance: int,
    seed: int,
    epoch: int,
    crops_per_epoch: int | None = None,
) -> EpochStart:
    """Check what all plans take, and count crops and whole batches.

    A recording holds ``round(duration / crop)`` crops, between 1 and ``max_crops_per_utterance``.
    """
    require_at_least(1, crop_samples=crop_samples, batch_size=batch_size)
    require_at_least(1, max_crops_per_utterance=max_crops_per_utterance)
    require_at_least(0, seed=seed, epoch=epoch)
    held = np.clip(np.rint(durations / crop_samples).astype(np.int64), 1, max_crops_per_utterance)
    crops = int(held.sum()) if crops_per_epoch is None else crops_per_epoch
    require_at_least(1, crops_per_epoch=crops)
    if crops < batch_size:
        raise InputError(f"an epoch of {crops} crops fills no batch of {batch_size}; lower batch_size or add crops")
    rng = np.random.default_rng(np.random.SeedSequence([seed, epoch]))
    return EpochStart(rng, held, crops, crops // batch_size)


def _choose(speakers: np.ndarray, held: np.ndarray, total: int, balance: str, rng: np.random.Generator) -> np.ndarray:
    """Return the recordings of ``total`` crops, grouped by speaker: int64 (total,)."""
    crops = np.repeat(np.arange(len(held)), held)
    owners = np.unique(speakers, return_inverse=True)[1][crops]
    counts = np.bincount(owners)
    weights = {"utterance": counts.astype(float), "speaker": np.ones(len(counts)), "sqrt": np.sqrt(counts)}[balance]
    quotas = _share(weights, total, rng)
    # Each speaker's crops in random order, told apart by where they begin in the sorted list.
    order = np.lexsort((rng.random(len(crops)), owners))
    begins = np.cumsum(counts) - counts
    within = np.arange(total) - np.repeat(np.cumsum(quotas) - quotas, quotas)
    places = np.repeat(begins, quotas) + within % np.repeat(counts, quotas)
    return crops[order[places]]


def _share(weights: np.ndarray, total: int, rng: np.random.Generator) -> np.ndarray:
    """Share ``total`` out in proportion to ``weights``, each share rounded at random (systematic sampling)."""
    edges = np.cumsum(weights)
    edges = edges * total / edges[-1]
    marks = np.floor(edges + rng.random()).astype(np.int64)
    # Rounding may carry the last edge past the total; it is the total by construction.
    marks[-1] = total
    return np.diff(np.minimum(marks, total), prepend=0)


def check_arrays(speakers: np.ndarray, durations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both as arrays (utterances,) of whole numbers, or refuse them."""
    speakers, durations = np.asarray(speakers), np.asarray(durations)
    if speakers.ndim != 1 or speakers.shape != durations.shape or not len(speakers):
        raise InputError(
            "speakers and durations_samples must be arrays (utterances,) of one length, not empty; got "
            f"{speakers.shape} and {durations.shape}"
        )
    if speakers.dtype.kind not in "iu" or durations.dtype.kind not in "iu":
        raise InputError(f"speakers and durations_samples are whole numbers, got {speakers.dtype}, {durations.dtype}")
    if durations.min() < 1:
        place = int(durations.argmin())
        raise InputError(f"durations_samples must be at least 1, got {durations[place]} at place {place}")
    return speakers, durations.astype(np.int64)


def plan_speeds(
    plan: EpochPlan,
    durations_samples: np.ndarray,
    *,
    cuts_samples: Sequence[int],
    seed: int,
    epoch: int,
    together: int = 1,
) -> EpochPlan:
    """Draw a speed for each crop of a plan, all equally likely; the same arguments give the same speeds.

    Recordings, batches and item seeds stay those of the plan, and so does the length of the epoch. A crop at another
    speed takes a longer or a shorter cut of its recording; its start moves in proportion to the room that is left.

    Args:
        plan: of crops at the first speed.
        durations_samples: whole numbers (utterances,), as the plan was made with.
        cuts_samples: for each speed, how many samples of a recording a crop takes; that of the plan first.
        seed, epoch: those of the plan.
        together: K crops side by side that get one speed, as those of one speaker in a plan of `speaker_epoch_plan`.

    Raises:
        InputError: there is no speed, or ``together`` does not divide the batch.
    """
    require_at_least(1, together=together, speeds=len(cuts_samples))
    batches, batch_size = plan.indices.shape
    if batch_size % together:
        raise InputError(f"batch_size must be a multiple of the {together} crops of one speed, got {batch_size}")
    rng = np.random.default_rng(np.random.SeedSequence([seed, epoch, _SPEEDS_PURPOSE]))
    drawn = rng.integers(len(cuts_samples), size=(batches, batch_size // together))
    speeds = np.repeat(drawn, together, axis=1)
    durations = np.asarray(durations_samples, dtype=np.int64)[plan.indices]
    cuts = np.asarray(cuts_samples, dtype=np.int64)
    room, planned = (np.maximum(durations - cut, 0) + 1 for cut in (cuts[speeds], cuts[0]))
    return replace(plan, starts_samples=plan.starts_samples * room // planned, speeds=speeds)


def names_at_speeds(speakers: Sequence[str], speeds: Sequence[float]) -> tuple[str, ...]:
    """Return the names of all classes: the speakers themselves, then all of them at the next speed, and so on.

    >>> names_at_speeds(["anna", "bela"], [1.0, 0.9])
    ('anna', 'bela', 'anna@0.9', 'bela@0.9')
    """
    names = tuple(name if speed == 1 else f"{name}@{speed:g}" for speed in speeds for name in speakers)
    if len(set(names)) < len(names):
        taken = next(name for name in speakers if names.count(name) > 1)
        raise InputError(f'the speaker "{taken}" is called like another one at another speed; rename that speaker')
    return names


def speaker_of_class(name: str) -> str:
    """Return the speaker of a class at whatever speed: ``anna`` of ``anna@0.9``; a name without a speed as it is."""
    speaker, _, speed = name.rpartition("@")
    return speaker if speaker and speed.replace(".", "", 1).isdigit() else name
