"""Processes that were started here: their output in a file, and all of them ended together, gently first."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

from curvox.errors import TrainingInterruptedError

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
