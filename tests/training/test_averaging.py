"""The mean of the last epochs: its weights, its dev EER, and that a resume or another number of processes change
nothing; the latter stands in test_processes.py and test_sharded_classes.py."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from process_runs import CutError
from tiny_recipes import change

from curvox.embedder import load, model_folder
from curvox.errors import RecipeError
from curvox.files import tensors_from_file
from curvox.metrics import equal_error_rate
from curvox.scoring import score_pairs
from curvox.training import RunResult, build_model, override, read_history, recipe_from, train
from curvox.training.data.loading import prepare_data
from curvox.training.run.callbacks import CheckpointKeeper
from curvox.training.run.checkpoints import read_start, read_state
from curvox.training.step.module import SpeakerModule

EPOCHS, LAST = 3, 2


@pytest.fixture(scope="module")
def tree(tiny_tree: dict[str, Any]) -> dict[str, Any]:
    """A curvature that is learnt, batch normalisation, and every epoch changes all."""
    loss = "loss={name: ham_softmax, space: {name: poincare_ball, learn_c: true}}"
    settings = [f"training.epochs={EPOCHS}", f"training.average_last={LAST}", "data.crops_per_epoch=16"]
    return override(tiny_tree, [loss, *settings, "training.checkpoint_every_steps=1"])


@pytest.fixture(scope="module")
def trained(tree: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> tuple[RunResult, list[dict[str, Any]]]:
    """A run, and all weights as they were when each epoch had ended."""
    folder, seen = tmp_path_factory.mktemp("averaged"), []
    original = CheckpointKeeper.on_train_epoch_end

    def keep(keeper: CheckpointKeeper, trainer: Any, module: Any) -> None:
        seen.append({name: tensor.numpy().copy() for name, tensor in module.state_dict().items()})
        original(keeper, trainer, module)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CheckpointKeeper, "on_train_epoch_end", keep)
        return train(recipe_from(tree), folder / "run"), seen


def test_average__is_the_mean_of_every_weight_over_the_last_epochs(
    trained: tuple[RunResult, list[dict[str, Any]]],
) -> None:
    result, seen = trained
    assert len(seen) == EPOCHS
    found = read_state(result.folder / "averaged")["state_dict"]
    assert found.keys() == seen[-1].keys()
    for name, tensor in found.items():
        values = [weights[name] for weights in seen[-LAST:]]
        whole = np.mean(np.asarray(values, dtype=np.float64), axis=0)
        expected = whole if tensor.is_floating_point() else values[-1]
        np.testing.assert_allclose(tensor.numpy(), expected, rtol=1e-6, atol=0, err_msg=name)
    moved = [name for name in found if any(name.endswith(end) for end in (".running_var", "raw_c", "loss.centres"))]
    assert len(moved) > 3
    for name in moved:
        assert not np.array_equal(seen[-1][name], seen[-2][name])
    # What embedding uses is the same.
    for name, tensor in tensors_from_file(result.folder / "averaged" / "model.safetensors").items():
        torch.testing.assert_close(tensor, found[f"embedder.{name}"], rtol=0, atol=0)


def test_average__does_on_the_dev_trials_what_its_card_says(
    tree: dict[str, Any], trained: tuple[RunResult, list[dict[str, Any]]]
) -> None:
    result, _ = trained
    model = load(result.folder / "averaged")
    data = prepare_data(recipe_from(tree).data, seed=1, cache=result.folder.parent / ".cache")
    waveforms = [data.dev.waveform(item) for item in range(len(data.dev.utterances))]
    points = model.embed_recordings([lambda waveform=waveform: waveform for waveform in waveforms]).points
    scores = score_pairs(model.space, points, data.dev_enrolments, data.dev_tests)
    assert model.dev == result.averaged
    assert model.dev is not None
    assert model.dev.eer == pytest.approx(float(equal_error_rate(scores, data.dev_labels).value), abs=1e-6)
    assert model.dev.epoch == EPOCHS
    assert model.description["training"]["averaged_epochs"] == [2, 3]
    facts = json.loads((result.folder / "run.json").read_text())
    assert facts["averaged"]["eer"] == model.dev.eer
    assert len(read_history(result.folder)) == EPOCHS


def test_average__is_the_model_of_its_run_and_leaves_the_others_alone(
    trained: tuple[RunResult, list[dict[str, Any]]],
) -> None:
    result, seen = trained
    assert model_folder(result.folder).name == "averaged"
    assert load(result.folder).dev == result.averaged
    last = read_state(result.folder / "last")["state_dict"]
    assert all(np.array_equal(tensor.numpy(), seen[-1][name]) for name, tensor in last.items())
    assert "averaged_epochs" not in load(result.folder / "best").description["training"]


def test_average__of_a_resumed_run_is_that_of_an_uninterrupted_one(
    tree: dict[str, Any],
    trained: tuple[RunResult, list[dict[str, Any]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Cut off in the middle of the last epoch, when one of the two is in the sum."""
    with monkeypatch.context() as patch:
        original = SpeakerModule.embed_batch

        def embed_batch(module: SpeakerModule, batch: dict[str, torch.Tensor]) -> torch.Tensor:
            if module.global_step == 5:
                raise CutError
            return original(module, batch)

        patch.setattr(SpeakerModule, "embed_batch", embed_batch)
        with pytest.raises(CutError):
            train(recipe_from(tree), tmp_path / "run")
    assert not (tmp_path / "run" / "averaged").exists()
    result = train(recipe_from(tree), tmp_path / "run", resume=True)
    found, expected = (read_state(folder / "averaged") for folder in (result.folder, trained[0].folder))
    torch.testing.assert_close(found["state_dict"], expected["state_dict"], rtol=0, atol=0)
    assert result.averaged == trained[0].averaged
    # There is nothing left to train, and still the result is known.
    assert train(recipe_from(tree), tmp_path / "run", resume=True).averaged == result.averaged


def test_average__is_what_a_fine_tuning_may_start_from(
    tree: dict[str, Any], trained: tuple[RunResult, list[dict[str, Any]]]
) -> None:
    folder = trained[0].folder
    embedder, _ = build_model(recipe_from(tree), 6)
    start, from_last = read_start(str(folder / "averaged"), embedder), read_start(str(folder), embedder)
    assert start.folder.name == "averaged"
    assert start.speakers == from_last.speakers
    torch.testing.assert_close(dict(start.weights), read_state(folder / "averaged")["state_dict"], rtol=0, atol=0)
    assert not torch.equal(start.weights["loss.centres"], from_last.weights["loss.centres"])


def test_average__of_more_epochs_than_there_are_is_refused(tree: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=re.escape("average_last (5) must not be more than epochs (3)")):
        change(tree, "training.average_last=5")
