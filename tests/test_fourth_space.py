"""A space that curvox does not know: defined here, entered into the table, and used by everything."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_decisions import all_trials, calibrate_model
from tiny_recipes import change
from torch import Tensor

from curvox.corpora import read_corpus
from curvox.embedder import load, model_fingerprint, save_embedder, write_card
from curvox.errors import UnknownNameError
from curvox.geometry import (
    SPACES,
    AbstractSpace,
    Hypersphere,
    PoincareBall,
    SoftClip,
    create_space,
    frechet_mean,
    self_distance,
    sqrt0,
)
from curvox.hierarchy import (
    corpus_layout,
    measure_tree,
    node_dendrogram,
    planted_paths,
    planted_points,
    tree_paths,
    tree_picture,
)
from curvox.losses import LOSSES, create_loss
from curvox.scoring import cohort_means, cohort_statistics, create_back_end, enrol, score_pairs
from curvox.testing.space_contract import CHECKS
from curvox.training import train


class SphereAndBall(AbstractSpace):
    """The first coordinates on a sphere, the others in a ball, their distances as the sides of a right angle.

    Args:
        on_sphere: how many coordinates are on the sphere.
        c: the curvature of the ball is -c.
    """

    def __init__(self, *, on_sphere: int = 3, c: float = 1.0) -> None:
        super().__init__()
        self.on_sphere = on_sphere
        self.sphere, self.rest = Hypersphere(), PoincareBall(c=c, lift=SoftClip())
        self.c = c

    def project(self, z: Tensor) -> Tensor:
        return self._joined("project", z)

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        return self._hypotenuse("distance", x, y)

    def pairwise_distance(self, x: Tensor, y: Tensor) -> Tensor:
        return self._hypotenuse("pairwise_distance", x, y)

    def mean(self, x: Tensor) -> Tensor:
        return self._joined("mean", x)

    def log_map(self, base: Tensor, x: Tensor) -> Tensor:
        return self._joined("log_map", base, x)

    def exp_map(self, base: Tensor, v: Tensor) -> Tensor:
        return self._joined("exp_map", base, v)

    def as_vectors(self, x: Tensor) -> Tensor:
        return self._joined("as_vectors", x)

    def describe(self) -> dict[str, Any]:
        return {"name": "sphere_and_ball", "on_sphere": self.on_sphere, "c": self.c}

    def in_words(self) -> str:
        return f"sphere of {self.on_sphere} coordinates and ball of c = {self.c:g}"

    def learnt_scalars(self) -> dict[str, float]:
        return {}

    @property
    def max_distance(self) -> float:
        return math.hypot(self.sphere.max_distance, self.rest.max_distance)

    @property
    def curvature(self) -> None:
        return None

    @property
    def origin(self) -> None:
        return None

    @property
    def dissimilarity(self) -> None:
        return None

    def _of_parts(self, name: str, *tensors: Tensor) -> list[Tensor]:
        sides = zip(*(t.tensor_split([self.on_sphere], dim=-1) for t in tensors), strict=True)
        return [getattr(part, name)(*side) for part, side in zip((self.sphere, self.rest), sides, strict=True)]

    def _joined(self, name: str, *tensors: Tensor) -> Tensor:
        return torch.cat(self._of_parts(name, *tensors), dim=-1)

    def _hypotenuse(self, name: str, *tensors: Tensor) -> Tensor:
        sphere, ball = self._of_parts(name, *tensors)
        return sqrt0(sphere.square() + ball.square())


DESCRIPTION = {"name": "sphere_and_ball", "on_sphere": 5, "c": 0.5}


@pytest.fixture(scope="module", autouse=True)
def registered() -> Iterator[None]:
    SPACES.register("sphere_and_ball", SphereAndBall, "a product, for the tests")
    yield
    del SPACES.entries["sphere_and_ball"]


@pytest.fixture(scope="module")
def run_in_the_space(tiny_tree: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few steps of a pair loss in the space."""
    tree = {**tiny_tree, "loss": {"name": "triplet", "space": DESCRIPTION}}
    recipe = change(tree, "data.recordings_per_speaker=2", "training.max_steps=6")
    folder = tmp_path_factory.mktemp("runs") / "product"
    train(recipe, folder)
    return folder


