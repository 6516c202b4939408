"""The page of a diagnosis: every number on it, findings beside their curves, nothing fetched, nothing executed."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_up_diagnoses import NO_LOGS, embedded, everything, healthy, history, observation, sick
from page_reading import Page, require_both_themes, require_ids_that_resolve, require_nothing_from_outside

from curvox.diagnosis import CAUSES, VITALS, EmbeddedSet, EpochVitals, distance_histogram, radius_histogram
from curvox.errors import InputError
from curvox.geometry import Euclidean, Hypersphere, PoincareBall
from curvox.reports import render_diagnosis_page
from curvox.reports.figures.vitals import PANELS, curves_of, panel_of, vital_figure

ONE_CURVE = history(without=tuple(set(VITALS) - {"effective_rank"}))


@pytest.fixture(scope="module")
def html() -> str:
    return render_diagnosis_page(
        sick(), name="runs/x", observation=observation(PoincareBall()), command="curvox diagnose runs/x"
    )


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_page__begins_with_the_first_cause_and_what_to_do(page: Page) -> None:
    cause = CAUSES["label_blind"]
    start = page.text[: page.text.index("Findings")]
    for text in ("Diagnosis of runs/x", cause.title, cause.remedy, "2 failures, 2 warnings, 1 note; 7 causes"):
        assert text in start


def test_page__has_every_number_beside_the_healthy_one(page: Page) -> None:
    for text in (
        "cosine of the gradients of both labels 1 below 0.9",
        "share of the gradient that hangs on the label 0.31 % above 20 %",
        "effective rank 1.02 above 8",
        "share of one direction 97 % below 50 %",
        "recordings of the largest speaker 12,345 below 500",
        "Where: speakers a & b",
        "margin scale NaN rising",
        "Effective rank 1.02 of the batch",
        "Dev EER 50 %",
        "Gradient norm infinite",
        "curvox diagnose runs/x",
    ):
        assert text in page.text


def test_page__says_of_every_cause_whether_it_was_looked_for(page: Page) -> None:
    for cause in CAUSES.values():
        assert f"{cause.title} {cause.name}" in page.text
    table = page.text[page.text.index("What was and was not looked for") :]
    assert f"{CAUSES['overfitting'].title} overfitting not checked {NO_LOGS}" in table
    assert f"{CAUSES['collapse'].title} collapse failure found" in table
    assert f"{CAUSES['hubness'].title} hubness not found" in table
    assert f"{CAUSES['not_finite'].title} not_finite not checked no check" in table


def labels(page: Page) -> list[str]:
    return [label for tag, key, label in page.attributes if (tag, key) == ("svg", "aria-label")]


def test_page__draws_every_vital_sign_and_both_histograms(page: Page) -> None:
    pictures = page.tags.count("svg")
    # The blind loss stands beside its consequence's rank, the note beside the margin's scale.
    assert pictures == page.tags.count("figcaption") == len(PANELS) + 2 + 2
    assert [label.split(" over")[0] for label in labels(page)[:2]] == ["Effective rank of a batch", "Margin scale"]
    assert all(label.startswith("Histogram") for label in labels(page)[-2:])


def test_panels__show_every_vital_sign_once() -> None:
    shown = [vital for panel in PANELS for vital in panel.vitals]
    assert sorted(shown) == sorted(VITALS)
    assert all(vital in panel_of(vital).vitals for vital in VITALS)


def test_page__draws_only_what_the_run_has() -> None:
    small = history(without=tuple(set(VITALS) - {"loss", "gradient_norm"}))
    page = Page(render_diagnosis_page(sick(), name="x", history=small))
    assert [label.split(" over")[0] for label in labels(page)] == ["Loss", "Norm of the gradient"]


def test_page__of_one_batch_has_no_curves() -> None:
    page = Page(render_diagnosis_page(sick(), name="x"))
    assert "svg" not in page.tags
    assert "Vital signs over the run" not in page.text
    assert "Vital signs in numbers" in page.text


def test_page__of_a_healthy_run_says_what_was_looked_for() -> None:
    page = Page(render_diagnosis_page(healthy(), name="x"))
    assert "Healthy: none of the 3 causes looked for" in page.text
    assert "remedy" not in page.text
    assert "It explains" not in page.text
    assert page.tags.count("article") == 0


def test_page__stands_with_everything_found() -> None:
    page = Page(render_diagnosis_page(everything(), name="x", history=ONE_CURVE))
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    for cause in CAUSES.values():
        assert cause.title in page.text


def test_page__asks_for_nothing_from_outside_and_knows_the_dark(html: str) -> None:
    require_nothing_from_outside(html)
    require_ids_that_resolve(html)
    require_both_themes(html)


def test_page__is_the_same_every_time() -> None:
    first, again = (
        render_diagnosis_page(sick(), name="x", history=ONE_CURVE, observation=observation()) for _ in range(2)
    )
    assert first == again


def test_page__takes_every_text_as_text() -> None:
    evil = "<script>alert('x')</script>"
    first = sick().findings[0]
    evidence = replace(first.evidence[0], measure=evil, healthy=evil, unit=evil)
    findings = (replace(first, evidence=(evidence,), where=evil),)
    gaps = tuple(replace(gap, why=evil) for gap in sick().not_checked)
    diagnosis = replace(sick(), findings=findings, not_checked=gaps, vitals={evil: 1.0})
    written = render_diagnosis_page(diagnosis, name=evil, command=evil, versions=((evil, evil),))
    assert "<script" not in written
    assert Page(written).text.count(evil) >= 12


def test_curves__leave_out_steps_without_a_value() -> None:
    whole = history()
    steps, values = curves_of(whole, panel_of("effective_rank"))["effective_rank"]
    np.testing.assert_array_equal(steps, whole.steps[::2])
    np.testing.assert_array_equal(values, whole.signs["effective_rank"][::2])


def test_curves__of_epochs_stand_at_their_last_step() -> None:
    steps, values = curves_of(history(), panel_of("dev_eer"))["dev_eer"]
    np.testing.assert_array_equal(steps, [100, 200, 300, 400])
    np.testing.assert_allclose(values, [0.25, 0.3, 0.35, 0.4])
    # The last epoch may have been cut short by the number of steps.
    steps, _ = curves_of(replace(history(), planned_steps=350), panel_of("dev_eer"))["dev_eer"]
    np.testing.assert_array_equal(steps, [100, 200, 300, 350])
    # The loss of the epochs stands in where no step was logged.
    steps, values = curves_of(history(without=("loss",)), panel_of("loss"))["loss"]
    np.testing.assert_allclose(values, [1, 1 / 2, 1 / 3, 1 / 4])


def test_curves__of_a_run_that_died_at_once_are_none() -> None:
    dead = replace(history(steps=1, without=tuple(VITALS)), epochs=(EpochVitals(1, None, None),))
    assert all(curves_of(dead, panel) == {} for panel in PANELS)
    with pytest.raises(InputError, match="no loss to draw"):
        vital_figure(dead, PANELS[0], name="x")
    assert "svg" not in Page(render_diagnosis_page(sick(), name="x", history=dead)).tags


def test_distance_histogram__counts_the_pairs_that_a_loop_counts() -> None:
    items = embedded(Euclidean(), speakers=4, recordings=3)
    found = distance_histogram(items, bins=7)
    assert found is not None
    kinds: dict[bool, list[float]] = {True: [], False: []}
    for i in range(12):
        for j in range(i):
            kinds[bool(items.speakers[i] == items.speakers[j])].append(float((items.raw[i] - items.raw[j]).norm()))
    assert (found.same_pairs, found.different_pairs) == (len(kinds[True]), len(kinds[False])) == (12, 54)
    for shares, values in ((found.same, kinds[True]), (found.different, kinds[False])):
        edges = np.linspace(0, max(kinds[True] + kinds[False]), 8)
        expected = np.histogram(np.minimum(values, edges[-1]), edges)[0] / len(values)
        np.testing.assert_allclose(shares, expected, atol=1e-12)
        assert shares.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("space", [Euclidean(), Hypersphere(), PoincareBall(c=2.0)], ids=lambda s: type(s).__name__)
def test_radius_histogram__is_of_the_points_on_the_ball_and_of_the_vectors_elsewhere(space) -> None:
    items = embedded(space)
    found = radius_histogram(items, bins=10)
    assert found is not None
    assert found.on_ball == isinstance(space, PoincareBall)
    assert found.shares.sum() == pytest.approx(1.0)
    if found.on_ball:
        radii = space.project(items.raw.double()).norm(dim=-1).numpy() * 2.0**0.5
        np.testing.assert_allclose(found.shares, np.histogram(radii, np.linspace(0, 1, 11))[0] / len(radii))
    else:
        assert found.edges[-1] == pytest.approx(float(items.raw.norm(dim=-1).max()))


@pytest.mark.parametrize(
    "items",
    [
        EmbeddedSet(torch.randn(4, 3), torch.arange(4), Euclidean()),
        EmbeddedSet(torch.randn(4, 3), torch.zeros(4, dtype=torch.long), Euclidean()),
        EmbeddedSet(torch.full((4, 3), torch.nan), torch.tensor([0, 0, 1, 1]), Euclidean()),
    ],
    ids=["nobody twice", "one speaker", "NaN"],
)
def test_distance_histogram__is_none_without_both_kinds_of_finite_pairs(items: EmbeddedSet) -> None:
    assert distance_histogram(items) is None
    render_diagnosis_page(sick(), name="x", observation=replace(observation(), train=items, history=None))


def test_page__draws_embeddings_that_are_all_one_point() -> None:
    items = EmbeddedSet(torch.zeros(6, 3), torch.arange(3).repeat(2), Euclidean())
    page = Page(render_diagnosis_page(sick(), name="x", observation=replace(observation(), train=items, history=None)))
    assert "All pairs of the recordings" in page.text
