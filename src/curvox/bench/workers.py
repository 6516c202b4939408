"""One cell from its recipe to its record: trained by a process of ``curvox train``, then evaluated."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import FrameType

from curvox.bench.cells import HALF, NOT_TRAINED, Cell, CellState, refuse_others, state_of, trials_digest
from curvox.bench.record import COSINE, RunRecord
from curvox.bench.spec import Bench
from curvox.corpora import Corpus, TrialList
from curvox.errors import InputError, TrainingError, TrainingInterruptedError
from curvox.files import locked, replace_text
from curvox.metrics import equal_error_rate
from curvox.training import dump_recipe

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


class Children:
    """The processes of a bench. Once it is asked to stop, no further one is started.

    ``stopped_by`` is the number of the signal that asked for it, 0 for none; ``running`` are those that have not ended.
    """

    def __init__(self) -> None:
        self.stopped_by = 0
        self.running: set[subprocess.Popen[bytes]] = set()
        self._starting = False
        self._lock = threading.RLock()  # a signal may come while this thread holds it

    def run(
        self, command: Sequence[str], log: Path, environment: Mapping[str, str], *, holds: Sequence[int] = ()
    ) -> int:
        """Run a process to its end, its output behind what ``log`` holds; return its code, negative for a signal.

        It inherits the open files of ``holds``, and so a lock on them, which then outlives this process.

        Raises:
            TrainingInterruptedError: it is not started, or has been ended, because all are to stop.
        """
        with log.open("ab") as output:
            with self._lock:
                self.refuse_when_stopped()
                self._starting = True
                # In a session of its own, so that Ctrl-C in the terminal reaches it through here alone.
                try:
                    process = subprocess.Popen(
                        command,
                        stdin=subprocess.DEVNULL,
                        stdout=output,
                        stderr=subprocess.STDOUT,
                        env=dict(environment),
                        start_new_session=True,
                        pass_fds=tuple(holds),
                    )
                    self.running.add(process)
                finally:
                    self._starting = False
                if self.stopped_by:  # it came meanwhile, when there was nothing yet to hand it on to
                    process.send_signal(_gently(self.stopped_by))
            try:
                code = process.wait()
            finally:
                with self._lock:
                    self.running.discard(process)
        if code:
            self.refuse_when_stopped()
        return code

    def refuse_when_stopped(self) -> None:
        """Raise `TrainingInterruptedError` once a signal has come."""
        if self.stopped_by:
            name = signal.Signals(self.stopped_by).name
            raise TrainingInterruptedError(f"stopped by {name}: the same command goes on from here", self.stopped_by)

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Hand signals on to the processes, which write a checkpoint and end; a second Ctrl-C ends them at once.

        Where none is running the signal ends what this process does itself, by `TrainingInterruptedError`.
        """
        before = {number: signal.signal(number, self._heard) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _heard(self, number: int, frame: FrameType | None) -> None:
        at_once = number == signal.SIGINT == self.stopped_by
        self.stopped_by = self.stopped_by or number
        with self._lock:
            running = [process for process in self.running if process.poll() is None]
            for process in running:
                process.send_signal(signal.SIGKILL if at_once else _gently(number))
        if not running and not self._starting:
            self.refuse_when_stopped()


def _gently(number: int) -> int:
    """Return what to send: of SIGINT a training keeps the last epoch's checkpoint, of the others it writes one."""
    return signal.SIGTERM if number == signal.SIGINT else number


_TOLD_LINES = 4
CLAIM = "CURVOX_BENCH_CLAIM"
"""The environment's word for the descriptor of a claim that a process has inherited, see `claimed`."""


class CellTakenError(InputError):
    """Another process is at work on a cell."""


@dataclass(frozen=True, eq=False)
class BenchPlan:
    """A bench on a corpus.

    Attributes:
        bench: what is trained and measured.
        file: the bench file, for processes that read it again.
        runs: the folder that holds that of the bench.
        corpus: where recordings and labels are.
        data: what the user calls the corpus: a folder or a manifest.
        lists: the trial lists, read and checked.
    """

    bench: Bench
    file: Path
    runs: Path
    corpus: Corpus
    data: Path
    lists: Mapping[str, TrialList]

    @property
    def folder(self) -> Path:
        """Where the runs of the bench lie, with a log beside each."""
        return self.runs / self.bench.name

    def state(self, cell: Cell) -> CellState:
        """Return how far a cell is."""
        return state_of(cell, self.bench, self.runs, self._trials)

    @cached_property
    def _trials(self) -> str:
        return trials_digest(self.bench.levels, self.corpus, self.lists)

    def eer(self, record: RunRecord, name: str, scorer: str = COSINE) -> float:
        """Return the EER of a run on a trial list, as a fraction."""
        labels = self.lists[name].labels
        assert labels is not None  # `read_trial_lists` refuses lists without
        return equal_error_rate(record.scores(name, scorer), labels).value

    def log(self, cell: Cell) -> Path:
        """Return the log of the processes of a cell."""
        return self.folder / f"{cell.name}.log"


@dataclass(frozen=True, eq=False)
class CellWork:
    """The processes of a cell, which hold the ``claim`` on it too, see `claimed`.

    So should this process be killed, they go on, and no other is started beside them.
    """

    plan: BenchPlan
    cell: Cell
    children: Children
    environment: Mapping[str, str]
    claim: tuple[int, ...]

    def train(self) -> CellState:
        """Train the cell to its end, from where it stands; return how far it is then.

        Raises:
            InputError: the folder of the run is that of another recipe.
            TrainingError, TrainingInterruptedError: see `run`.
        """
        plan, state = self.plan, self.plan.state(self.cell)
        refuse_others([state])
        if state.status not in (NOT_TRAINED, HALF):
            return state
        file = plan.folder / f"{self.cell.name}.yaml"
        replace_text(file, dump_recipe(self.cell.recipe))
        resume = ["--resume"] if state.status == HALF else []
        self.run(["train", str(file), "--data", str(plan.data), "--runs", str(plan.folder), *resume], "training")
        return plan.state(self.cell)

    def run(self, command: Sequence[str], what: str) -> None:
        """Run a command of curvox in a process of its own.

        Raises:
            TrainingError: it ended with a fault; the last lines of what it said are told.
            TrainingInterruptedError: a signal came.
        """
        log = self.plan.log(self.cell)
        before = log.stat().st_size if log.is_file() else 0
        environment = {**self.environment, CLAIM: str(self.claim[0])}
        code = self.children.run([sys.executable, "-m", "curvox", *command], log, environment, holds=self.claim)
        if code:
            hint = "; it was killed, most often for want of memory" if code == -signal.SIGKILL else ""
            said = last_words(log, before)
            raise TrainingError(f"the {what} of {self.cell.name} ended with code {code}{hint}: {said}")


def run_cell(
    plan: BenchPlan,
    cell: Cell,
    children: Children,
    environment: Mapping[str, str],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> RunRecord:
    """Train a cell in a process of its own and evaluate it in this one; what is done already is not done again.

    Raises:
        CellTakenError: another process is at work on it.
        InputError, TrainingError, TrainingInterruptedError: see `CellWork.train`.
        AudioError: recordings of the trials cannot be read.
    """
    from curvox.bench.evaluating import evaluate_run

    with claimed(plan, cell) as claim:
        state = CellWork(plan, cell, children, environment, claim).train()
        if state.record is not None:
            return state.record
        return evaluate_run(cell, plan.bench, state.folder, plan.corpus, plan.lists, progress=progress)


@contextlib.contextmanager
def claimed(plan: BenchPlan, cell: Cell) -> Iterator[tuple[int, ...]]:
    """Keep other processes of a bench away from a cell, meanwhile and as long as a process holds what is yielded, the
    descriptor of a locked file. A process that was started under a claim on this cell works under that claim.

    Raises:
        CellTakenError: one is at work on it.
    """
    path = plan.folder / f".{cell.name}.lock"
    inherited = os.environ.get(CLAIM, "")
    if inherited.isdecimal() and _is_of(int(inherited), path):
        yield (int(inherited),)
        return
    with contextlib.ExitStack() as stack:
        try:
            lock = stack.enter_context(locked(path, wait=False))
        except BlockingIOError as error:
            raise CellTakenError(
                f"another process is at work on {cell.name} in {plan.folder}; let it finish"
            ) from error
        yield (lock.descriptor,)


def _is_of(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


def last_words(log: Path, begin: int = 0) -> str:
    """Return the last lines of a log behind its first ``begin`` bytes, from the last error on where there is one."""
    said = log.read_bytes()[begin:].decode("utf-8", errors="replace")
    lines = [line for line in said.splitlines() if line.strip()][-30:]
    errors = [row for row, line in enumerate(lines) if line.startswith("error:")]
    told = lines[errors[-1] :] if errors else lines[-_TOLD_LINES:]
    return "\n    ".join(told) or "its log is empty"
