"""The model folder: what goes in comes out, and nothing foreign gets in."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from curvox.audio import FilterBank
from curvox.embedder import DevResult, Embedder, load, save_embedder
from curvox.encoders.ecapa_tdnn import ECAPATDNN
from curvox.errors import CheckpointError, InputError, OutputExistsError
from curvox.geometry import create_space

SPACES = [
    "euclidean",
    "hypersphere",
    {"name": "poincare_ball", "c": 0.7, "lift": {"name": "exp_map", "gain": 0.2}},
    {"name": "poincare_ball", "c": 1.0, "lift": {"name": "published", "curvature": 5.0}},
    {"name": "poincare_ball", "c": 2.0, "lift": {"name": "soft_clip"}, "learn_c": True},
]


def make_model(space) -> Embedder:
    encoder = ECAPATDNN(n_mels=24, channels=16, aggregation_channels=24, embedding_dim=8)
    description = {
        "features": {"sampling_rate_hz": 16000, "n_mels": 24},
        "encoder": {
            "name": "ecapa_tdnn", "n_mels": 24, "channels": 16, "aggregation_channels": 24, "embedding_dim": 8
        },
        "training": {"recipe": "x"},
    }  # fmt: skip
    dev = DevResult(0.1, -0.5, 10, 20, 3)
    return Embedder(FilterBank(n_mels=24), encoder, create_space(space), description, dev).eval()


@pytest.mark.parametrize("space", SPACES)
def test_model__survives_its_folder(space, tmp_path: Path, two_recordings: tuple[Path, Path]) -> None:
    model = make_model(space)
    for parameter in model.space.parameters():
        torch.nn.init.constant_(parameter, -1.5)
    save_embedder(model, tmp_path / "m")
    back = load(tmp_path / "m")
    assert back.space.describe() == model.space.describe()
    assert back.dev == model.dev
    assert back.description == model.description
    np.testing.assert_array_equal(back.embed(two_recordings[0]), model.embed(two_recordings[0]))


def test_save__refuses_an_existing_folder(tmp_path: Path) -> None:
    with pytest.raises(OutputExistsError):
        save_embedder(make_model("euclidean"), tmp_path)


def test_load__takes_the_best_of_a_run(tiny_run: Path) -> None:
    run, best = load(tiny_run), load(tiny_run / "best")
    torch.testing.assert_close(run.state_dict(), best.state_dict(), rtol=0, atol=0)


def test_load__finds_the_previous_folder_after_a_crash(own_model: Path) -> None:
    own_model.rename(own_model.with_name(".model.previous"))
    assert load(own_model).dev is not None


def test_load__works_from_inside_the_folder(own_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(own_model)
    assert load(".").dev is not None


def test_load__refuses_a_run_whose_best_is_incomplete(tiny_run: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_run, tmp_path / "run")
    (tmp_path / "run" / "best" / "model.yaml").unlink()
    with pytest.raises(CheckpointError, match=r"best has no model\.yaml"):
        load(tmp_path / "run")


def test_load__refuses_a_device_that_is_not_there(own_model: Path) -> None:
    with pytest.raises(InputError, match='device "nonsense"'):
        load(own_model, device="nonsense")


def test_load__refuses_a_missing_file(own_model: Path) -> None:
    (own_model / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"has model\.yaml but no model\.safetensors"):
        load(own_model)


def test_load__refuses_a_folder_that_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(CheckpointError, match=r"holds no model.*found notes\.txt"):
        load(tmp_path)
    with pytest.raises(CheckpointError, match="is not a folder"):
        load(tmp_path / "nothing")


def change_card(folder: Path, **changes) -> None:
    card = yaml.safe_load((folder / "model.yaml").read_text())
    (folder / "model.yaml").write_text(yaml.safe_dump(card | changes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": 2}, "format"),
        ({"extra": 1}, "extra"),
        ({"encoder": {"name": "ecapa_tdn"}}, 'did you mean "ecapa_tdnn"'),
        ({"encoder": {"name": "os.system"}}, 'unknown encoder "os.system"'),
        ({"encoder": {"name": "ecapa_tdnn", "chanels": 3}}, "chanels"),
        ({"space": {"name": "sphere"}}, "unknown space"),
        ({"space": {"name": "poincare_ball", "c": -1.0}}, "c must be"),
        ({"features": {"n_mel": 3}}, "n_mel"),
        ({"encoder": {"name": "ecapa_tdnn", "n_mels": 24, "channels": 8 * 10**8}}, "another shape"),
    ],
)
def test_load__refuses_a_description_it_does_not_know(own_model: Path, changes: dict, said: str) -> None:
    change_card(own_model, **changes)
    with pytest.raises(CheckpointError) as caught:
        load(own_model)
    assert said in str(caught.value)
    assert "model." in str(caught.value)


def test_load__refuses_yaml_that_would_make_objects(own_model: Path) -> None:
    (own_model / "model.yaml").write_text("!!python/object/apply:os.system ['true']")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load(own_model)


def test_load__refuses_foreign_missing_and_misshapen_tensors(own_model: Path) -> None:
    path = own_model / "model.safetensors"
    tensors = load_file(path)
    name = "encoder.project.weight"
    save_file({**tensors, "foreign": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match="1 foreign"):
        load(own_model)
    save_file({k: v for k, v in tensors.items() if k != name}, path)
    with pytest.raises(CheckpointError, match=f"1 tensors missing.*{name}"):
        load(own_model)
    save_file({**tensors, name: torch.zeros(3, 3)}, path)
    with pytest.raises(CheckpointError, match=f"1 of another shape.*{name}"):
        load(own_model)


def test_load__refuses_a_truncated_file(own_model: Path) -> None:
    path = own_model / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="not a whole safetensors file"):
        load(own_model)
