"""The bench file, its grids and its cells."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_benches import AM, HAM, write_bench

from curvox.bench import check_settings, chosen_cells, read_bench, recipe_of
from curvox.bench.cells import cells_of, changed_keys, recipe_digest
from curvox.bench.spec import expand_grid
from curvox.errors import InputError, RecipeError, UnknownNameError
from curvox.training import dump_recipe, override, read_recipe, recipe_from

BASE: dict[str, Any] = {
    "name": "base",
    "data": {"dev_trials": "trials/dev.txt", "crop_s": 0.6, "batch_size": 8},
    "encoder": {"name": "ecapa_tdnn", "channels": 16, "aggregation_channels": 24, "embedding_dim": 12},
    "loss": {"name": "am_softmax"},
    "training": {"epochs": 2, "accelerator": "cpu"},
}


def refused(folder: Path, *said: str, base: dict[str, Any] = BASE, **changes: Any) -> None:
    with pytest.raises(RecipeError) as caught:
        read_bench(write_bench(folder, base, **changes))
    for text in said:
        assert text in str(caught.value)


def test_bench__lays_each_setting_over_the_base(tmp_path: Path) -> None:
    bench = read_bench(write_bench(tmp_path, BASE, seeds=[4, 2], rival="am", levels=["gender", "speaker"]))
    assert (bench.seeds, bench.rival, bench.levels) == ((4, 2), "am", ("gender", "speaker"))
    recipe = recipe_of(bench.setting("ham"), 2)
    assert (recipe.name, recipe.seed) == ("ham-seed_2", 2)
    assert recipe.loss == HAM["recipe"]["loss"]
    assert recipe.training.epochs == 2


def test_cells__come_seed_by_seed_numbered_from_1(tmp_path: Path) -> None:
    bench = read_bench(write_bench(tmp_path, BASE, seeds=[4, 2]))
    assert [(c.number, c.name) for c in cells_of(bench)] == [
        (1, "am-seed_4"),
        (2, "ham-seed_4"),
        (3, "am-seed_2"),
        (4, "ham-seed_2"),
    ]
    assert [c.name for c in chosen_cells(bench, settings=["ham"])] == ["ham-seed_4", "ham-seed_2"]
    assert [c.number for c in chosen_cells(bench, seeds=[2])] == [3, 4]
    assert [c.name for c in chosen_cells(bench, cell="3")] == ["am-seed_2"]
    assert [c.number for c in chosen_cells(bench, cell="am-seed_2")] == [3]


def test_chosen_cells__refuses_what_is_not_in_the_bench(tmp_path: Path) -> None:
    bench = read_bench(write_bench(tmp_path, BASE))
    with pytest.raises(UnknownNameError, match=r'"hamm".*did you mean "ham"'):
        chosen_cells(bench, settings=["am", "hamm"])
    with pytest.raises(InputError, match=r"seeds \[1\], not 7"):
        chosen_cells(bench, seeds=[7])
    with pytest.raises(UnknownNameError, match=r'"am-seed_3".*did you mean "am-seed_1"'):
        chosen_cells(bench, cell="am-seed_3")
    with pytest.raises(InputError, match="cells 1 to 2, got 3"):
        chosen_cells(bench, cell="3")
    with pytest.raises(InputError, match="leave those out"):
        chosen_cells(bench, cell="1", settings=["am"])


keys = st.sampled_from(["loss.scale", "loss.space.c", "loss.space.lift", "training.epochs", "data.crop_s", "encoder.n"])
words = st.text("abcdef_", min_size=1, max_size=6)
values = st.one_of(
    st.lists(st.integers(-5, 9**9), min_size=1, max_size=3, unique=True),
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=3, unique=True),
    st.lists(words, min_size=1, max_size=3, unique=True),
    st.lists(words, min_size=1, max_size=3, unique=True).map(lambda names: [{"name": n, "width": 0.3} for n in names]),
    st.just([True, False, None]),
    st.just([[1, 2], [1], {"name": "x", "parts": [1, 2]}]),
)


@settings(max_examples=30)
@given(st.dictionaries(keys, values, min_size=1, max_size=3))
def test_grid__is_the_product_of_its_values_each_in_its_place(vary: dict[str, list[Any]]) -> None:
    expanded = expand_grid("g", "G", {"loss": {"name": "x"}}, vary, BASE)
    combinations = list(itertools.product(*vary.values()))
    assert len(expanded) == len({name for name, _, _ in expanded}) == len(combinations)
    for (name, title, tree), combination in zip(expanded, combinations, strict=True):
        recipe_from({"name": name, "loss": {"name": "x"}})  # a name that a run's folder may have
        assert title.startswith("G, ")
        for key, value in zip(vary, combination, strict=True):
            found: Any = tree
            for part in key.split("."):
                found = found[part]
            assert found == value
        untouched = {"name", "data", "encoder", "training"} - {key.split(".")[0] for key in vary}
        assert {section: tree[section] for section in untouched} == {section: BASE[section] for section in untouched}


def test_grid__names_say_which_values(tmp_path: Path) -> None:
    vary = {"loss.space.c": [0.5, 2], "loss.space.lift": [{"name": "clip"}, {"name": "soft_clip", "width": 0.3}]}
    recipe = {"loss": {"name": "ham_softmax", "space": {"name": "poincare_ball"}}}
    path = write_bench(tmp_path, BASE, grids={"g": {"title": "HAM", "recipe": recipe, "vary": vary}})
    settings = read_bench(path).settings[2:]
    assert [s.name for s in settings] == [
        "g-c_0.5-lift_clip",
        "g-c_0.5-lift_soft_clip_width_0.3",
        "g-c_2-lift_clip",
        "g-c_2-lift_soft_clip_width_0.3",
    ]
    assert settings[1].title == "HAM, c = 0.5, lift = soft_clip (width 0.3)"
    assert recipe_of(settings[1], 1).loss["space"] == {
        "name": "poincare_ball",
        "c": 0.5,
        "lift": {"name": "soft_clip", "width": 0.3},
    }


def test_grid__tells_keys_of_one_name_apart() -> None:
    vary = {"a.c": [1], "b.c": [2]}
    assert expand_grid("g", "G", {}, vary, {})[0][0] == "g-a.c_1-b.c_2"


def test_bench__refuses_unknown_keys_with_the_nearest(tmp_path: Path) -> None:
    refused(tmp_path, 'unknown key "level": did you mean "levels"?', level=["gender"])
    refused(tmp_path, 'unknown key "settings.am.titel": did you mean "title"?', settings={"am": {**AM, "titel": "x"}})
    refused(tmp_path, 'missing key "settings.am.title"', settings={"am": {"recipe": {}}})
    refused(tmp_path, "seeds.0", "got '1'", seeds=["1"])


def test_bench__tells_the_faults_of_all_settings_at_once(tmp_path: Path) -> None:
    settings = {
        "am": AM,
        "one": {"title": "One", "recipe": {"training": {"epoch": 3}}},
        "two": {"title": "Two", "recipe": {"data": {"crop_s": -1.0}}},
        "three": {"title": "Three", "recipe": {"seed": 3, "data": {"path": "elsewhere"}}},
    }
    said = [
        'setting "one": unknown key "training.epoch": did you mean "epochs"',
        'setting "two": data.crop_s',
        'setting "three": seed is set by the bench',
        'setting "three": data.path belongs to the base',
    ]
    refused(tmp_path, "4 faults", *said, settings=settings)


def test_bench__refuses_what_contradicts(tmp_path: Path) -> None:
    refused(tmp_path, 'rival: "ramm" is no setting', rival="ramm")
    refused(tmp_path, 'against: "ramm" is no setting', against={"ramm": ["am"]})
    refused(tmp_path, 'against.am: "ramm" is no setting', against={"am": ["ramm"]})
    refused(tmp_path, "against.am: a setting cannot be tested against itself", against={"am": ["am"]})
    refused(tmp_path, "seeds must differ", seeds=[1, 2, 1])
    refused(tmp_path, 'must name the list "test"', trials={"dev": "trials/dev.txt"})
    refused(tmp_path, "settings or grids", settings=None)
    refused(tmp_path, 'grid "g"', "single value", grids={"g": {"title": "G", "vary": {"training.epochs.x": [1]}}})
    refused(tmp_path, "dotted words", grids={"g": {"title": "G", "vary": {"training.epochs=3": [1]}}})
    refused(tmp_path, "would both be called", grids={"g": {"title": "G", "vary": {"training.epochs": [3, 3]}}})
    twice = {"am-epochs_3": {"title": "A", "recipe": {}}}
    grid = {"am": {"title": "A", "vary": {"training.epochs": [3]}}}
    refused(tmp_path, 'two settings are called "am-epochs_3"', settings=twice, grids=grid)


def test_bench__refuses_a_base_elsewhere_aliases_and_keys_that_come_twice(tmp_path: Path) -> None:
    path = write_bench(tmp_path / "inside", BASE)
    good = path.read_text()
    for text, said in (
        (good.replace("base: base.yaml", "base: ../base.yaml"), "base must lie in the folder"),
        (good + "rival: am\nrival: ham\n", "comes twice"),
        (good.replace("seeds:", "levels: &x [a]\nrival: *x\nseeds:"), "aliases are not allowed"),
    ):
        path.write_text(text)
        with pytest.raises(RecipeError, match=said):
            read_bench(path)


def test_check_settings__tells_all_that_cannot_be_built(tmp_path: Path) -> None:
    settings = {
        "am": AM,
        "margn": {"title": "A", "recipe": {"loss": {"name": "am_softmax", "margn": 0.2}}},
        "triplet": {"title": "B", "recipe": {"loss": {"name": "triplet"}}},
    }
    bench = read_bench(write_bench(tmp_path, BASE, settings=settings, seeds=[1, 2]))
    with pytest.raises(RecipeError) as caught:
        check_settings(cells_of(bench))
    for text in ("2 of 3 settings", 'setting "margn"', '"margin"', 'setting "triplet"', "recordings_per_speaker"):
        assert text in str(caught.value)
    check_settings(chosen_cells(bench, settings=["am"]))


def test_digest__is_of_what_is_trained_alone(tmp_path: Path) -> None:
    recipe = recipe_from(BASE)
    digest = recipe_digest(recipe)
    (tmp_path / "recipe.yaml").write_text(dump_recipe(recipe))
    assert recipe_digest(read_recipe(tmp_path / "recipe.yaml")) == digest
    for same in ("data.path=elsewhere", "training.accelerator=auto", "training.devices=2", "data.workers=2"):
        assert recipe_digest(recipe_from(override(BASE, [same]))) == digest, same
    for other, key in (
        ("loss.margin=0.3", "loss.margin"),
        ("seed=2", "seed"),
        ("training.optimizer.learning_rate=0.5", "training.optimizer.learning_rate"),
        ("data.crop_s=0.7", "data.crop_s"),
    ):
        changed = recipe_from(override(BASE, [other]))
        assert recipe_digest(changed) != digest
        assert changed_keys(recipe, changed) == (key,)
    assert changed_keys(recipe, recipe) == ()
