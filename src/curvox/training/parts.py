"""A step's batch computed in parts: where a run stands that goes on with another number of them."""

from __future__ import annotations

from typing import Any


def count_parts(loops: dict[str, Any], before: int, now: int) -> None:
    """Turn Lightning's count of batches, in the state of its ``loops``, from one number of parts a step to another.

    A checkpoint is written after whole steps only; the batch it is written in is counted as processed, but not yet as
    completed.
    """
    if before == now:
        return
    progress = loops["fit_loop"]["epoch_loop.batch_progress"]
    for counts in (progress["total"], progress["current"]):
        missing = counts["processed"] - counts["completed"]
        steps = counts["processed"] // before
        counts.update(dict.fromkeys(("ready", "started", "processed"), steps * now))
        counts["completed"] = steps * now - missing
