"""What all changes of a batch share."""

import numpy as np
import pytest
import torch

from curvox.audio.augmentation.batches import few_at_a_time


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("number", [0, 1, 8, 20])
def test_few_at_a_time__gives_every_row_once_and_in_order(device: str, number: int) -> None:
    runs = list(few_at_a_time(3 * np.arange(number), torch.device(device)))
    assert all(len(run) for run in runs)
    assert [row for run in runs for row in run.tolist()] == [3 * row for row in range(number)]
    assert len(runs) == (-(-number // 8) if device == "cpu" else min(number, 1))
