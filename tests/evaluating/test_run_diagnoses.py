"""One diagnosis for a run, for what was observed of it, and for a loss with a batch."""

from pathlib import Path

import pytest
import torch

import curvox
from curvox.diagnosis import diagnose as diagnose_batch
from curvox.errors import InputError
from curvox.training import observe_run


def loss(x: torch.Tensor, y: torch.Tensor, same: torch.Tensor) -> torch.Tensor:
    return (x - y).square().sum(1)


def test_diagnose__of_a_run_is_that_of_its_observation(tiny_run: Path) -> None:
    by_path = curvox.diagnose(str(tiny_run))
    assert repr(by_path) == repr(curvox.diagnose(observe_run(tiny_run)))
    assert "collapse" in by_path.checked
    assert repr(curvox.diagnose(tiny_run / "last")) == repr(by_path)


def test_diagnose__of_a_loss_is_that_of_its_batch() -> None:
    speakers = torch.arange(16).repeat_interleave(4)
    embeddings = torch.randn(64, 32, generator=torch.Generator().manual_seed(1))
    found = curvox.diagnose(loss, embeddings, speakers, takes="pairs, same")
    assert found.first.cause == "label_blind"
    assert repr(found) == repr(diagnose_batch(loss, embeddings, speakers, takes="pairs, same"))


def test_diagnose__refuses_a_loss_without_a_batch_and_a_run_with_one(tiny_run: Path) -> None:
    with pytest.raises(InputError, match="a loss is diagnosed on a batch"):
        curvox.diagnose(loss)
    with pytest.raises(InputError, match="leave embeddings and speakers out"):
        curvox.diagnose(tiny_run, torch.randn(8, 4), torch.arange(8))
