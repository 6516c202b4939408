"""Every recipe in recipes/ is run for two steps, and those of the literature say what they repeat."""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path

import pytest
import torch

from curvox.audio import RecordedRoomOptions
from curvox.cli.data import join
from curvox.corpora import prepare_corpus
from curvox.embedder import load
from curvox.errors import RecipeError
from curvox.losses import create_loss
from curvox.testing.dummies import DUMMIES, write_musan, write_rirs_noises
from curvox.training import Recipe, build_augmentation, build_encoder, read_recipe, train

RECIPES = Path(__file__).parents[2] / "recipes"
OWN = sorted(RECIPES.glob("*.yaml"))
LITERATURE = sorted(RECIPES.glob("*/*.yaml"))
LOSSES = ("am", "aam", "ram", "h", "ham", "ram_ham")
SMALL = ["data.batch_size=4", "data.crop_s=0.5", "training.max_steps=2", "training.accelerator=cpu"]
NARROW = {
    "ecapa_tdnn": ["encoder.channels=16", "encoder.aggregation_channels=24"],
    "resnet34": ["encoder.channels=4"],
}


def name_of(path: Path) -> str:
    return "_".join(path.relative_to(RECIPES).with_suffix("").parts)


@cache
def whole(path: Path) -> Recipe:
    return read_recipe(path)


ONE_ROOM = "augmentation.rooms.rooms=1"
"""Simulating each takes as long as many steps."""


def head_of(path: Path) -> str:
    lines = path.read_text().splitlines()
    return "\n".join(line[1:].strip() for line in lines[: [line.startswith("#") for line in lines].index(False)])


