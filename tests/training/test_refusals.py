"""What training refuses, and when: before the work, by name, with nothing left behind."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_recipes import change

from curvox.errors import CheckpointError, InputError, RecipeError, TrainingError
from curvox.files import tensors_from_file, tensors_to_file
from curvox.losses import LossOutput
from curvox.training import override, read_recipe, recipe_from, train
from curvox.training.step.module import SpeakerModule


# Lightning warns that it would take another precision; the refusal says it.
@pytest.mark.filterwarnings("ignore:You passed")
@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["training.accelerator=cuda"], "cannot be had on this machine"),
        (["training.precision=16-mixed"], "which would compute in bf16-mixed"),
        (["training.devices=2", "data.batch_size=9"], "multiple of the 2 processes"),
        (["data.crop_s=0.01"], "shorter than a frame"),
        (["training.accelerator=bogus"], "training.accelerator"),
        (["training.devices=0"], "training.devices"),
        (["training.devices=some"], "training.devices"),
    ],
)
def test_run__refuses_devices_and_sizes_before_it_decodes(
    overrides: list[str], said: str, tiny_tree: dict[str, Any], tmp_path: Path
) -> None:
    if "cuda" in overrides[0] and torch.cuda.is_available():
        pytest.skip("this machine has what the test asks for in vain")
    with pytest.raises(RecipeError) as caught:
        train(change(tiny_tree, *overrides), tmp_path / "run")
    assert said in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_run__refuses_dev_trials_of_one_class(tiny_tree: dict[str, Any], voices: Path, tmp_path: Path) -> None:
    folder = tmp_path / "voices"
    shutil.copytree(voices, folder)
    path = folder / "trials" / "dev.txt"
    path.write_text("".join(line for line in path.read_text().splitlines(keepends=True) if line.startswith("1")))
    with pytest.raises(InputError, match=r"both classes.* 0 different-speaker"):
        train(change(tiny_tree, f"data.path={folder}"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_recipe__with_a_key_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("name: x\nloss: {name: softmax}\nloss: {name: ham_softmax}\n")
    with pytest.raises(RecipeError, match='the key "loss" comes twice'):
        read_recipe(path)


def test_run__names_the_batch_when_the_loss_refuses_it(
    tiny_tree: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = SpeakerModule.embed_batch
    monkeypatch.setattr(SpeakerModule, "embed_batch", lambda module, batch: original(module, batch) * 1e30)
    with pytest.raises(TrainingError, match=r"batch 0.*the loss refuses: embeddings are too large.*Recordings:"):
        train(recipe_from(tiny_tree), tmp_path / "run")


def test_run__names_the_batch_when_the_loss_is_infinite(
    tiny_tree: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from curvox.losses import HAMSoftmax

    original = HAMSoftmax.compute

    def compute(loss: HAMSoftmax, embeddings: torch.Tensor, speakers: torch.Tensor) -> LossOutput:
        output = original(loss, embeddings, speakers)
        per_item = output.per_item.clone()
        per_item[1] = float("inf")
        return LossOutput(per_item.mean(), per_item, output.parts)

    monkeypatch.setattr(HAMSoftmax, "compute", compute)
    with pytest.raises(TrainingError, match=r"batch 0.*loss inf, embedding norms.*the loss overflowed"):
        train(recipe_from(tiny_tree), tmp_path / "run")


def test_resume__refuses_a_corpus_that_has_changed(tiny_tree: dict[str, Any], voices: Path, tmp_path: Path) -> None:
    folder = tmp_path / "voices"
    shutil.copytree(voices, folder)
    recipe = change(tiny_tree, f"data.path={folder}", "training.epochs=1")
    train(recipe, tmp_path / "run")
    rows = (folder / "manifest.tsv").read_text().splitlines()
    gone = next(row for row in rows if "\ttrain" in row)
    (folder / "manifest.tsv").write_text("\n".join(row for row in rows if row != gone) + "\n")
    with pytest.raises(CheckpointError, match="recordings are not those"):
        train(recipe, tmp_path / "run", resume=True)


@pytest.mark.parametrize(
    "content",
    ["a: &x [1]\nb: *x", "when: 2024-13-45", "[" * 3000, "name: ../../x\nloss: {name: softmax}"],
    ids=["alias", "date", "deep", "name"],
)
def test_recipe__of_hostile_content_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(content)
    with pytest.raises(RecipeError):
        read_recipe(path)


def test_override__in_a_list_of_numbers_is_refused() -> None:
    with pytest.raises(RecipeError, match="no parts"):
        override({"name": "x", "loss": {"parts": [1]}}, ["loss.parts.0.x=1"])


def test_resume__refuses_the_state_of_another_model(tiny_tree: dict[str, Any], tiny_run: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_run, tmp_path / "run")
    path = tmp_path / "run" / "last" / "training.safetensors"
    tensors = tensors_from_file(path)
    name = next(n for n in tensors if n.endswith("state_dict.loss.centres"))
    tensors_to_file({**tensors, name: torch.zeros(3, 3)}, path)
    with pytest.raises(CheckpointError, match=r"another model.*loss\.centres"):
        train(recipe_from(tiny_tree), tmp_path / "run", resume=True)
    (tmp_path / "run" / "last" / "training.json").write_text("{}")
    with pytest.raises(CheckpointError, match="not written by a training run"):
        train(recipe_from(tiny_tree), tmp_path / "run", resume=True)


def test_run__knows_the_number_of_speakers_when_the_loss_asks(tiny_tree: dict[str, Any], tmp_path: Path) -> None:
    train(change(tiny_tree, "loss={name: aam_softmax, top_k: 5}", "training.max_steps=1"), tmp_path / "run")
    with pytest.raises(InputError, match="below the 6 speakers"):
        train(change(tiny_tree, "loss={name: aam_softmax, top_k: 6}"), tmp_path / "other")
    assert not (tmp_path / "other").exists()