@pytest.fixture(scope="module")
def points() -> np.ndarray:
    generator = torch.Generator().manual_seed(4)
    raw = torch.randn(40, 12, generator=generator, dtype=torch.float64)
    return create_space(DESCRIPTION).project(raw).numpy()


@pytest.mark.parametrize("check", CHECKS)
def test_fourth_space__keeps_the_contract(check: str) -> None:
    CHECKS[check](SphereAndBall)


PAIR_LOSSES = (
    {"name": "triplet"},
    {"name": "triplet", "mining": "distance_weighted"},
    {"name": "contrastive_hinge", "mining": "all"},
    {"name": "gaussian_kl"},
    {"name": "prototypical"},
    {"name": "ge2e"},
    {"name": "supervised_contrastive"},
)


@pytest.mark.parametrize("loss", PAIR_LOSSES, ids=str)
def test_fourth_space__trains_with_every_kind_of_pair_loss(loss: dict[str, Any]) -> None:
    torch.manual_seed(0)
    built = create_loss({**loss, "space": DESCRIPTION}, dim=12, speakers=4)
    raw = torch.randn(16, 12).requires_grad_()
    speakers = torch.arange(16) % 4
    optimiser = torch.optim.Adam([raw, *built.parameters()], lr=0.05)
    first = built(raw, speakers).value.item()
    for _ in range(30):
        optimiser.zero_grad()
        built(raw, speakers).value.backward()
        optimiser.step()
    assert built(raw, speakers).value.item() < first


def test_fourth_space__trains_level_prototypes() -> None:
    built = create_loss({"name": "level_prototypes", "space": DESCRIPTION}, dim=12, speakers=4)
    raw = torch.randn(8, 12).requires_grad_()
    built(raw, torch.arange(8) % 4).value.backward()
    assert raw.grad is not None
    assert torch.isfinite(raw.grad).all()


@pytest.mark.parametrize("name", ["aam_softmax", "am_softmax", "ham_softmax", "h_softmax"])
def test_fourth_space__is_refused_by_losses_of_one_geometry(name: str) -> None:
    needed = "angles: its space is the Hypersphere" if "am_softmax" in name and "ham" not in name else "a PoincareBall"
    with pytest.raises(ValueError, match=needed):
        create_loss({"name": name, "space": DESCRIPTION}, dim=12, speakers=4)


def test_self_distance__of_another_space_is_its_own(points: np.ndarray) -> None:
    space, x = create_space(DESCRIPTION), torch.from_numpy(points)
    torch.testing.assert_close(self_distance(x, space), space.pairwise_distance(x, x))


