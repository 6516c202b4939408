"""All cells of a bench, several at once, each in processes of its own."""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from lightning.pytorch.utilities.seed import isolate_rng

from curvox.bench.cells import DONE, Cell
from curvox.bench.record import TEST, RunRecord
from curvox.bench.workers import BenchPlan, CellTakenError, CellWork, Children, claimed
from curvox.corpora import Corpus, TrialList
from curvox.errors import CurvoxError, InputError, RecipeError, TrainingInterruptedError
from curvox.hierarchy import tree_paths
from curvox.training import build_augmentation, build_model, sketch_model

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
        cells: which of its cells, in the order in which they are begun; their outcomes are returned in it.
        places: the environment of each place, see `share_out`.
        told: what has ended, and how long the rest will take.
        known_s: how long cells took in earlier calls.

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
            work = CellWork(plan, cell, children, place, claim)
            work.train()
            # By its name: its number is another one once the file has been changed.
            evaluating = ["bench", str(plan.file), "--data", str(plan.data), "--runs", str(plan.runs)]
            work.run([*evaluating, "--cell", cell.name], "evaluation")
        state = plan.state(cell)
    except TrainingInterruptedError:
        raise
    except CellTakenError as error:
        return Outcome(cell, None, str(error), time.monotonic() - begun, taken=True)
    except (CurvoxError, OSError) as error:
        return Outcome(cell, None, str(error), time.monotonic() - begun)
    reason = "" if state.status == DONE else state.why or state.status
    return Outcome(cell, state.record, reason, time.monotonic() - begun)


_BYTES_A_CELL = 2 * 2**30
_THREADS, _DEVICES = "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES"


def default_jobs(*, gpus: int, cores: int, memory_bytes: int) -> int:
    """Return how many cells run at once: one for each GPU; without any one for each core, as 2 GiB a cell allow.

    Training small encoders on one thread each wastes nothing, on several at least the time they wait for each other.
    """
    return gpus or max(1, min(cores, memory_bytes // _BYTES_A_CELL))


def share_out(cells: Sequence[Cell], jobs: int | None, environment: Mapping[str, str]) -> tuple[dict[str, str], ...]:
    """Return the environment of the processes of each place, of which there are as many as cells run at once.

    Each place gets an equal share of the cores as ``OMP_NUM_THREADS``, unless the environment sets it already, and one
    of the GPUs in turn as ``CUDA_VISIBLE_DEVICES``. Cells that train on several devices run one after the other, and
    see all of them.

    Args:
        cells: what is to be run; one that is trained on the CPU by its recipe counts no GPU.
        jobs: how many at once; None: `default_jobs`.
        environment: of this process.

    Raises:
        InputError: fewer than one, or several at once of cells that want several devices.
    """
    if jobs is not None and jobs < 1:
        raise InputError(f"jobs must be at least 1, got {jobs}")
    training = [cell.recipe.training for cell in cells]
    if any(recipe.devices != 1 or recipe.nodes != 1 for recipe in training):
        if jobs not in (None, 1):
            raise InputError(f"a setting trains on several devices, so cells run one after the other; got jobs {jobs}")
        return (dict(environment),)
    on_cpu = all(recipe.accelerator == "cpu" for recipe in training)
    gpus = () if on_cpu else visible_gpus(environment)
    cores = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    jobs = min(jobs or default_jobs(gpus=len(gpus), cores=cores, memory_bytes=memory), max(1, len(cells)))
    shared = {_THREADS: str(max(1, cores // jobs)), **environment}
    return tuple({**shared, **({_DEVICES: gpus[place % len(gpus)]} if gpus else {})} for place in range(jobs))


def visible_gpus(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the GPUs that this process may use, as ``CUDA_VISIBLE_DEVICES`` names them."""
    import torch

    count = torch.cuda.device_count()
    named = [name.strip() for name in environment.get(_DEVICES, "").split(",") if name.strip()]
    return tuple(named[:count]) if named else tuple(map(str, range(count)))


def check_settings(cells: Sequence[Cell]) -> None:
    """Build encoder, loss and augmentation of every setting, and throw them away.

    Raises:
        RecipeError: some cannot be built; all faults are told, each with the name of its setting.
    """
    first = {cell.setting.name: cell for cell in reversed(cells)}
    faults = [f'setting "{name}": {fault}' for name, cell in reversed(first.items()) if (fault := _fault(cell))]
    if faults:
        count = f"{len(faults)} of {len(first)} settings"
        raise RecipeError(f"{count} cannot be trained, so none was started:\n  " + "\n  ".join(faults))


def check_levels(levels: Sequence[str], corpus: Corpus, lists: Mapping[str, TrialList]) -> None:
    """Refuse levels that are no columns of the corpus.

    Raises:
        InputError: what `curvox.hierarchy.tree_paths` refuses.
    """
    if levels:
        tree_paths(corpus, lists[TEST].utterances, levels)


def _fault(cell: Cell) -> str:
    recipe = cell.recipe
    try:
        build_augmentation(recipe.augmentation, recipe.data.sampling_rate_hz)
        with isolate_rng(include_cuda=False):
            sketch_model(recipe, build_model)
    except CurvoxError as error:
        return str(error)
    return ""
