"""The catalogue of sabotaged runs is complete, and outcomes are counted rightly."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from sabotage import CASES, IMPOSSIBLE, Corpora, Outcome, case_of, tally, wilson
from sabotage.layers import Chaos, Constant, GradientTimes
from torch import nn

from curvox.diagnosis import CAUSES


def test_catalogue__has_enough_runs_of_both_kinds() -> None:
    groups = Counter(case.group for case in CASES.values())
    assert groups["sabotaged"] >= 84
    assert groups["healthy"] >= 44


@pytest.mark.parametrize("part", ["dev", "test"])
def test_catalogue__covers_every_cause_in_both_sets_of_seeds(part: str) -> None:
    ill = {case.cause for case in CASES.values() if case.group == "sabotaged" and case.part == part}
    assert ill == set(CAUSES) - set(IMPOSSIBLE)
    noted = {case.cause for case in CASES.values() if case.group == "healthy" and case.part == part}
    assert noted == {"", *IMPOSSIBLE}


def test_catalogue__uses_both_corpora_for_most_causes() -> None:
    corpora = {case.cause: set[str]() for case in CASES.values()}
    for case in CASES.values():
        corpora[case.cause].add(case.corpus)
    both = [cause for cause, names in corpora.items() if len(names) > 1]
    assert len(both) >= 0.9 * len(corpora)


def test_recipes__can_all_be_built() -> None:
    corpora = Corpora({name: {"path": "."} for name in ("voices", "openvoices", "openvoices_uneven")})
    built = set()
    for case in {case.name.rpartition("/")[0]: case for case in CASES.values()}.values():  # one seed of each
        recipe = case.recipe(corpora)
        assert recipe.data.crops_per_epoch == case.steps * recipe.data.batch_size
        what = case.name.rsplit("/", 2)[0]
        if what in built:  # on another corpus, which the model does not know
            continue
        built.add(what)
        embedder, loss = case.build(recipe, 40)
        assert embedder.space is loss.space
        assert loss.dim == embedder.embedding_dim


def test_build__draws_the_same_weights_for_the_same_seed() -> None:
    corpora = Corpora({"voices": {"path": "."}})
    case = case_of("exploding_gradient/spikes/voices/1")
    models = []
    for _ in range(2):
        torch.manual_seed(5)
        models.append(case.build(case.recipe(corpora), 10)[0].state_dict())
    torch.testing.assert_close(models[0], models[1], rtol=0, atol=0)


def outcome(group: str, cause: str, *findings: tuple[str, str]) -> Outcome:
    return Outcome("a", cause, group, "dev", "voices", tuple((c, s, "") for c, s in findings))


def test_verdict__tells_first_found_and_missed() -> None:
    ill = [
        outcome("sabotaged", "collapse", ("collapse", "failure")),
        outcome("sabotaged", "collapse", ("hubness", "warning"), ("collapse", "warning")),
        outcome("sabotaged", "collapse", ("healthy", "healthy")),
        outcome("sabotaged", "collapse"),
    ]
    counts = tally(ill)
    assert (counts.runs, counts.first, counts.found, counts.missed) == (4, 1, 1, 2)
    assert counts.instead == {"hubness": 1, "healthy": 1, "error": 1}
    assert [o.right for o in ill] == [True, False, False, False]


def test_healthy__is_right_without_a_failure_and_with_the_note_that_belongs_to_it() -> None:
    assert outcome("healthy", "", ("hubness", "warning")).right
    assert not outcome("healthy", "", ("collapse", "failure")).right
    assert not outcome("healthy", "").right
    assert outcome("healthy", "margin_ramp", ("healthy", "healthy"), ("margin_ramp", "note")).right
    assert not outcome("healthy", "margin_ramp", ("healthy", "healthy")).right


@pytest.mark.parametrize(
    ("hits", "runs", "interval"), [(9, 10, (0.596, 0.982)), (0, 20, (0.0, 0.161)), (0, 0, (0.0, 1.0))]
)
def test_wilson__matches_published_values(hits: int, runs: int, interval: tuple[float, float]) -> None:
    assert wilson(hits, runs) == pytest.approx(interval, abs=1e-3)


def test_modules__are_plain() -> None:
    """All layers of the catalogue can be saved and loaded like any other."""
    layers: list[nn.Module] = [Chaos(4, turns=2, gain=1.0), Constant(4), GradientTimes(2.0)]
    for layer in layers:
        layer.load_state_dict(layer.state_dict())
