"""Plan epochs of structured batches: P speakers with K recordings each, or recordings of few shards at a time."""

from __future__ import annotations

import numpy as np

from curvox.corpora.epochs.plan import EpochPlan, check_arrays, start_epoch
from curvox.errors import InputError, require_at_least


def speaker_epoch_plan(
    speakers: np.ndarray,
    durations_samples: np.ndarray,
    sessions: np.ndarray | None = None,
    *,
    crop_samples: int,
    batch_size: int,
    recordings_per_speaker: int,
    seed: int,
    epoch: int,
    crops_per_epoch: int | None = None,
    max_crops_per_utterance: int = 8,
) -> EpochPlan:
    """Plan one epoch of batches of P speakers x K recordings; the same arguments give the same plan.

    K is ``recordings_per_speaker`` and P = ``batch_size`` / K. The K crops of a speaker stand side by side, and no
    speaker comes twice in a batch. Speakers come in rounds: each once, in random order, before any comes again. An
    epoch is as long as that of :func:`epoch_plan` with the same arguments.

    The K crops are of different recordings, and these of as many sessions as there are, up to K; the sessions of a
    speaker share the K places as evenly as their sizes allow. Where a session has more recordings than places, they
    take turns. A speaker with n < K recordings gives each of them K // n times or once more; the crops of one recording
    in a batch begin at different samples, as far apart as it allows. A recording that is no longer than the crop has
    only one crop, and repeats it.

    Args:
        speakers: whole numbers (utterances,), the speaker of each recording.
        durations_samples: whole numbers (utterances,) of at least 1, at the rate of ``crop_samples``.
        sessions: whole numbers (utterances,), compared within one speaker only; None is one session a speaker.

    Raises:
        InputError: an argument is out of range, ``batch_size`` is no multiple of ``recordings_per_speaker``, there are
            fewer than P speakers, or fewer crops than one batch needs.
    """
    speakers, durations = check_arrays(speakers, durations_samples)
    sessions = _check_sessions(sessions, speakers)
    require_at_least(1, batch_size=batch_size, recordings_per_speaker=recordings_per_speaker)
    names, owners = np.unique(speakers, return_inverse=True)
    per_batch = _speakers_per_batch(batch_size, recordings_per_speaker, len(names))
    start = start_epoch(durations, crop_samples, batch_size, max_crops_per_utterance, seed, epoch, crops_per_epoch)
    turns = _turns(len(names), per_batch, start.batches * per_batch, start.rng)
    indices = _recordings(turns, owners, sessions, recordings_per_speaker, start.rng)
    starts = _starts(indices, np.maximum(durations - crop_samples, 0) + 1, start.rng)
    shape = start.batches, batch_size
    return start.plan(indices.reshape(shape), starts.reshape(shape))