def narrow(path: Path, data: Path) -> Recipe:
    """The recipe with the overrides that leave of its sizes as little as there can be, and of the rest everything."""
    return read_recipe(path, [f"data.path={data}", *SMALL, *NARROW[whole(path).encoder["name"]], ONE_ROOM])


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Corpora in small, prepared as the heads of the recipes say."""
    folder = tmp_path_factory.mktemp("corpora")
    for name, dev_speakers in (("voxceleb2", None), ("cnceleb1", 1), ("cnceleb2", 1)):
        DUMMIES.load(name)(folder / name)
        prepare_corpus(name, folder / name, folder / name, dev_speakers=dev_speakers)
    join([folder / "cnceleb1", folder / "cnceleb2"], folder / "cnceleb.tsv")
    return {"voxceleb2": folder / "voxceleb2", "cnceleb": folder / "cnceleb.tsv"}


@pytest.mark.parametrize("path", OWN, ids=name_of)
def test_recipe__of_the_project_takes_two_steps(path: Path, voices: Path, tmp_path: Path) -> None:
    rooms = [ONE_ROOM] * path.stem.endswith("augmented")
    recipe = read_recipe(path, [f"data.path={voices}", *SMALL, *rooms])
    result = train(recipe, tmp_path / "run")
    assert result.steps == 2
    assert load(tmp_path / "run" / "last").description["training"]["loss"]["name"] == recipe.loss["name"]


@pytest.mark.parametrize("path", [p for p in LITERATURE if "512" not in p.stem], ids=name_of)
def test_recipe__of_the_literature_takes_two_steps(path: Path, corpora: dict[str, Path], tmp_path: Path) -> None:
    recipe = narrow(path, corpora[path.parent.name])
    result = train(recipe, tmp_path / "run", cache=next(iter(corpora.values())).parent / ".cache")
    assert result.steps == 2
    # Cut short in the first epoch, which is then all that there is to average.
    if recipe.training.average_last is not None:
        assert load(tmp_path / "run" / "averaged").description["training"]["averaged_epochs"] == [1]


@pytest.mark.parametrize("path", [p for p in LITERATURE if "512" in p.stem], ids=name_of)
def test_recipe__of_512_channels_is_that_of_1024_but_for_them(path: Path) -> None:
    """So that its two steps are those of the other one, which is run."""
    other = path.with_name(path.name.replace("512", "1024"))
    found, expected = whole(path).model_dump(), whole(other).model_dump()
    assert {key for key in found if found[key] != expected[key]} == {"name", "encoder"}
    assert found["encoder"] == {**expected["encoder"], "channels": 512}


@pytest.mark.parametrize("path", LITERATURE, ids=name_of)
def test_recipe__of_the_literature_builds_its_encoder_and_loss_whole(path: Path) -> None:
    recipe = whole(path)
    with torch.device("meta"):
        encoder = build_encoder(recipe.encoder, recipe.features["n_mels"])
        loss = create_loss(recipe.loss, dim=encoder.embedding_dim, speakers=5994)
    millions = sum(p.numel() for p in encoder.parameters()) / 1e6
    published = next(size for kind, size in PARAMETERS.items() if kind in path.stem)
    assert millions == pytest.approx(published, rel=0.02)
    assert loss.speakers == 5994


PARAMETERS = {"1024": 14.65, "512": 6.19, "resnet34": 6.63}
"""In millions, as WeSpeaker counts them."""


@pytest.mark.parametrize("path", LITERATURE, ids=name_of)
def test_recipe__of_the_literature_says_whom_it_follows_and_what_was_published(path: Path) -> None:
    head = head_of(path)
    assert "Source: " in head or "No published figure known" in head
    if "Source: " in head:
        assert re.search(r"Published EER on [^:]+: \d\.\d{3}", head)
    assert whole(path).name == name_of(path)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("width", [512, 1024])
@pytest.mark.parametrize("corpus", ["voxceleb2", "cnceleb"])
def test_recipes__of_the_ham_paper_are_at_its_settings(corpus: str, width: int, loss: str) -> None:
    recipe = whole(RECIPES / corpus / f"ecapa_{width}_{loss}.yaml")
    training, optimizer = recipe.training, recipe.training.optimizer
    assert (training.epochs, training.average_last) == (100, 5)
    assert (optimizer.name, optimizer.learning_rate, optimizer.weight_decay) == ("adam", 1e-3, 2e-5)
    schedule = (training.schedule.name, training.schedule.decay_per_epoch, training.schedule.warmup_epochs)
    assert schedule == ("step", 0.97, 0.0)
    assert (recipe.data.batch_size, recipe.data.crop_s, training.margin_warmup.end_epoch) == (256, 2.0, 0.0)
    assert recipe.augmentation["beside_clean"] is True
    assert recipe.encoder["channels"] == width


def test_recipes__of_the_ham_paper_have_its_losses() -> None:
    found = {loss: whole(RECIPES / "voxceleb2" / f"ecapa_1024_{loss}.yaml").loss for loss in LOSSES}
    margins = {loss: (options.get("scale"), options.get("margin")) for loss, options in found.items()}
    assert margins == {**dict.fromkeys(LOSSES, (30.0, 0.2)), "h": (30.0, None), "ram_ham": (None, None)}
    assert [part["weight"] for part in found["ram_ham"]["parts"]] == [0.3, 0.7]
    without_weight = [{k: v for k, v in part.items() if k != "weight"} for part in found["ram_ham"]["parts"]]
    assert without_weight == [found["ram"], found["ham"]]


@pytest.mark.parametrize("name", ["ecapa_1024_am", "ecapa_1024_sgd"])
def test_recipe__takes_noise_of_the_corpora_that_it_names(name: str, tmp_path: Path) -> None:
    """With the overrides as its head has them."""
    path = RECIPES / "voxceleb2" / f"{name}.yaml"
    folders = {"RIRS_NOISES": tmp_path / "rirs", "MUSAN": tmp_path / "musan"}
    lines = " ".join(line for line in head_of(path).splitlines() if line.startswith("-s augmentation"))
    said = re.sub("|".join(folders), lambda found: str(folders[found[0]]), lines)
    overrides = [word for word in shlex.split(said) if word != "-s"]
    with pytest.raises(RecipeError, match="rirs"):
        build_augmentation(read_recipe(path, overrides).augmentation)
    write_musan(folders["MUSAN"], recordings=1)
    write_rirs_noises(folders["RIRS_NOISES"], rooms=1)
    built = build_augmentation(read_recipe(path, overrides).augmentation)
    assert built.recorded_noise is not None
    assert built.waveforms is None
    assert isinstance(built.rooms, RecordedRoomOptions)


def test_recipes__are_there() -> None:
    losses = {whole(path).loss["name"] for path in OWN}
    assert losses >= {"softmax", "am_softmax", "aam_softmax", "ram_softmax", "h_softmax", "ham_softmax"}
    names = [f"ecapa_{width}_{loss}" for width in (512, 1024) for loss in LOSSES]
    names += [f"{encoder}_{kind}" for encoder in ("ecapa_1024", "resnet34") for kind in ("sgd", "large_margin")]
    for corpus in ("voxceleb2", "cnceleb"):
        assert {path.stem for path in LITERATURE if path.parent.name == corpus} >= set(names)
