"""Training with batches of P speakers x K recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_recipes import change

from curvox.corpora import read_corpus
from curvox.embedder import load
from curvox.errors import InputError, RecipeError
from curvox.losses import LOSSES, AbstractLoss, create_loss
from curvox.training import recipe_from, train
from curvox.training.data.loading import prepare_data, training_loader
from curvox.training.step.processes import compares_items

PAIR_LOSSES = [
    name
    for name in LOSSES.entries
    if name not in ("combined", "metric_learning") and LOSSES.load(name).whole_batch  # pyright: ignore
]


def test_losses__that_compare_items_are_known() -> None:
    assert {"triplet", "gaussian_kl", "contrastive_hinge"} <= set(PAIR_LOSSES)
    parts = [{"name": "aam_softmax", "weight": 0.5}, {"name": "triplet", "weight": 0.5}]
    assert compares_items(create_loss({"name": "combined", "parts": parts}, dim=4, speakers=3))
    assert not compares_items(create_loss({"name": "combined"}, dim=4, speakers=3))
    assert isinstance(create_loss("triplet", dim=4, speakers=3), AbstractLoss)


@pytest.mark.parametrize("name", PAIR_LOSSES)
def test_pair_loss__trains_on_batches_of_speakers(name: str, tiny_tree: dict[str, Any], tmp_path: Path) -> None:
    recipe = change(tiny_tree, f"loss={{name: {name}}}", "data.recordings_per_speaker=2", "training.max_steps=3")
    train(recipe, tmp_path / "run")
    model = load(tmp_path / "run" / "last")
    assert all(torch.isfinite(weight).all() for weight in model.state_dict().values())


@pytest.mark.parametrize(
    "loss",
    ["{name: triplet}", "{name: combined, parts: [{name: triplet, weight: 1.0}, {name: softmax, weight: 1.0}]}"],
    ids=["triplet", "combined"],
)
def test_pair_loss__without_recordings_per_speaker_is_refused(
    loss: str, tiny_tree: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match=r"set data\.recordings_per_speaker to 2 or more"):
        train(change(tiny_tree, f"loss={loss}"), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["data.recordings_per_speaker=1"], "data.recordings_per_speaker"),
        (["data.recordings_per_speaker=3"], r"data: .*batch_size must be a multiple of recordings_per_speaker \(3\)"),
        (["data.recordings_per_speaker=8"], "hold at least 2 speakers"),
        (["data.recordings_per_speaker=2", "data.balance=sqrt"], r"balance \(sqrt\) has no meaning beside"),
    ],
)
def test_recipe__refuses_batches_that_hold_no_whole_speakers(
    overrides: list[str], said: str, tiny_tree: dict[str, Any]
) -> None:
    with pytest.raises(RecipeError, match=said):
        change(tiny_tree, *overrides)


def test_run__refuses_more_speakers_a_batch_than_there_are(tiny_tree: dict[str, Any], tmp_path: Path) -> None:
    recipe = change(tiny_tree, "data.batch_size=14", "data.recordings_per_speaker=2")
    with pytest.raises(InputError, match="needs 7 speakers, there are 6"):
        train(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_loader__pairs_recordings_across_the_sessions_of_the_manifest(
    tiny_tree: dict[str, Any], voices: Path, tmp_path: Path
) -> None:
    recipe = recipe_from({**tiny_tree, "data": {**tiny_tree["data"], "recordings_per_speaker": 2}})
    data = prepare_data(recipe.data, seed=recipe.seed, cache=tmp_path)
    corpus = read_corpus(voices)
    utterances = [corpus[name] for name in data.train.utterances]
    loader = training_loader(data, recipe.data, seed=recipe.seed, rank=0, processes=1)
    pairs = np.concatenate([batch["items"].numpy().reshape(-1, 2) for batch in loader])
    assert len(pairs) > 20
    for first, second in pairs.tolist():
        assert utterances[first].speaker == utterances[second].speaker
        assert {utterances[first].session, utterances[second].session} == {"1", "2"}
