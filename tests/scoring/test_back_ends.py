"""The contract of the back ends, over their table, and what each does."""

import json
import math

import numpy as np
import pytest

from curvox.errors import InputError
from curvox.geometry import Euclidean, Hypersphere, PoincareBall, log0, mobius_add
from curvox.scoring import (
    BACK_ENDS,
    AbstractBackEnd,
    AbstractFittedBackEnd,
    TwoCovariancePLDA,
    cohort_means,
    cohort_statistics,
    create_back_end,
    normalise,
    require_other_speakers,
    restore_back_end,
    score_pairs,
)
from curvox.testing import check_back_end
from curvox.testing.back_end_contract import CHECKS, SPACES, TRIALS, draw_cohort, draw_points, fit

SETTINGS = {"as_norm": {"top_k": 5}, "plda": {"shrinkage": 0.1}}


def description_of(name):
    return {"name": name, **SETTINGS.get(name, {})}


def factory_of(name):
    return lambda: create_back_end(description_of(name))


cases = pytest.mark.parametrize(
    ("name", "space"),
    [pytest.param(name, space, id=f"{name}-{space.describe()}") for name in BACK_ENDS for space in SPACES],
)


@cases
@pytest.mark.parametrize("check", CHECKS)
def test_contract__holds(name, space, check):
    assert isinstance(fit(factory_of(name), space), AbstractFittedBackEnd)
    CHECKS[check](factory_of(name), space)


@cases
def test_restore_back_end__takes_description_and_state_by_the_name_of_the_table(name, space):
    fitted, points = fit(factory_of(name), space), draw_points(space)
    restored = restore_back_end(space, json.loads(json.dumps(fitted.describe())), fitted.state())
    np.testing.assert_array_equal(restored.scores(points, *TRIALS), fitted.scores(points, *TRIALS))
    assert restored.describe() == fitted.describe()
    with pytest.raises(InputError):
        restore_back_end(space, fitted.describe(), {**fitted.state(), "weights": np.zeros(3)})
    with pytest.raises(InputError):
        restore_back_end(space, {"name": name, "scorer": "dot"}, fitted.state())


@pytest.mark.parametrize("name", sorted(BACK_ENDS))
def test_create_back_end__is_the_inverse_of_describe(name):
    back_end = create_back_end(name)
    assert isinstance(back_end, AbstractBackEnd)
    assert BACK_ENDS.name_of(type(back_end)) == name
    assert back_end.describe()["name"] == name
    assert create_back_end(json.loads(json.dumps(back_end.describe()))).describe() == back_end.describe()


@pytest.mark.parametrize("name", sorted(name for name in BACK_ENDS if name != "plain"))
def test_back_end__refuses_to_go_without_other_speakers(name):
    space = Hypersphere()
    points, speakers = draw_cohort(space)
    back_end = create_back_end(description_of(name))
    assert back_end.needs_cohort
    with pytest.raises(InputError, match=f'"{name}" needs a cohort'):
        back_end.fit(space)
    with pytest.raises(InputError, match="two speakers"):
        back_end.fit(space, points[:4], speakers[:4])
    with pytest.raises(InputError, match="speakers must name one speaker for each of the 48 points"):
        back_end.fit(space, points, speakers[:5])


def test_plain__is_score_pairs_and_refuses_a_cohort():
    space = PoincareBall()
    points = draw_points(space)
    assert not create_back_end("plain").needs_cohort
    for scorer in (None, "cosine"):
        fitted = create_back_end({"name": "plain", "scorer": scorer}).fit(space)
        np.testing.assert_array_equal(
            fitted.scores(points, *TRIALS), score_pairs(space, points, *TRIALS, scorer=scorer)
        )
        assert fitted.describe() == {"name": "plain", "scorer": scorer or "hyperbolic"}
    with pytest.raises(InputError, match='"plain" learns nothing from a cohort'):
        create_back_end("plain").fit(space, *draw_cohort(space))


