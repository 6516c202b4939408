"""Remote shards fetched before the batches come to them."""

from __future__ import annotations

import threading

import numpy as np

from curvox.audio import ShardStore
from curvox.corpora import EpochPlan, shards_by_first_use
from curvox.errors import CurvoxError


class ShardPrefetch:
    """Keeps the next ``ahead`` shards of a plan coming into the cache, in a thread of the main process.

    A download that fails here is left to whoever needs the shard, who tries again and says why.

    Args:
        store: of remote shards.
        shards: whole numbers (recordings,), the shard of each recording of the plan.
    """

    def __init__(self, store: ShardStore, shards: np.ndarray, *, ahead: int) -> None:
        self.store, self.shards, self.ahead = store, shards, ahead
        self._changed = threading.Condition()
        self._batch, self._turn = 0, 0

    def start(self, plan: EpochPlan, first_batch: int) -> None:
        """Begin with what ``plan`` needs from ``first_batch`` on; what was begun before ends."""
        rest = EpochPlan(
            plan.indices[first_batch:], plan.starts_samples[first_batch:], plan.item_seeds[first_batch:], plan.dropped
        )
        with self._changed:
            self._turn += 1
            self._batch = first_batch
            self._changed.notify_all()
            turn = self._turn
        if not len(rest):
            return
        needed, first_use = shards_by_first_use(rest, self.shards)
        work = (turn, needed.tolist(), (first_use + first_batch).tolist())
        threading.Thread(target=self._fetch_all, args=work, name="prefetch", daemon=True).start()

    def reach(self, batch: int) -> None:
        """Say that ``batch`` is being handed out."""
        with self._changed:
            self._batch = batch
            self._changed.notify_all()

    def _fetch_all(self, turn: int, needed: list[int], first_use: list[int]) -> None:
        for place, number in enumerate(needed):
            # This shard may come once that which lies ``ahead`` places before it is in use.
            due = first_use[max(0, place - self.ahead)]
            with self._changed:
                self._changed.wait_for(lambda due=due: self._turn != turn or self._batch >= due)
                if self._turn != turn:
                    return
            try:
                self.store.fetch(number)
            except (CurvoxError, OSError):
                return
