"""What ends a training from outside: the last checkpoint is whole, and the message says how to go on."""

from __future__ import annotations

import errno
import multiprocessing
import os
import resource
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from failing_disk import KilledError, failing_disk
from lightning.pytorch.trainer import call
from tiny_recipes import change

from curvox.embedder import load
from curvox.errors import CheckpointError, TrainingError, TrainingInterruptedError
from curvox.files import settle_folder
from curvox.training import train
from curvox.training.run.checkpoints import FolderCheckpointIO, read_state, read_training_state
from curvox.training.step.module import SpeakerModule


def at_step(patch: pytest.MonkeyPatch, step: int, act: Callable[[SpeakerModule], object]) -> None:
    """Have ``act`` done once, in a step of a training."""
    original = SpeakerModule.embed_batch

    def embed_batch(module: SpeakerModule, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        if module.global_step == step:
            act(module)
        return original(module, batch)

    patch.setattr(SpeakerModule, "embed_batch", embed_batch)


@pytest.fixture(scope="module")
def recipe(tiny_tree: dict[str, Any]):
    return change(tiny_tree, "training.checkpoint_every_steps=2", "data.crops_per_epoch=64")


@pytest.fixture(scope="module")
def undisturbed(recipe: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The training state at the end of a run that nothing happened to."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    train(recipe, folder)
    return read_state(folder / "last")


@pytest.fixture
def full_disk() -> Iterator[Callable[[SpeakerModule], None]]:
    """Make the kernel refuse to let any file grow beyond 2 kB; Python ignores the signal that comes with it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda module: resource.setrlimit(resource.RLIMIT_FSIZE, (2048, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "metrics.csv"), "metrics.csv'; free some space"),
        (OSError(errno.ESTALE, "Stale file handle"), "make sure that the disk is there and sound"),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "), "lower data.workers or data.batch"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "training.accumulate_batches"),
    ],
)
def test_fault__in_a_step_is_told_with_what_helps(
    error: Exception, said: str, recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(module: SpeakerModule) -> None:
        raise error

    at_step(monkeypatch, 1, fail)
    with pytest.raises(TrainingError, match=rf"stopped in step 1 of .*{said}.* --resume starts it again"):
        train(recipe, tmp_path / "run")


def test_error__of_the_code_is_not_taken_for_a_fault(
    recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(module: SpeakerModule) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    at_step(monkeypatch, 1, fail)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        train(recipe, tmp_path / "run")


def kill_workers(module: SpeakerModule) -> None:
    for worker in multiprocessing.active_children():
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        worker.join()


def send(number: signal.Signals) -> Callable[[SpeakerModule], None]:
    return lambda module: os.kill(os.getpid(), number)


def interrupt_again(patch: pytest.MonkeyPatch) -> None:
    """A second Ctrl-C, while Lightning clears up after the first."""
    original = call._interrupt

    def again(*arguments: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        original(*arguments)

    patch.setattr(call, "_interrupt", again)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_run__that_everything_happens_to_ends_as_one_that_nothing_happened_to(
    recipe: Any,
    undisturbed: dict[str, Any],
    full_disk: Callable[[SpeakerModule], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """8 steps an epoch, a checkpoint every second; after each fault the last one is whole, and a resume goes on."""
    # A shell starts what it puts into the background with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    run = tmp_path / "run"
    with_worker = recipe.model_copy(update={"data": recipe.data.model_copy(update={"workers": 1})})
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)]

    def fail(
        step: int, act: Callable[[SpeakerModule], None], said: str, left: set[int], recipe: Any = recipe
    ) -> BaseException:
        with monkeypatch.context() as patch:
            at_step(patch, step, act)
            if said.startswith("interrupted"):
                interrupt_again(patch)
            with pytest.raises((CheckpointError, TrainingError), match=rf"(?s){said}.*resume") as caught:
                train(recipe, run, resume=run.exists())
        assert read_state(run / "last")["global_step"] in left
        assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)] == handlers
        return caught.value

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    fail(5, full_disk, "free some space", {4})
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    error = fail(5, send(signal.SIGINT), "interrupted in step 5", {4})
    assert isinstance(error, TrainingInterruptedError)
    assert error.signal == signal.SIGINT
    error = fail(4, send(signal.SIGUSR1), "stopped by SIGUSR1 after step 5", {5})
    assert isinstance(error, TrainingInterruptedError)
    assert error.signal == signal.SIGUSR1
    fail(7, send(signal.SIGTERM), "stopped by SIGTERM after step 8", {8})
    assert load(run / "last").dev is not None  # the end of an epoch has its dev EER
    workers = "a process that loads data is gone: .*Killed"
    fail(11, kill_workers, workers, {10, 12}, with_worker)  # two batches are there already

    train(recipe, run, resume=True)
    end = read_state(run / "last")
    assert end["global_step"] == undisturbed["global_step"] == 16
    for part in ("state_dict", "optimizer_states"):
        torch.testing.assert_close(end[part], undisturbed[part], rtol=0, atol=0)


def test_run__that_is_killed_at_random_points_loses_no_more_than_the_steps_since_its_checkpoint(
    recipe: Any, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    """From a drawn operation on the disk on nothing gets there any more, as when the process is killed in it."""
    draw, run = np.random.default_rng(3), tmp_path / "run"
    kept, deaths, ended = 0, 0, False
    while not ended:
        at = int(draw.integers(40, 200))
        try:
            with failing_disk(at, "killed"):
                train(recipe, run, resume=(run / "recipe.yaml").exists(), cache=tmp_path / "cache")
            ended = True
        except KilledError:
            deaths += 1
        settle_folder(run / "last")
        if (run / "last").exists():
            stands_at = read_training_state(run / "last")["global_step"]
            assert stands_at >= kept
            assert stands_at % 2 == 0
            assert load(run / "last")
            kept = stands_at
    assert deaths >= 3
    end = read_state(run / "last")
    assert end["global_step"] == undisturbed["global_step"] == 16
    for part in ("state_dict", "optimizer_states"):
        torch.testing.assert_close(end[part], undisturbed[part], rtol=0, atol=0)


def small_state(step: int) -> dict[str, Any]:
    return {"pytorch-lightning_version": "2", "global_step": step, "state_dict": {"w": torch.full((3,), float(step))},
            "curvox": {"speakers": ["a"]}}  # fmt: skip


def test_checkpoint__is_the_old_or_the_new_one_at_whatever_operation_its_writer_is_killed(
    tiny_run: Path, tmp_path: Path
) -> None:
    """Model and training state, of one step, after an end at each operation on the disk in turn."""
    model, last = load(tiny_run), tmp_path / "last"
    checkpoints = FolderCheckpointIO()
    checkpoints.model = model
    weight = next(model.encoder.parameters())
    at, cut, kept, failed = 0, True, 0, 0

    def save(step: int) -> None:
        torch.nn.init.constant_(weight, float(step))
        checkpoints.save_checkpoint(small_state(step), last)

    save(0)
    while cut:
        step = at + 1
        with failing_disk(at, "killed") as disk:
            try:
                save(step)
                kept = step
            except KilledError:
                failed += 1
        state = checkpoints.load_checkpoint(last)
        assert state["global_step"] in (kept, step)
        kept = state["global_step"]
        assert state["state_dict"]["w"].tolist() == [kept] * 3
        assert float(next(load(last).encoder.parameters()).flatten()[0].detach()) == kept
        assert read_training_state(last)["global_step"] == kept
        at, cut = at + 1, disk.done > at
    assert failed >= 15
