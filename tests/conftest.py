"""Fixtures that several packages share: a tiny corpus of synthetic voices, and a tiny model trained on it."""

from __future__ import annotations

import os

# One thread a process: tiny models gain nothing from two, and tests that start processes must not fight.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
import yaml
from builders import built_once, copy_of
from hypothesis import settings

if TYPE_CHECKING:
    from curvox.evaluating import EvaluationReport

torch.set_num_threads(1)

# How long an example takes is the machine's affair, above all where tests run side by side.
settings.register_profile("curvox", deadline=None, max_examples=50)
settings.load_profile("curvox")

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus folder of 14 synthetic speakers with splits and trials."""
    from curvox.testing.voices import synthesise_corpus

    def build(folder: Path) -> None:
        synthesise_corpus(
            folder,
            seed=3,
            train_speakers=6,
            dev_speakers=4,
            test_speakers=4,
            sessions=2,
            utterances_per_session=2,
            workers=1,
        )

    return built_once(tmp_path_factory, "voices/corpus", build)


@pytest.fixture(scope="session")
def tiny_tree(voices: Path) -> dict[str, Any]:
    """A recipe as plain values that trains in a second or two."""
    return {
        "name": "tiny",
        "data": {"path": str(voices), "dev_trials": "trials/dev.txt", "crop_s": 0.6, "batch_size": 8},
        "features": {"n_mels": 24},
        "encoder": {"name": "ecapa_tdnn", "channels": 16, "aggregation_channels": 24, "embedding_dim": 12},
        "loss": {"name": "ham_softmax"},
        "training": {"epochs": 2, "accelerator": "cpu"},
    }


@pytest.fixture(scope="session")
def tiny_recipe_file(tiny_tree: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "tiny.yaml"
    path.write_text(yaml.safe_dump(tiny_tree), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny_run(tiny_tree: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run; read it, never change it."""
    from curvox.training import recipe_from, train

    return built_once(tmp_path_factory, "runs/tiny", lambda folder: train(recipe_from(tiny_tree), folder))


@pytest.fixture(scope="module")
def own_run(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the finished run that the tests of a module may write into."""
    return copy_of(tiny_run, tmp_path_factory.mktemp("own") / "tiny")


@pytest.fixture
def own_model(tiny_run: Path, tmp_path: Path) -> Path:
    """A copy of the model folder that a test may change."""
    return copy_of(tiny_run / "best", tmp_path / "model")


@pytest.fixture(scope="session")
def two_recordings(voices: Path) -> tuple[Path, Path]:
    """Two recordings of different lengths."""
    found = sorted(voices.rglob("*.flac"))
    return found[0], found[5]


@pytest.fixture(scope="session")
def evaluation_report() -> EvaluationReport:
    """A calibrated evaluation with everything that a page can show."""
    from made_up_evaluations import made_up_report

    return made_up_report()
