"""LevelPrototypes: values, nodes that are whole paths, labels that are unknown, and a planted tree that is learnt."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from curvox.errors import InputError
from curvox.geometry import AbstractSpace, Clip, Euclidean, Hypersphere, PoincareBall
from curvox.losses import AbstractLoss, AMSoftmax, Combined, HAMSoftmax, LevelPrototypes, WeightedLoss

EMBEDDINGS = [[-0.512, 1.023, -0.452], [-0.63, -1.86, -0.427], [2.224, 0.848, 2.074], [0.498, 0.79, 0.371]]
EMBEDDINGS += [[-3.332, 1.711, 1.013]]
PROTOTYPES = [[0.299, -1.015, -1.046], [-0.534, -0.281, 0.183], [-0.028, 0.313, -0.385], [0.185, 0.236, -0.397]]
PROTOTYPES += [[0.412, -0.177, 0.268]]
SPEAKERS = [0, 1, 2, 3, 0]
TREE = {"language": [0, 1, 0, 1], "gender": [0, 1, 1, -1]}
NODES = [[0, 0], [1, 2], [0, 1], [1, -1]]

# computed once in 50-digit arithmetic
REFERENCE: dict[str, tuple[dict[str, Any], float]] = {
    "ball of ham_softmax": ({"scale": 10.0}, 5.19271080335243812),
    "c = 0.1, margin, weights": (
        {"space": PoincareBall(c=0.1, lift=Clip(2.0)), "scale": 10.0, "margin": 0.2, "level_weights": [1.0, 0.25]},
        16.6866331405881427,
    ),
    "hypersphere": ({"space": Hypersphere(), "scale": 5.0}, 3.32170135920545486),
    "euclidean": ({"space": Euclidean(), "scale": 1.0}, 1.81706709386385267),
}
PRECISION = {torch.float64: 1e-10, torch.float32: 1e-4}


def set_prototypes(loss: LevelPrototypes, values: Tensor | Sequence[Sequence[float]]) -> LevelPrototypes:
    with torch.no_grad():
        loss.prototypes.copy_(torch.as_tensor(values))
    return loss


@pytest.mark.parametrize("dtype", PRECISION)
@pytest.mark.parametrize("name", REFERENCE)
def test_loss__equals_the_reference_value(name: str, dtype: torch.dtype) -> None:
    options, expected = REFERENCE[name]
    loss = LevelPrototypes(3, 4, tree=TREE, **options).to(dtype)
    set_prototypes(loss, torch.tensor(PROTOTYPES, dtype=dtype))
    assert loss.nodes.tolist() == NODES
    found = loss(torch.tensor(EMBEDDINGS, dtype=dtype), torch.tensor(SPEAKERS))
    assert found.value.item() == pytest.approx(expected, rel=PRECISION[dtype])


def slow_terms(
    loss: LevelPrototypes, space: AbstractSpace, embeddings: Tensor, speakers: Tensor, tree: dict[str, list[int]]
) -> list[float]:
    """The loss of every item by plain Python, from the labels and one distance at a time."""
    labels = list(tree.values())
    total = []
    for z, y in zip(embeddings, speakers.tolist(), strict=True):
        item, first = 0.0, 0
        for level, weight in enumerate(loss.level_weights):
            paths = [tuple(of[n] for of in labels[: level + 1]) for n in range(len(labels[0]))]
            nodes = sorted({path for path in paths if min(path) >= 0})
            rows = loss.prototypes[first : first + len(nodes)]
            first += len(nodes)
            if min(paths[y]) < 0:
                continue
            own = nodes.index(paths[y])
            logits = [
                -loss.scale * (space.distance(space.project(z), space.project(p)).item() + (k == own) * loss.margin)
                for k, p in enumerate(rows)
            ]
            item += weight * (math.log(sum(math.exp(logit) for logit in logits)) - logits[own])
        total.append(item)
    return total


@pytest.mark.parametrize("space", [PoincareBall(c=2.0, lift=Clip(0.6)), Hypersphere(), Euclidean()], ids=repr)
@settings(max_examples=10)
@given(
    labels=st.lists(st.tuples(*[st.integers(-1, 2)] * 3), min_size=4, max_size=9),
    seed=st.integers(0, 99),
    margin=st.sampled_from([0.0, 0.3]),
)
def test_loss__equals_slow_loops(space: AbstractSpace, labels: list[tuple[int, ...]], seed: int, margin: float) -> None:
    labels += [(0, 0, 0), (1, 1, 1)]  # two nodes at least
    tree = {name: list(of) for name, of in zip("abc", zip(*labels, strict=True), strict=True)}
    weights = [0.5, 1.0, 2.0]
    loss = LevelPrototypes(4, len(labels), tree=tree, level_weights=weights, scale=3.0, margin=margin, space=space)
    generator = torch.Generator().manual_seed(seed)
    loss = set_prototypes(loss.double(), torch.randn(loss.prototypes.shape, generator=generator).double())
    embeddings = torch.randn(6, 4, generator=generator).double()
    speakers = torch.randint(len(labels), (6,), generator=generator)
    with torch.no_grad():
        found = loss(embeddings, speakers).per_item
        assert found.tolist() == pytest.approx(slow_terms(loss, space, embeddings, speakers, tree), rel=1e-9, abs=1e-9)


def test_node__is_a_whole_path_and_an_unknown_one_has_no_known_children() -> None:
    tree = {"language": [5, 5, 9, 9, -1, 5], "gender": [0, 1, 0, 0, 1, -1]}
    loss = LevelPrototypes(3, 6, tree=tree)
    assert loss.nodes.tolist() == [[0, 0], [0, 1], [1, 2], [1, 2], [-1, -1], [0, -1]]
    assert loss.paths == (((5,), (9,)), ((5, 0), (5, 1), (9, 0)))
    assert loss.prototypes.shape == (5, 3)
    only = LevelPrototypes(3, 6, tree=tree, levels=["gender"])
    assert only.nodes.tolist() == [[0], [1], [0], [0], [1], [-1]]
    other = LevelPrototypes(3, 6, tree=tree, levels=["gender", "language"])
    assert other.levels == ("gender", "language")
    assert other.nodes[:, 1].tolist() == [0, 2, 1, 1, -1, -1]


def test_speakers__are_the_nodes_where_there_is_no_tree() -> None:
    loss = LevelPrototypes(3, 5)
    assert loss.levels == ("speaker",)
    assert loss.nodes.flatten().tolist() == [0, 1, 2, 3, 4]


def test_unknown_labels__give_neither_loss_nor_gradient() -> None:
    loss = LevelPrototypes(3, 4, tree={"gender": [0, 1, -1, -1]}).double()
    embeddings = torch.tensor(EMBEDDINGS, dtype=torch.float64, requires_grad=True)
    output = loss(embeddings, torch.tensor([0, 2, 1, 3, 2]))
    output.value.backward()
    assert embeddings.grad is not None
    is_known = torch.tensor([True, False, True, False, False])
    assert (output.per_item[~is_known] == 0).all()
    assert (output.per_item[is_known] > 0).all()
    assert (embeddings.grad[~is_known] == 0).all()
    assert (embeddings.grad[is_known].abs().amax(1) > 0).all()
    torch.testing.assert_close(output.parts["gender"], output.per_item.detach().sum() / 2)
    nobody = loss(embeddings, torch.tensor([2, 3, 2, 3, 2]))
    nobody.value.backward()
    assert nobody.value.item() == nobody.parts["gender"].item() == 0.0


def test_log__counts_what_is_nearest_to_its_own_prototype() -> None:
    loss = LevelPrototypes(2, 4, tree={"gender": [0, 1, -1, 1]}, space=Euclidean())
    set_prototypes(loss, [[1.0, 0.0], [-1.0, 0.0]])
    embeddings = torch.tensor([[0.9, 0.0], [0.8, 0.0], [0.7, 0.0], [-0.7, 0.0]])
    assert loss(embeddings, torch.arange(4)).parts["gender_accuracy"].item() == pytest.approx(2 / 3)


@pytest.mark.parametrize("c", [0.1, 1.0, 4.0])
def test_loss__keeps_its_digits_at_the_rim(c: float) -> None:
    """In float32, where the gap of a clipped point to the rim has lost half of its digits when it is subtracted."""
    generator = torch.Generator().manual_seed(3)
    raw = torch.randn(4, 6, generator=generator) * 100.0 / c**0.5
    rows = torch.randn(2, 6, generator=generator) * 100.0 / c**0.5
    loss = set_prototypes(LevelPrototypes(6, 4, tree={"a": [0, 1, 0, 1]}, space=PoincareBall(c=c, lift=Clip())), rows)
    loss.scale = c**0.5
    speakers = torch.arange(4)
    with mpmath.workdps(40):
        rim = mpmath.sqrt(1 - mpmath.mpf(str(1e-5)) * (2 - mpmath.mpf(str(1e-5)))) / mpmath.sqrt(c)
        expected = []
        for z, y in zip(raw.tolist(), loss.nodes[:, 0].tolist(), strict=True):
            d = [_exact_distance(z, p, radius=rim, c=c) for p in rows.tolist()]
            gap = mpmath.sqrt(c) * (d[y] - d[1 - y])
            expected.append(float(mpmath.log1p(mpmath.exp(gap))))
    np.testing.assert_allclose(loss(raw, speakers).per_item.tolist(), expected, rtol=2e-5)


def _exact_distance(z: list[float], p: list[float], *, radius: Any, c: float) -> Any:
    x, y = ([mpmath.mpf(v) * radius / mpmath.norm(vector) for v in vector] for vector in (z, p))
    squares = [mpmath.fsum(v * v for v in point) for point in (x, y)]
    u = 2 * c * mpmath.fsum((a - b) ** 2 for a, b in zip(x, y, strict=True)) / mpmath.fprod(1 - c * s for s in squares)
    return mpmath.acosh(1 + u) / mpmath.sqrt(c)


def test_state__is_what_was_learnt() -> None:
    loss = LevelPrototypes(3, 4, tree=TREE)
    assert set(loss.state_dict()) == {"prototypes"}
    assert loss.half().nodes.dtype == torch.int64
    twin = copy.deepcopy(loss)
    assert twin.prototypes is not loss.prototypes
    assert torch.equal(twin.nodes, loss.nodes)


def test_combined__adds_it_to_a_loss_of_speakers_and_schedules_its_margin() -> None:
    speaker_loss, levels = HAMSoftmax(3, 4), LevelPrototypes(3, 4, tree=TREE, margin=0.4)
    loss = Combined(3, 4, parts=[WeightedLoss(1.0, speaker_loss), WeightedLoss(0.1, levels)])
    assert loss.space is speaker_loss.space
    embeddings, speakers = torch.tensor(EMBEDDINGS), torch.tensor(SPEAKERS)
    output = loss(embeddings, speakers)
    parts = [part(embeddings, speakers) for part in (speaker_loss, levels)]
    torch.testing.assert_close(output.per_item, parts[0].per_item + 0.1 * parts[1].per_item)
    assert {"level_prototypes/language", "level_prototypes/gender_accuracy"} <= set(output.parts)
    loss.set_margin_scale(0.5)
    assert levels.margin == 0.2


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"levels": ["gender"]}, "need the tree"),
        ({"levels": "gender", "tree": TREE}, "list of names"),
        ({"levels": [], "tree": TREE}, "list of names"),
        ({"levels": ["gendre"], "tree": TREE}, 'did you mean "gender"'),
        ({"levels": ["gender", "gender"], "tree": TREE}, "each named once"),
        ({"tree": {}}, "at least one"),
        ({"tree": {"gender": [0, 1, 0]}}, "each of the 4 speakers"),
        ({"tree": {"gender": [0, 1, 0, -2]}}, "-1 for unknown"),
        ({"tree": {"gender": [False, True, False, True]}}, "got 4, such as False, True"),
        ({"tree": {"gender": np.array([0, 1, 0, 1]) == 1}}, "got 4, such as np.False_, np.True_"),
        ({"tree": {"gender": np.array([0.0, 1.0, 0.0, 1.0])}}, "a whole number for each"),
        ({"tree": {"gender": [0, 0, -1, 0]}}, "1 node with"),
        ({"tree": {"gender": [-1] * 4}}, "0 nodes"),
        ({"tree": {"language": [0, 1, -1, -1], "gender": [-1, 0, 1, 0]}}, '"gender" has 1 node'),
        ({"tree": TREE, "level_weights": [1.0]}, "2 numbers above 0"),
        ({"tree": TREE, "level_weights": [1.0, 0.0]}, "level_weights"),
        ({"scale": 0.0}, "scale"),
        ({"prototype_std": 0.0}, "prototype_std"),
    ],
)
def test_constructor__refuses_what_does_not_fit(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        LevelPrototypes(3, 4, **options)


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint16])
def test_tree__may_hold_numbers_of_numpy(dtype: type) -> None:
    arrays = {level: np.array(labels).clip(min=0).astype(dtype) for level, labels in TREE.items()}
    lists = {level: labels.tolist() for level, labels in arrays.items()}
    found, expected = LevelPrototypes(3, 4, tree=arrays), LevelPrototypes(3, 4, tree=lists)
    assert found.nodes.tolist() == expected.nodes.tolist()
    assert found.paths == expected.paths
    assert {type(label) for level in found.paths for path in level for label in path} == {int}
    one_by_one = LevelPrototypes(3, 4, tree={"gender": [np.int64(0), 1, np.int64(-1), 1]})
    assert one_by_one.nodes[:, 0].tolist() == [0, 1, -1, 1]


PEOPLE, GROUPS = 24, 4


def planted(seed: int) -> tuple[Tensor, Tensor]:
    """Features (PEOPLE * 6, 32): a weak mark of the group, a strong one of the person, and noise; and the people."""
    generator = torch.Generator().manual_seed(seed)
    marks = torch.randn(GROUPS, 32, generator=torch.Generator().manual_seed(0))
    people = torch.arange(PEOPLE).repeat_interleave(6)
    persons = torch.randn(PEOPLE, 32, generator=generator)
    noise = torch.randn(len(people), 32, generator=generator)
    return 0.5 * marks[people % GROUPS] + persons[people] + 0.3 * noise, people


def trained(loss: AbstractLoss) -> torch.nn.Linear:
    torch.manual_seed(1)
    encoder = torch.nn.Linear(32, 16)
    optimiser = torch.optim.Adam([*encoder.parameters(), *loss.parameters()], lr=0.02)
    features, people = planted(seed=1)
    for _ in range(50):
        optimiser.zero_grad()
        loss(encoder(features), people).value.backward()
        optimiser.step()
    return encoder


@torch.no_grad()
def separations(encoder: torch.nn.Linear, space: AbstractSpace) -> tuple[float, float]:
    """Of people never trained on: mean distance between groups over that within them, without recordings of one person;
    and the share of pairs of two people that are nearer than a pair of one."""
    features, people = planted(seed=2)
    points = space.project(encoder(features))
    distances = space.pairwise_distance(points, points)
    same_person = people[:, None] == people
    same_group = people[:, None] % GROUPS == people % GROUPS
    group = distances[~same_group].mean() / distances[same_group & ~same_person].mean()
    own = distances[same_person & ~torch.eye(len(people), dtype=torch.bool)]
    errors = (distances[~same_person][None, ::4] < own[:, None]).float().mean()
    return group.item(), errors.item()


@pytest.mark.parametrize("speaker_loss", [AMSoftmax, HAMSoftmax])
def test_planted_tree__is_learnt_beside_the_speakers(speaker_loss: type[AMSoftmax | HAMSoftmax]) -> None:
    """Speakers of a group come together, those never heard too, and each is told from the others as well as before."""
    torch.manual_seed(0)
    alone = speaker_loss(16, PEOPLE)
    beside = copy.deepcopy(alone)
    tree = {"group": [n % GROUPS for n in range(PEOPLE)]}
    groups = LevelPrototypes(16, PEOPLE, tree=tree, space=alone.space, scale=5.0)
    both = Combined(16, PEOPLE, parts=[WeightedLoss(1.0, beside), WeightedLoss(1.0, groups)])
    before, errors_before = separations(trained(alone), alone.space)
    after, errors_after = separations(trained(both), both.space)
    assert after > 1.1 * before
    assert errors_after < errors_before + 0.005