@pytest.mark.parametrize("space", SPACES, ids=lambda space: str(space.describe()))
@pytest.mark.parametrize("scorer", [None, "cosine"])
def test_norms__measure_scores_against_the_means_of_the_cohort_speakers(space, scorer):
    points, (cohort_points, speakers) = draw_points(space), draw_cohort(space)
    cohort = cohort_means(space, cohort_points, speakers)
    raw = score_pairs(space, points, *TRIALS, scorer=scorer)
    for description, top_k in (({"name": "s_norm"}, None), ({"name": "as_norm", "top_k": 5}, 5)):
        fitted = create_back_end({**description, "scorer": scorer}).fit(space, cohort_points, speakers)
        statistics = cohort_statistics(space, points, cohort, scorer=scorer, top_k=top_k)
        np.testing.assert_allclose(fitted.scores(points, *TRIALS), normalise(raw, *TRIALS, statistics), atol=1e-12)
        assert fitted.describe()["cohort_speakers"] == 12


def test_as_norm__of_the_whole_cohort_is_s_norm():
    space = Hypersphere()
    points, cohort = draw_points(space), draw_cohort(space)
    s_norm = create_back_end("s_norm").fit(space, *cohort).scores(points, *TRIALS)
    as_norm = create_back_end({"name": "as_norm", "top_k": 12}).fit(space, *cohort).scores(points, *TRIALS)
    np.testing.assert_allclose(as_norm, s_norm, atol=1e-10)


@pytest.mark.parametrize("space", [Euclidean(), Hypersphere()], ids=["flat", "sphere"])
def test_mean_subtraction__is_the_cosine_of_what_differs_from_the_mean(space):
    points, (cohort_points, speakers) = draw_points(space), draw_cohort(space)
    scores = create_back_end("mean_subtraction").fit(space, cohort_points, speakers).scores(points, *TRIALS)
    centred = (points - cohort_points.mean(0)).tolist()

    def dot(a, b):
        return math.fsum(p * q for p, q in zip(a, b, strict=True))

    for score, e, t in zip(scores, *TRIALS, strict=True):
        x, y = centred[e], centred[t]
        assert score == pytest.approx(dot(x, y) / math.sqrt(dot(x, x) * dot(y, y)), abs=1e-12)


@pytest.mark.parametrize("c", [0.1, 1.0, 4.0])
def test_mean_subtraction__in_a_ball_takes_the_mean_to_the_origin(c):
    space = PoincareBall(c=c)
    points, (cohort_points, speakers) = draw_points(space), draw_cohort(space)
    scores = create_back_end("mean_subtraction").fit(space, cohort_points, speakers).scores(points, *TRIALS)
    moved = mobius_add(-space.mean(cohort_points), points, c=c)
    np.testing.assert_allclose(scores, score_pairs(space, moved, *TRIALS, scorer="cosine"), atol=1e-12)


@pytest.mark.parametrize("c", [0.1, 1.0])
def test_plda__sees_a_ball_from_its_tangent_space(c):
    space = PoincareBall(c=c)
    points, (cohort_points, speakers) = draw_points(space), draw_cohort(space)
    fitted = create_back_end("plda").fit(space, cohort_points, speakers)
    expected = TwoCovariancePLDA.fit(log0(cohort_points, c=c), speakers).llrs(log0(points, c=c), *TRIALS)
    np.testing.assert_array_equal(fitted.scores(points, *TRIALS), expected)


@pytest.mark.parametrize("name", ["mean_subtraction", "plda"])
def test_back_end__refuses_points_outside_the_ball(name):
    space = PoincareBall()
    points, speakers = draw_cohort(space)
    with pytest.raises(InputError, match="48 points lie outside the Poincaré ball of radius 1"):
        create_back_end(name).fit(space, points * 1000, speakers)


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ("as-norm", 'unknown back end "as-norm": did you mean "as_norm"'),
        ({"top_k": 3}, 'a mapping with the key "name"'),
        ({"name": "as_norm", "topk": 3}, 'back end "as_norm" has no setting "topk": did you mean "top_k"'),
        ({"name": "mean_subtraction", "scorer": "cosine"}, 'has no setting "scorer": it takes none'),
        ({"name": "as_norm", "top_k": 1}, "top_k must be a whole number of at least 2, got 1"),
        ({"name": "as_norm", "scorer": "cosin"}, 'unknown scorer "cosin": did you mean "cosine"'),
        ({"name": "s_norm", "scorer": "dot"}, 'unknown scorer "dot"'),
        ({"name": "plain", "scorer": "dot"}, 'unknown scorer "dot"'),
    ],
)
def test_create_back_end__refuses_what_it_does_not_know(description, message):
    with pytest.raises(InputError, match=message):
        create_back_end(description)


