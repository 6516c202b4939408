"""The page: everything on it, nothing fetched, nothing executed, never over another file."""

from dataclasses import replace

import pytest
from page_reading import Page, require_both_themes, require_ids_that_resolve, require_nothing_from_outside

from curvox.errors import InputError, OutputExistsError
from curvox.reports import Report, render_page, write_page
from curvox.reports.tables.tables import percent, percent_interval


@pytest.fixture(scope="module")
def report(systems):
    return Report(
        title="Four losses",
        subtitle="On made-up scores.",
        systems=systems,
        corpus=(("Test", "12 speakers & 900 trials"),),
        notes=("Nobody spoke.", "Twice."),
        command='curvox demo --out "x"',
        seed=42,
        papers=("fang2026ham",),
        versions=(("curvox", "9.9.9"),),
    )


@pytest.fixture(scope="module")
def small(report):
    """A report that is quick to render."""
    system = report.systems[0]
    return replace(report, systems=(replace(system, history=(), disk=None),))


@pytest.fixture(scope="module")
def bare(without_figures):
    """A report without a picture."""
    return Report("t", "s", (without_figures,))


@pytest.fixture(scope="module")
def html(report):
    return render_page(report)


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_page__shows_every_system_with_its_figures(page, systems):
    for system in systems:
        evaluation = system.evaluation
        eer = f"{percent(evaluation.eer.value)} {percent_interval(evaluation.eer_interval)}"
        row = f"{system.title} {system.space} {eer} {evaluation.min_dcf[0].value:.3f} "
        assert row in page.text
        group = evaluation.groups["corpus_a"]
        assert f"{system.title} {percent(group.eer.value)} {percent_interval(group.eer_interval)} " in page.text
    assert page.text.count("300 600 12 1 min 15 s 1,234,567") == len(systems)


def test_page__shows_what_the_report_says(page, report):
    for text in (report.title, report.subtitle, *report.corpus[0], *report.notes, report.command, "curvox 9.9.9", "42"):
        assert text in page.text
    assert "20 resamples of the speakers, seed 0" in page.text
    assert "@misc{fang2026ham," in page.text


def test_page__says_why_figures_are_missing(page, systems, without_figures):
    assert page.text.count("– no target trials") == len(systems)
    mixed = Page(render_page(Report("t", "s", (systems[0], without_figures))))
    assert "Not drawn: Strangers only (no target trials)." in mixed.text
    alone = Page(render_page(Report("t", "s", (without_figures,))))
    assert "Strangers only Poincaré ball, c = 1 – no target trials 0 50 5" in alone.text
    assert "DET curves" not in alone.text


def test_page__shows_one_missing_cost_without_hiding_the_rest(systems):
    evaluation = systems[0].evaluation
    less = replace(evaluation, figures=tuple(f for f in evaluation.figures if f.key != "min_dcf:0.05"))
    page = Page(render_page(Report("t", "s", (replace(systems[0], name="less", evaluation=less), systems[1]))))
    assert "– minDCF(0.05) was not evaluated" in page.text
    assert f"{percent(evaluation.eer.value)} {percent_interval(evaluation.eer_interval)}" in page.text


def test_page__asks_for_nothing_from_outside_and_knows_the_dark(html):
    require_nothing_from_outside(html)
    require_ids_that_resolve(html)
    require_both_themes(html)


def test_page__has_labels_for_figures_and_captions_for_tables(page):
    assert page.tags.count("svg") == page.tags.count("figcaption") == 4 + 4
    assert len([label for tag, key, label in page.attributes if (tag, key) == ("svg", "aria-label") and label]) == 8
    assert page.tags.count("caption") == page.tags.count("table") == 2
    assert page.attributes.count(("html", "lang", "en")) == 1
    assert ("meta", "name", "viewport") in page.attributes


def test_page__takes_every_text_as_text(systems):
    evil = "<script>alert('x')</script>"
    system = replace(systems[0], name=evil, title=evil, space=evil)
    report = Report(evil, evil, (system,), ((evil, evil),), (evil,), evil, versions=((evil, evil),))
    written = render_page(report)
    assert "<script" not in written
    page = Page(written)
    assert page.text.count(evil) >= 12
    assert "script" not in page.tags


def test_page__is_the_same_every_time(small):
    assert render_page(small) == render_page(small)


def test_page__leaves_out_sections_without_content(systems):
    bare = replace(systems[0], evaluation=replace(systems[0].evaluation, groups={}), history=(), disk=None)
    page = Page(render_page(Report("t", "", (replace(bare, parameters=None, training_s=None),), versions=())))
    for heading in ("Data", "Notes", "By group of trials", "Embeddings in the Poincaré disk", "Learning curves"):
        assert heading not in page.text
    assert page.tags.count("svg") == 2


def test_page__of_four_systems_with_300_points_is_below_2_mb(systems, large_disk):
    large = tuple(replace(system, disk=large_disk) for system in systems)
    assert len(render_page(Report("t", "s", large)).encode()) < 2_000_000


def test_report__names_the_installed_versions(systems):
    versions = dict(Report("t", "s", systems).versions)
    assert {"Python", "numpy", "matplotlib"} <= set(versions)


def test_report__refuses_no_system_and_two_of_one_name(systems):
    with pytest.raises(InputError, match="at least one system"):
        Report("t", "s", ())
    with pytest.raises(InputError, match="must differ, got softmax"):
        Report("t", "s", (systems[0], systems[0]))


def test_write_page__writes_what_is_rendered_and_never_over_a_file(bare, tmp_path):
    path = tmp_path / "new" / "report.html"
    html = render_page(bare)
    write_page(bare, path)
    assert path.read_text(encoding="utf-8") == html
    path.write_text("mine")
    with pytest.raises(OutputExistsError, match="exists already"):
        write_page(bare, path)
    assert path.read_text() == "mine"
    write_page(bare, str(path), overwrite=True)
    assert path.read_text(encoding="utf-8") == html
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def test_write_page__keeps_the_old_page_when_the_disk_is_full(bare, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("mine")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_page(bare, path, overwrite=True)
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
    assert path.read_text() == "mine"


def test_write_page__refuses_a_folder(bare, tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        write_page(bare, tmp_path, overwrite=True)
