"""All cells of a bench, several at once, each in processes of its own."""

from __future__ import annotations

import queue
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from curvox.bench.cells import Cell
from curvox.bench.children import Children
from curvox.bench.record import RunRecord
from curvox.bench.states import DONE
from curvox.bench.workers import BenchPlan, CellTakenError, claimed, run_child, train_cell
from curvox.errors import CurvoxError, TrainingInterruptedError

_LOOK_EVERY_S = 0.5


@dataclass(frozen=True, eq=False)
class Outcome:
    """How a cell ended: its record, or the reason why there is none; the seconds it took.

    ``taken`` says that another process is at work on it, which is no failure.
    """

    cell: Cell
    record: RunRecord | None
    reason: str
    seconds: float
    taken: bool = False


@dataclass
class Pace:
    """How long a bench will still take.

    Attributes:
        places: cells that run at once.
        waiting: cells that have not ended, whether begun or not.
        known_s: how long cells took that have ended, here or in earlier calls.
        begun: when each cell that is running was begun, by its name.
    """

    places: int
    waiting: int
    known_s: list[float] = field(default_factory=list)
    begun: dict[str, float] = field(default_factory=dict)

    def seconds_left(self, now: float) -> float | None:
        """Return the estimate: each cell takes the mean of those known; None as long as none is known."""
        if not self.known_s:
            return None
        mean = sum(self.known_s) / len(self.known_s)
        begun = [min(now - start, mean) for start in list(self.begun.values())]
        return max(0.0, self.waiting * mean - sum(begun)) / max(1, min(self.places, self.waiting))


Told = Callable[[Outcome | None, Pace], None]
"""Told of every cell that has ended, and with None in between, twice a second."""


def run_cells(
    plan: BenchPlan,
    cells: Sequence[Cell],
    places: Sequence[Mapping[str, str]],
    *,
    told: Told,
    known_s: Sequence[float] = (),
) -> tuple[Outcome, ...]:
    """Train and evaluate cells, as many at once as there are places; one that fails does not stop the others.

    Must be called from the main thread: a signal (Ctrl-C, SIGTERM, SIGUSR1) is handed on to the processes, which leave
    a checkpoint each.

    Args:
        plan: the bench.
        cells: which of its cells, in the order in which they are begun.
        places: the environment of each place, see `share_out`.
        told: what has ended, and how long the rest will take.
        known_s: how long cells took in earlier calls.

    Returns:
        How each cell ended, in the order of ``cells``.

    Raises:
        TrainingInterruptedError: a signal came; nothing that was done is lost.
    """
    children, free = Children(), queue.SimpleQueue()
    for place in places:
        free.put(place)
    pace = Pace(len(places), len(cells), list(known_s))
    ended: dict[str, Outcome] = {}

    def work(cell: Cell) -> Outcome:
        place = free.get()
        pace.begun[cell.name] = time.monotonic()
        try:
            return _run(plan, cell, children, place, pace.begun[cell.name])
        finally:
            pace.begun.pop(cell.name)
            free.put(place)

    with children.listening(), ThreadPoolExecutor(max_workers=len(places)) as pool:
        open_ones: set[Future[Outcome]] = {pool.submit(work, cell) for cell in cells}
        try:
            while open_ones:
                closed, open_ones = wait(open_ones, timeout=_LOOK_EVERY_S, return_when=FIRST_COMPLETED)
                for outcome in (future.result() for future in closed):
                    ended[outcome.cell.name] = outcome
                    pace.waiting -= 1
                    if outcome.record is not None:
                        pace.known_s.append(outcome.seconds)
                    told(outcome, pace)
                told(None, pace)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return tuple(ended[cell.name] for cell in cells)


def _run(plan: BenchPlan, cell: Cell, children: Children, place: Mapping[str, str], begun: float) -> Outcome:
    try:
        with claimed(plan, cell) as claim:
            train_cell(plan, cell, children, place, claim)
            evaluating = [sys.executable, "-m", "curvox", "bench", str(plan.file), "--data", str(plan.data)]
            # By its name: its number is another one once the file has been changed.
            evaluating += ["--runs", str(plan.runs), "--cell", cell.name]
            run_child(plan, cell, children, place, claim, evaluating, "evaluation")
        state = plan.state(cell)
    except TrainingInterruptedError:
        raise
    except CellTakenError as error:
        return Outcome(cell, None, str(error), time.monotonic() - begun, taken=True)
    except (CurvoxError, OSError) as error:
        return Outcome(cell, None, str(error), time.monotonic() - begun)
    reason = "" if state.status == DONE else state.why or state.status
    return Outcome(cell, state.record, reason, time.monotonic() - begun)
