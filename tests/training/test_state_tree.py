"""Training state without pickles."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curvox.errors import CheckpointError
from curvox.training.run.checkpoints import read_state, write_state

plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
keys = st.text() | st.integers() | st.tuples(st.integers(), st.text())
trees = st.recursive(
    plain,
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(keys, inner),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(trees)
def test_state__survives_its_files_with_every_type(tmp_path: Path, tree: Any) -> None:
    write_state(tree, tmp_path)
    back = read_state(tmp_path)
    assert back == tree
    assert repr(back) == repr(tree)


def test_state__keeps_tensors_bit_for_bit(tmp_path: Path) -> None:
    state = {
        0: {"exp_avg": torch.randn(3, 2), "step": torch.tensor(4.0)},
        "rng": torch.get_rng_state(),
        "h": [torch.ones(2, dtype=torch.bfloat16)],
    }
    write_state(state, tmp_path)
    back = read_state(tmp_path)
    assert torch.equal(back[0]["exp_avg"], state[0]["exp_avg"])
    assert torch.equal(back["rng"], state["rng"])
    assert back["h"][0].dtype == torch.bfloat16


def test_state__of_anything_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"holds a Path|holds a PosixPath"):
        write_state({"a": [tmp_path]}, tmp_path)


def test_state__whose_files_do_not_fit_is_refused(tmp_path: Path) -> None:
    write_state({"a": torch.ones(1)}, tmp_path)
    (tmp_path / "training.json").write_text('{"a": {"$tensor": "b"}}')
    with pytest.raises(CheckpointError, match="does not belong"):
        read_state(tmp_path)
    (tmp_path / "training.json").write_text("{")
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_state(tmp_path)