def test_as_norm__refuses_a_cohort_too_small_for_its_top_k():
    with pytest.raises(InputError, match="top_k is 300, but the cohort has 12 speakers"):
        create_back_end("as_norm").fit(Hypersphere(), *draw_cohort(Hypersphere()))


def test_norms__refuse_a_scorer_that_does_not_fit_the_space():
    with pytest.raises(InputError, match="needs points of a PoincareBall"):
        create_back_end({"name": "s_norm", "scorer": "hyperbolic"}).fit(Hypersphere(), *draw_cohort(Hypersphere()))


def test_require_other_speakers__names_those_on_both_sides():
    require_other_speakers(["a", "b"], ["c", "d"])
    with pytest.raises(InputError, match="4 are in both: a, b, c, …; leave them out"):
        require_other_speakers("abcdx", "dcbay")


class FittedFlat(AbstractFittedBackEnd):
    """Minus the Euclidean distance, whatever the space."""

    def __init__(self, factor):
        self.factor = factor

    def scores(self, points, enrolment_index, test_index):
        raw = score_pairs(Euclidean(), points, enrolment_index, test_index)
        return self.factor * self.change(raw, np.asarray(points), np.asarray(enrolment_index))

    def change(self, scores, points, enrolment_index):
        return scores

    def describe(self):
        return {"name": "flat", "factor": self.factor}

    def state(self):
        return {}


class Flat(AbstractBackEnd):
    """A back end that keeps the contract."""

    needs_cohort = False
    fitted = FittedFlat

    def __init__(self, factor=1.0):
        self.factor = factor

    def fit(self, space, cohort_points=None, cohort_speakers=None):
        if cohort_points is not None:
            raise InputError("a flat back end learns nothing from a cohort")
        return self.fitted(self.factor)

    def restore(self, space, description, state):
        if state:
            raise InputError("a flat back end keeps no arrays")
        return self.fitted(description["factor"])

    def describe(self):
        return {"name": "flat", "factor": self.factor}


def flat(change=FittedFlat.change, scores=FittedFlat.scores, **members):
    """Make a flat back end of which something is another."""
    changed = staticmethod(change) if change is not FittedFlat.change else change
    return type(
        "Broken", (Flat,), {"fitted": type("F", (FittedFlat,), {"change": changed, "scores": scores}), **members}
    )


def without_a_look(self, points, enrolment_index, test_index):
    x = np.asarray(points)
    return -np.linalg.norm(x[np.asarray(enrolment_index) % len(x)] - x[np.asarray(test_index) % len(x)], axis=1)


def test_check_back_end__passes_a_sound_back_end():
    check_back_end(Flat)


@pytest.mark.parametrize(
    ("broken", "check", "said"),
    [
        (flat(lambda scores, points, rows: np.full(len(scores), np.inf)), "scores", "not finite"),
        (flat(lambda scores, points, rows: scores + points[rows, 0]), "scores", "which point is the enrolment"),
        (flat(lambda scores, points, rows: scores.astype(np.float32)), "scores", "float32"),
        (flat(lambda scores, points, rows: scores - scores.mean()), "trials_apart", "on the other trials"),
        (flat(lambda scores, points, rows: scores - points.mean()), "trials_apart", "on points of no trial"),
        (flat(lambda scores, points, rows: -scores), "direction", "score lower"),
        (flat(scores=without_a_look), "bad_trials", "a row beyond the last point must be refused"),
        (flat(restore=lambda self, space, description, state: self.fitted(2.0)), "restoring", "scores differently"),
        (flat(restore=lambda self, *rest: self.fitted(1.0)), "strange_state", "must be refused"),
        (flat(describe=lambda self: {"factor": 1.0}), "description", 'lacks its "name"'),
        (flat(describe=lambda self: {"name": "flat", "factor": 2 * self.factor}), "description", "another back end"),
        (flat(fit=lambda self, space, points=None, speakers=None: self.fitted(1.0)), "cohort", "must be refused"),
        (flat(needs_cohort=True, fit=lambda self, space, *cohort: self.fitted(1.0)), "cohort", "a missing cohort"),
    ],
)
def test_contract__catches_a_broken_back_end(broken, check, said):
    with pytest.raises(AssertionError, match=said):
        CHECKS[check](broken, Euclidean())


def test_check_back_end__runs_every_check_in_every_space():
    with pytest.raises(AssertionError):
        check_back_end(flat(lambda scores, points, rows: -scores))
