"""What commands say of a run."""

import pytest
import torch

from curvox.evaluating import name_of_space
from curvox.geometry import Hypersphere, PoincareBall


def test_name_of_space__says_the_curvature_in_force() -> None:
    assert name_of_space(Hypersphere()) == "hypersphere"
    assert name_of_space(PoincareBall(c=3.0)) == "Poincaré ball, c = 3, clip"
    learnt = PoincareBall(c=2.0, learn_c=True)
    assert learnt.raw_c is not None
    with torch.no_grad():
        learnt.raw_c.fill_(1.0)
    name, shown = name_of_space(learnt), torch.as_tensor(learnt.c).item()
    assert name.endswith(" (learnt), clip")
    assert float(name.split("c = ")[1].split()[0]) == pytest.approx(shown, rel=1e-3)
    assert shown != 2.0