def _turns(speakers: int, per_batch: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return whose turn it is, in rounds of all speakers, no speaker twice in a batch: int64 (count,)."""
    rounds, done = [], 0
    waiting = np.empty(0, dtype=np.int64)  # who stands in the batch that the round before has left open
    while done < count:
        order = rng.permutation(speakers)
        room = per_batch - len(waiting) if len(waiting) else 0
        fills = np.zeros(speakers, dtype=bool)
        fills[np.flatnonzero(~np.isin(order, waiting))[:room]] = True
        rounds.append(np.concatenate([order[fills], order[~fills]]))
        done += speakers
        waiting = rounds[-1][speakers - done % per_batch :]
    return np.concatenate(rounds)[:count]


def _recordings(
    turns: np.ndarray, owners: np.ndarray, sessions: np.ndarray, per_turn: int, rng: np.random.Generator
) -> np.ndarray:
    """Return the recordings of each turn: int64 (turns, per_turn)."""
    found = np.empty((len(turns), per_turn), dtype=np.int64)
    speakers = int(owners.max()) + 1
    for places, recordings in zip(_by_value(turns, speakers), _by_value(owners, speakers), strict=True):
        if len(places):
            found[places] = _of_one_speaker(recordings, sessions[recordings], len(places), per_turn, rng)
    return rng.permuted(found, axis=1)


def _by_value(values: np.ndarray, count: int) -> list[np.ndarray]:
    """Return the places of each value 0..count - 1."""
    return np.split(np.argsort(values, kind="stable"), np.cumsum(np.bincount(values, minlength=count))[:-1])


def _of_one_speaker(
    recordings: np.ndarray, sessions: np.ndarray, turns: int, per_turn: int, rng: np.random.Generator
) -> np.ndarray:
    """Return the recordings of each turn of one speaker, (turns, per_turn): every session is a queue in random order
    that goes round; a turn takes what its share says from the head of each."""
    labels = np.unique(sessions, return_inverse=True)[1]
    sizes = np.bincount(labels)
    queues = recordings[np.lexsort((rng.random(len(labels)), labels))]
    shares = _session_shares(sizes, turns, per_turn, rng)
    heads = (np.cumsum(shares, axis=0) - shares).ravel()
    counts = shares.ravel()
    session = np.repeat(np.tile(np.arange(len(sizes)), turns), counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    places = (np.repeat(heads, counts) + within) % sizes[session]
    return queues[(np.cumsum(sizes) - sizes)[session] + places].reshape(turns, per_turn)


def _session_shares(sizes: np.ndarray, turns: int, per_turn: int, rng: np.random.Generator) -> np.ndarray:
    """Return how many recordings each session gives in each turn, (turns, sessions); each row sums to ``per_turn``.

    All recordings come ``per_turn // n`` times; the rest goes to the sessions one recording at a time, until a session
    is empty. Who gets the last ones, too few for all, is drawn for each turn.
    """
    whole, rest = divmod(per_turn, int(sizes.sum()))
    level = 0
    while np.minimum(sizes, level + 1).sum() <= rest:
        level += 1
    shares = np.tile(whole * sizes + np.minimum(sizes, level), (turns, 1))
    left = rest - int(np.minimum(sizes, level).sum())
    if left:
        order = np.where(sizes > level, rng.random(shares.shape), np.inf).argsort(axis=1)
        rows = np.arange(turns)[:, None]
        shares[rows, order[:, :left]] += 1
    return shares


def _starts(indices: np.ndarray, choices: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return where each crop begins, uniform over the ``choices`` of its recording; crops of one recording in one turn
    lie at equal steps around it."""
    same = indices[:, :, None] == indices[:, None, :]
    before = np.tril(same, -1).sum(axis=2)
    choices = choices[indices]
    first = np.take_along_axis(rng.integers(0, choices), same.argmax(axis=2), axis=1)
    return (first + before * choices // same.sum(axis=2)) % choices


def _speakers_per_batch(batch_size: int, recordings_per_speaker: int, speakers: int) -> int:
    if batch_size % recordings_per_speaker:
        raise InputError(
            f"batch_size must be a multiple of recordings_per_speaker = {recordings_per_speaker}, got {batch_size}"
        )
    per_batch = batch_size // recordings_per_speaker
    if speakers < per_batch:
        raise InputError(
            f"a batch of {batch_size} crops, {recordings_per_speaker} a speaker, needs {per_batch} speakers, there are "
            f"{speakers}; lower batch_size or raise recordings_per_speaker"
        )
    return per_batch


def _check_sessions(sessions: np.ndarray | None, speakers: np.ndarray) -> np.ndarray:
    if sessions is None:
        return np.zeros_like(speakers)
    sessions = np.asarray(sessions)
    if sessions.shape != speakers.shape or sessions.dtype.kind not in "iu":
        raise InputError(
            f"sessions must be whole numbers of shape {speakers.shape}, as speakers, got {sessions.dtype} "
            f"{sessions.shape}"
        )
    return sessions


def shard_epoch_plan(
    shards: np.ndarray,
    durations_samples: np.ndarray,
    *,
    crop_samples: int,
    batch_size: int,
    lanes: int,
    window: int,
    seed: int,
    epoch: int,
    max_crops_per_utterance: int = 1,
) -> EpochPlan:
    """Plan one epoch over shards; the same arguments give the same plan, so a resumed run goes on where it stopped.

    The shards come in random order, and that sequence is cut into ``lanes`` of equally many crops. In a lane the crops
    of the k-th shard are spread at random over the time from k to k + ``window``, so at any moment the crops that come
    are of at most ``window`` shards, and one shard leaves where another comes. Every batch has ``batch_size / lanes``
    crops of each lane, lane after lane. So a process that takes equal blocks of the batches (:func:`shard`) needs the
    shards of its own lanes alone when the number of processes divides that of the lanes, and the batches are the same
    on any such number. Where a lane ends within a shard, the next begins with the rest of it.

    A recording holds ``max(1, round(duration / crop))`` crops, at most ``max_crops_per_utterance``, and each comes once
    an epoch, but for less than a batch in all, chosen anew each epoch, which is counted in ``dropped``.

    Args:
        shards: whole numbers (utterances,), the shard of each recording.
        durations_samples: whole numbers (utterances,) of at least 1, at the rate of ``crop_samples``.

    Raises:
        InputError: an argument is out of range, ``lanes`` does not divide ``batch_size``, or there are fewer crops than
            one batch needs.
    """
    shards, durations = check_arrays(shards, durations_samples)
    require_at_least(1, batch_size=batch_size, lanes=lanes, window=window)
    if batch_size % lanes:
        raise InputError(f"batch_size must be a multiple of the {lanes} lanes, got {batch_size}")
    start = start_epoch(durations, crop_samples, batch_size, max_crops_per_utterance, seed, epoch)
    rng, batches, per_lane = start.rng, start.batches, batch_size // lanes
    numbers = np.unique(shards, return_inverse=True)[1]
    # At which place in the random order the shard of each crop comes.
    crops = np.repeat(np.arange(len(shards)), start.held)
    place = rng.permutation(int(numbers.max()) + 1)[numbers][crops]
    # Within a shard in random order, so that a lane's end cuts it at random.
    order = np.lexsort((rng.random(len(crops)), place))[: batches * batch_size]
    lane = np.repeat(np.arange(lanes), batches * per_lane)
    time = place[order] + window * rng.random(len(order))
    chosen = crops[order[np.lexsort((time, lane))]]
    indices = chosen.reshape(lanes, batches, per_lane).swapaxes(0, 1).reshape(batches, batch_size)
    return start.plan(indices, start.anywhere(durations[indices] - crop_samples))


def default_lanes(batch_size: int, most: int = 8) -> int:
    """Return the largest divisor of ``batch_size`` that is at most ``most``."""
    return next(lanes for lanes in range(min(most, batch_size), 0, -1) if batch_size % lanes == 0)


def shards_by_first_use(plan: EpochPlan, shards: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the shards that a plan needs, in the order of their first use, and the batch of that use.

    Args:
        plan: of an epoch, or the part of one process.
        shards: whole numbers (utterances,), the shard of each recording.
    """
    needed, first = np.unique(shards[plan.indices].ravel(), return_index=True)
    order = np.argsort(first, kind="stable")
    return needed[order], first[order] // plan.indices.shape[1]
