"""Classes spread over real processes, against one process that has all of them."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sharded_losses
import torch
import torch.distributed as dist
from sharded_losses import CLASSES, DIM, LOSSES, SCANS, build, classes_of, outcome, set_memory
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

from curvox.errors import InputError
from curvox.losses import create_loss
from curvox.losses.centres.sharding import full_state, load_full_state, shard_centres, sharded_parameters

PROCESSES = 2
Found = list[dict[str, Any]]


def other_weights(name: str) -> dict[str, Tensor]:
    """A state that the processes have not seen."""
    return {key: value + 0.05 for key, value in build(name).state_dict().items()}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What each of the processes found, of all losses."""
    folder = tmp_path_factory.mktemp("sharded")
    torch.save({name: other_weights(name) for name in LOSSES}, folder / "other.pt")
    command = [sys.executable, "-W", "error", sharded_losses.__file__]
    running = [
        subprocess.Popen([*command, str(rank), str(PROCESSES), folder], stderr=subprocess.PIPE, text=True)
        for rank in range(PROCESSES)
    ]
    said = [process.communicate(timeout=120)[1] for process in running]
    assert [process.returncode for process in running] == [0] * PROCESSES, "\n".join(said)
    return [torch.load(folder / f"found{rank}.pt") for rank in range(PROCESSES)]


@pytest.mark.parametrize("scan", SCANS)
@pytest.mark.parametrize("name", LOSSES)
def test_sharded_loss__equals_that_of_one_process(name: str, scan: str, found: Found) -> None:
    expected = outcome(set_memory(build(name), SCANS[scan]))
    assert {"value", "per_item", "embeddings"} < expected.keys()
    for process in found:
        torch.testing.assert_close(process[f"{name}, {scan}"], expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", LOSSES)
def test_classes__are_cut_between_the_processes(name: str, found: Found) -> None:
    rows = [process[f"{name}, rows"] for process in found]
    classes = classes_of(name)
    assert [set(part) for part in rows] == [{(classes + 1) // 2}, {classes // 2}]


@pytest.mark.parametrize("name", LOSSES)
def test_state__travels_from_any_number_of_processes_to_any_other(name: str, found: Found) -> None:
    expected = build(name)
    for process in found:
        one = build(name)
        one.load_state_dict({key: torch.zeros_like(value) for key, value in one.state_dict().items()})
        load_full_state(one, process[f"{name}, state"])
        torch.testing.assert_close(one.state_dict(), expected.state_dict(), rtol=0, atol=0)
    expected.load_state_dict(other_weights(name))
    for process in found:
        torch.testing.assert_close(process[f"{name}, loaded"], outcome(expected), rtol=1e-10, atol=1e-10)


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[DeviceMesh]:
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/meeting", rank=0, world_size=1)
    try:
        yield init_device_mesh("cpu", (1,))
    finally:
        dist.destroy_process_group()


def test_sharding__on_one_process_changes_nothing(mesh: DeviceMesh) -> None:
    loss, whole = build("combined"), build("combined")
    shard_centres(loss, mesh)
    shard_centres(loss, mesh)
    assert sharded_parameters(loss) == ["losses.0.centres", "losses.0.bias", "losses.1.centres"]
    torch.testing.assert_close(full_state(loss), dict(whole.state_dict()))
    torch.testing.assert_close(outcome(loss), outcome(whole), rtol=1e-12, atol=1e-12)


def test_sharding__leaves_a_loss_without_centres_alone(mesh: DeviceMesh) -> None:
    loss = create_loss("triplet", dim=DIM, speakers=CLASSES)
    shard_centres(loss, mesh)
    assert sharded_parameters(loss) == []


@pytest.mark.parametrize(
    ("description", "shape", "said"),
    [
        ({"name": "am_softmax"}, (2, 2), "one dimension, got 2"),
        ({"name": "am_softmax"}, (8,), "7 classes give only 7 of 8 processes"),
        ({"name": "am_softmax", "sub_centres": 3}, (5,), "7 classes give only 4 of 5 processes"),
        ({"name": "ham_softmax", "centres": "riemannian"}, (2,), 'take centres "plain"'),
    ],
)
def test_sharding__refuses_what_it_cannot_cut(
    description: dict[str, Any], shape: tuple[int, ...], said: str, monkeypatch: pytest.MonkeyPatch, mesh: DeviceMesh
) -> None:
    monkeypatch.setattr(DeviceMesh, "ndim", len(shape))
    monkeypatch.setattr(DeviceMesh, "size", lambda _: math.prod(shape))
    loss = create_loss(description, dim=DIM, speakers=CLASSES)
    with pytest.raises(InputError, match=said):
        shard_centres(loss, mesh)
    assert sharded_parameters(loss) == []
