"""What ends a training from outside: the last checkpoint is whole, and the message says how to go on."""

from __future__ import annotations

import errno
import os
import resource
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from failing_disk import FAULTS, Fault, KilledError, failing_disk
from tiny_recipes import change

from curvox.embedder import load_embedder, settle_folder
from curvox.errors import CheckpointError, TrainingError, TrainingInterruptedError
from curvox.training import train
from curvox.training.checkpoints import FolderCheckpointIO, read_training_state
from curvox.training.module import SpeakerModule
from curvox.training.state_tree import read_state

STEP = 5
"""In which things happen; the last checkpoint before it is that of step 4."""


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
def whole(recipe: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The training state at the end of a run that nothing happened to."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    train(recipe, folder)
    return read_state(folder / "last")


def assert_goes_on_to(whole: dict[str, Any], recipe: Any, run: Path, *, from_step: set[int]) -> None:
    settle_folder(run / "last")
    assert read_state(run / "last")["global_step"] in from_step
    train(recipe, run, resume=True)
    end = read_state(run / "last")
    assert end["global_step"] == whole["global_step"]
    torch.testing.assert_close(end["state_dict"], whole["state_dict"], rtol=0, atol=0)
    torch.testing.assert_close(end["optimizer_states"], whole["optimizer_states"], rtol=0, atol=0)


@pytest.fixture
def full_disk() -> Iterator[Callable[[SpeakerModule], None]]:
    """Make the kernel refuse to let any file grow beyond 2 kB; Python ignores the signal that comes with it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda module: resource.setrlimit(resource.RLIMIT_FSIZE, (2048, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_full_disk__ends_the_run_with_the_last_checkpoint_whole(
    recipe: Any,
    whole: dict[str, Any],
    full_disk: Callable[[SpeakerModule], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    with monkeypatch.context() as patch:
        at_step(patch, STEP, full_disk)
        with pytest.raises((CheckpointError, TrainingError)) as caught:
            train(recipe, tmp_path / "run")
    resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert "free some space" in str(caught.value)
    assert "resume" in str(caught.value)
    assert_goes_on_to(whole, recipe, tmp_path / "run", from_step={4})


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "metrics.csv"), r"metrics.csv'; free some space\. .*--resume"),
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
    with pytest.raises(TrainingError, match=rf"stopped in step 1 of .*{said}.*starts it again|{said}"):
        train(recipe, tmp_path / "run")


def test_error__of_the_code_is_not_taken_for_a_fault(
    recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(module: SpeakerModule) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    at_step(monkeypatch, 1, fail)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        train(recipe, tmp_path / "run")


def test_worker__that_the_kernel_kills_ends_the_run(
    recipe: Any, whole: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill_workers(module: SpeakerModule) -> None:
        import multiprocessing

        for worker in multiprocessing.active_children():
            assert worker.pid is not None
            os.kill(worker.pid, signal.SIGKILL)
            worker.join()

    with_worker = recipe.model_copy(update={"data": recipe.data.model_copy(update={"workers": 1})})
    with monkeypatch.context() as patch:
        at_step(patch, STEP, kill_workers)
        with pytest.raises(TrainingError, match=r"a process that loads data is gone: .*Killed.*continue with --resume"):
            train(with_worker, tmp_path / "run")
    assert_goes_on_to(whole, recipe, tmp_path / "run", from_step={4, 6})  # two batches are there already


def test_signal__is_answered_by_a_checkpoint_of_the_step_it_came_in(
    recipe: Any, whole: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = signal.SIGUSR1
    before = signal.getsignal(number)
    with monkeypatch.context() as patch:
        at_step(patch, 4, lambda module: os.kill(os.getpid(), number))
        with pytest.raises(TrainingInterruptedError, match=rf"stopped by {number.name} after step 5 .*--resume") as caught:
            train(recipe, tmp_path / "run")
    assert caught.value.signal == number
    assert signal.getsignal(number) == before
    assert_goes_on_to(whole, recipe, tmp_path / "run", from_step={5})


def test_signal__in_the_last_step_of_an_epoch_waits_for_its_dev_eer(
    recipe: Any, whole: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        at_step(patch, 7, lambda module: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(TrainingInterruptedError, match="after step 8"):
            train(recipe, tmp_path / "run")
    assert load_embedder(tmp_path / "run" / "last").dev is not None
    assert_goes_on_to(whole, recipe, tmp_path / "run", from_step={8})


def test_interrupt__twice_leaves_the_checkpoint_whole(
    recipe: Any, whole: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second while Lightning clears up after the first."""
    from lightning.pytorch.trainer import call

    original = call._interrupt

    def again(*arguments: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(call, "_interrupt", again)
        at_step(patch, STEP, lambda module: os.kill(os.getpid(), signal.SIGINT))
        with pytest.raises(TrainingInterruptedError, match="continue with --resume") as caught:
            train(recipe, tmp_path / "run")
    assert caught.value.signal == signal.SIGINT
    assert_goes_on_to(whole, recipe, tmp_path / "run", from_step={4})


def small_state(step: int) -> dict[str, Any]:
    return {"pytorch-lightning_version": "2", "global_step": step, "state_dict": {"w": torch.full((3,), float(step))},
            "curvox": {"speakers": ["a"]}}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_checkpoint__is_the_old_or_the_new_one_at_whatever_operation_its_writing_fails(
    fault: Fault, tiny_run: Path, tmp_path: Path
) -> None:
    """Model and training state, of one step, after a fault in each operation on the disk in turn."""
    model, last = load_embedder(tiny_run), tmp_path / "last"
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
        try:
            with failing_disk(at, fault) as disk:
                save(step)
            kept = step
        except (CheckpointError, KeyboardInterrupt, KilledError):
            failed += 1
        state = checkpoints.load_checkpoint(last)
        assert state["global_step"] in (kept, step)
        kept = state["global_step"]
        assert state["state_dict"]["w"].tolist() == [kept] * 3
        assert float(next(load_embedder(last).encoder.parameters()).flatten()[0].detach()) == kept
        assert read_training_state(last)["global_step"] == kept
        at, cut = at + 1, disk.done > at
    assert failed >= 15
