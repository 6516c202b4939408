"""The state of a training: as files that hold no pickle, and as what another training starts from."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_recipes import change

from curvox.errors import CheckpointError, CurvoxError, RecipeError
from curvox.training import train
from curvox.training.run.checkpoints import read_state, write_state
from curvox.training.step.module import SpeakerModule

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


@pytest.fixture
def first_weights(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, torch.Tensor]]:
    """Is filled with the weights before the first step of each run."""
    seen: list[dict[str, torch.Tensor]] = []
    original = SpeakerModule.embed_batch

    def embed_batch(module: SpeakerModule, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        if module.global_step == 0:
            seen.append({name: tensor.clone() for name, tensor in module.state_dict().items()})
        return original(module, batch)

    monkeypatch.setattr(SpeakerModule, "embed_batch", embed_batch)
    return seen


@pytest.mark.parametrize("place", ["", "last"])
def test_start__takes_the_last_weights_of_encoder_and_loss(
    place: str,
    tiny_tree: dict[str, Any],
    tiny_run: Path,
    tmp_path: Path,
    first_weights: list[dict[str, torch.Tensor]],
) -> None:
    recipe = change(
        tiny_tree,
        f"training.start_from={tiny_run / place}",
        "training.max_steps=1",
        "loss.margin=0.5",
        "data.crop_s=0.9",
        "encoder.res2_scale=8",  # its default
    )
    train(recipe, tmp_path / "run")
    expected = read_state(tiny_run / "last")["state_dict"]
    torch.testing.assert_close(first_weights[0], expected, rtol=0, atol=0)
    ended = read_state(tmp_path / "run" / "last")["state_dict"]
    assert not torch.equal(ended["loss.centres"], expected["loss.centres"])


def test_start__is_left_alone_by_a_resume(tiny_tree: dict[str, Any], tiny_run: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_run, tmp_path / "first")
    recipe = change(tiny_tree, f"training.start_from={tmp_path / 'first'}", "training.epochs=1")
    train(recipe, tmp_path / "run")
    ended = read_state(tmp_path / "run" / "last")["state_dict"]
    shutil.rmtree(tmp_path / "first")
    train(recipe, tmp_path / "run", resume=True)
    torch.testing.assert_close(read_state(tmp_path / "run" / "last")["state_dict"], ended, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["features.n_mels=30"], r"features\.n_mels was 24 and is 30"),
        (["data.sampling_rate_hz=8000"], r"features\.sampling_rate_hz was 16000 and is 8000"),
        (["encoder.channels=24"], r"encoder\.channels was 16 and is 24"),
        (["loss={name: softmax}"], r"loss\.bias is missing there and \(6,\) here"),
        (["loss={name: ham_softmax, space: {name: poincare_ball, lift: exp_map}}"], r"missing there"),
    ],
)
def test_start__refuses_what_does_not_fit_and_names_it(
    overrides: list[str], said: str, tiny_tree: dict[str, Any], tiny_run: Path, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match=said):
        train(change(tiny_tree, f"training.start_from={tiny_run}", *overrides), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def renamed(voices: Path, folder: Path, change_speaker: dict[str, str]) -> Path:
    """Copy a corpus and rename speakers in its manifest."""
    shutil.copytree(voices, folder)
    rows = [line.split("\t") for line in (folder / "manifest.tsv").read_text().splitlines()]
    at = rows[0].index("speaker")
    for row in rows[1:]:
        row[at] = change_speaker.get(row[at], row[at])
    (folder / "manifest.tsv").write_text("".join("\t".join(row) + "\n" for row in rows))
    return folder


def test_start__refuses_other_speakers_by_name(
    tiny_tree: dict[str, Any], voices: Path, tiny_run: Path, tmp_path: Path
) -> None:
    names = read_state(tiny_run / "last")["curvox"]["speakers"]
    assert names == sorted(names)
    assert len(names) == 6
    other = renamed(voices, tmp_path / "other", {names[4]: f"{names[4]}x"})
    fewer = renamed(voices, tmp_path / "fewer", {names[5]: names[4]})
    start = f"training.start_from={tiny_run}"
    with pytest.raises(RecipeError, match=f"6 there, 6 here.* class 4: {names[4]} there, {names[4]}x here"):
        train(change(tiny_tree, start, f"data.path={other}"), tmp_path / "run")
    with pytest.raises(RecipeError, match=f"6 there, 5 here.* class 5: {names[5]} there, nobody here"):
        train(change(tiny_tree, start, f"data.path={fewer}"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def without_names(last: Path) -> None:
    state = json.loads((last / "training.json").read_text())
    del state["curvox"]["speakers"]
    (last / "training.json").write_text(json.dumps(state))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda last: shutil.rmtree(last.parent), "holds no training state"),
        (lambda last: (last / "training.json").unlink(), "holds no training state"),
        (lambda last: (last / "training.json").write_text("{}"), "not written by a training run"),
        (lambda last: (last / "model.yaml").unlink(), "model.yaml"),
        (without_names, "older version"),
    ],
    ids=["no run", "no state", "foreign", "no model", "no names"],
)
def test_start__refuses_a_folder_that_is_no_run(
    spoil: Any, said: str, tiny_tree: dict[str, Any], tiny_run: Path, tmp_path: Path
) -> None:
    shutil.copytree(tiny_run / "last", tmp_path / "first" / "last")
    spoil(tmp_path / "first" / "last")
    with pytest.raises(CurvoxError, match=said) as caught:
        train(change(tiny_tree, f"training.start_from={tmp_path / 'first'}"), tmp_path / "run")
    assert isinstance(caught.value, CheckpointError)
    assert not (tmp_path / "run").exists()