def test_scores__are_minus_the_distances(points: np.ndarray) -> None:
    space, x = create_space(DESCRIPTION), torch.from_numpy(points)
    i, j = np.triu_indices(len(points), 1)
    expected = -space.distance(x[i], x[j]).numpy()
    np.testing.assert_allclose(score_pairs(space, points, i, j), expected, rtol=1e-12)
    statistics = cohort_statistics(space, points[:10], points[10:], top_k=5)
    top = np.sort(-space.distance(x[:10, None], x[10:]).numpy(), axis=1)[:, -5:]
    np.testing.assert_allclose(statistics.mean, top.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(statistics.std, top.std(axis=1), rtol=1e-9)


def test_enrolment__by_the_mean_and_by_the_frechet_mean(points: np.ndarray) -> None:
    """Both are those of sphere and ball, side by side, but for what stops the iteration."""
    space, rows = create_space(DESCRIPTION), [[0, 1, 2], [3, 4], [5]]
    near = torch.from_numpy(points)
    near = space.exp_map(near[:1], 0.4 * space.log_map(near[:1], near)).numpy()
    enrolled = enrol(space, near, rows, way=space.default_enrolment)
    parts = ((Hypersphere(), near[:, :5]), (PoincareBall(c=0.5), near[:, 5:]))
    apart = [enrol(part, own, rows, way="frechet_mean") for part, own in parts]
    np.testing.assert_allclose(enrolled, np.concatenate(apart, axis=1), atol=1e-7)
    means = cohort_means(space, near, np.repeat(["a", "b"], 20))
    apart = [cohort_means(part, own, np.repeat(["a", "b"], 20)) for part, own in parts]
    np.testing.assert_allclose(means, np.concatenate(apart, axis=1), atol=1e-12)
    assert enrol(space, near, rows, way="spherical_mean").shape == (3, 12)
    with pytest.raises(ValueError, match="needs points of a PoincareBall"):
        enrol(space, near, rows, way="einstein_midpoint")


def test_frechet_mean__is_a_minimum(points: np.ndarray) -> None:
    space, x = create_space(DESCRIPTION), torch.from_numpy(points)
    mean = frechet_mean(space, x[None])
    least = space.distance(mean, x).square().sum()
    for seed in range(5):
        step = 1e-3 * space.log_map(mean, x[seed : seed + 1])
        assert space.distance(space.exp_map(mean, step), x).square().sum() > least


@pytest.mark.parametrize("back_end", [{"name": "as_norm", "top_k": 5}, "plda", "mean_subtraction"], ids=str)
def test_back_ends__fit_and_score(back_end: str | dict[str, Any], points: np.ndarray) -> None:
    space = create_space(DESCRIPTION)
    fitted = create_back_end(back_end).fit(space, points, np.repeat(np.arange(10), 4))
    assert np.isfinite(fitted.scores(points, [0, 1], [2, 3])).all()


def test_model__is_trained_calibrated_saved_loaded_and_verifies(
    run_in_the_space: Path, voices: Path, two_recordings: tuple[Path, Path], tmp_path: Path
) -> None:
    model = load(run_in_the_space)
    assert isinstance(model.space, SphereAndBall)
    assert model.space.describe() == DESCRIPTION
    model.calibrated = calibrate_model(model, voices)
    said = model.verify(*two_recordings)
    assert said.llr is not None
    assert said.same is not None
    folder = tmp_path / "model"
    save_embedder(model, folder)
    write_card(folder, replace(model.calibrated.card, model=model_fingerprint(folder)))
    again = load(folder).verify(*two_recordings)
    assert (again.score, again.llr, again.same) == (said.score, said.llr, said.same)
    first, second = (torch.from_numpy(model.embed(path)).double() for path in two_recordings)
    assert said.score == pytest.approx(-float(model.space.distance(first, second)), rel=1e-6)


def test_model__of_a_space_that_is_not_registered_is_refused(run_in_the_space: Path) -> None:
    """A file cannot bring a class along: another process must register it first."""
    code = f"from curvox.embedder import load\nload({str(run_in_the_space)!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert 'unknown space "sphere_and_ball"' in done.stderr


def test_tree__is_measured_and_laid_out(run_in_the_space: Path, voices: Path) -> None:
    model, corpus = load(run_in_the_space), read_corpus(voices)
    utterances = tuple(sorted(set(all_trials(voices).utterances)))
    embedded = model.embed_utterances(corpus, utterances).points.astype(np.float64)
    speakers = np.unique([corpus[u].speaker for u in utterances], return_inverse=True)[1]
    paths = tree_paths(corpus, utterances, ["gender", "speaker"])
    measures = measure_tree(model.space, embedded, paths, speakers, resamples=5)
    assert measures.space == "sphere_and_ball"
    told = {measure.key for measure in measures.measures if measure.value is not None}
    assert {"delta", "purity", "cophenetic"} & told
    depths = [measure for measure in measures.measures if measure.key.startswith("depth")]
    assert depths
    assert all(measure.value is None and "no origin" in str(measure.why_none) for measure in depths)
    layout = corpus_layout(model.space, embedded)
    picture = tree_picture(model.space, embedded, paths, layout)
    assert picture.origin is None
    grown = node_dendrogram(model.space, embedded, paths)
    assert grown is not None
    assert grown.dendrogram.dissimilarity == "distance"


def test_tree__that_is_planted_is_found() -> None:
    paths = planted_paths([3, 4], 4)
    space = create_space(DESCRIPTION)
    grown = planted_points(paths, space, dim=16, spread_ratio=0.4, seed=1)
    measures = measure_tree(space, grown, paths, paths.nodes[:, -1], resamples=0)
    purity = next(measure for measure in measures.measures if "purity" in measure.key)
    assert purity.value == pytest.approx(1.0)


def test_names__of_losses_stay_what_they_were() -> None:
    """Registering a space adds nothing to other tables."""
    assert "sphere_and_ball" not in LOSSES
    with pytest.raises(UnknownNameError):
        LOSSES.load("sphere_and_ball")
