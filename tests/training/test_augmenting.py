"""Augmentation as a recipe asks for it: checked first, the same for any batch, and part of a training run."""

from pathlib import Path
from typing import Any

import pytest
import torch
from builders import draw_waveforms
from tiny_recipes import change

from curvox.audio import AugmentationOptions, ClippingOptions, TelephoneOptions
from curvox.errors import MissingExtraError, RecipeError
from curvox.testing.dummies import write_musan, write_rirs_noises
from curvox.training import train
from curvox.training.data.augmenting import Augmentation, Augmenter, build_augmentation
from curvox.training.run import train as run_module
from curvox.training.run.checkpoints import read_state
from curvox.training.step.module import SpeakerModule


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A recipe's augmentation with every stage on."""
    folder = tmp_path_factory.mktemp("sources")
    return {
        "rooms": {"path": str(write_rirs_noises(folder / "RIRS_NOISES")), "probability": 0.7},
        "recorded_noise": {"path": str(write_musan(folder / "musan")), "babble_probability": 0.4},
        "waveforms": {"babble_probability": 0.0},
        "clipping": {"probability": 0.5},
        "telephone": {"probability": 0.5},
        "features": {},
    }


def opened(options: dict[str, Any], cache: Path) -> Augmenter:
    return build_augmentation(options).open(sampling_rate_hz=16000, seed=1, cache=cache)


def test_augmenter__an_item_does_not_depend_on_its_batch(everything: dict[str, Any], tmp_path: Path) -> None:
    # Companding rounds, so that rounding errors of a transform could tip a sample by a whole step.
    options = {**everything, "telephone": {"probability": 0.5, "mu_law_probability": 0.0}}
    augmenter, batch = opened(options, tmp_path), draw_waveforms(16, 8000)
    whole = augmenter.change_waveforms(batch, list(range(16)))
    assert (whole != batch).any(1).all()
    order = torch.randperm(16, generator=torch.Generator().manual_seed(1)).tolist()
    turned = augmenter.change_waveforms(batch[order], order)
    torch.testing.assert_close(turned, whole[order], atol=1e-5, rtol=1e-4)
    halves = [augmenter.change_waveforms(batch[part], list(range(16))[part]) for part in (slice(8), slice(8, 16))]
    torch.testing.assert_close(torch.cat(halves), whole, atol=1e-5, rtol=1e-4)


def test_augmenter__with_no_chance_changes_nothing(everything: dict[str, Any], tmp_path: Path) -> None:
    names = ("noise_probability", "babble_probability", "channel_probability", "gain_probability")
    never = dict.fromkeys(names, 0.0)
    options = {
        "rooms": {**everything["rooms"], "probability": 0.0},
        "recorded_noise": {"path": "nowhere", **dict.fromkeys((*names[:2], "music_probability"), 0.0)},
        "waveforms": never,
        "clipping": {"probability": 0.0},
        "telephone": {"probability": 0.0},
    }
    batch = draw_waveforms(16, 8000)
    assert torch.equal(opened(options, tmp_path).change_waveforms(batch, list(range(16))), batch)


def test_augmenter__without_stages_changes_nothing(tmp_path: Path) -> None:
    assert build_augmentation({}) == Augmentation()
    batch = draw_waveforms(16, 8000)
    assert opened({}, tmp_path).change_waveforms(batch, list(range(16))) is batch


def test_copies__stand_behind_the_crops_that_stay_clean(everything: dict[str, Any], tmp_path: Path) -> None:
    alone = opened(everything, tmp_path)
    beside = opened({**everything, "beside_clean": True}, tmp_path)
    numbers = torch.arange(16)
    batch = {"waveforms": draw_waveforms(16, 8000), "speakers": numbers // 2, "seeds": numbers, "items": numbers + 100}
    assert alone.with_copies(batch) is batch
    both = beside.with_copies(batch)
    assert all(torch.equal(both[name], torch.cat([part, part])) for name, part in batch.items())
    seeds, speakers = both["seeds"].tolist(), both["speakers"].tolist()
    changed = beside.change_waveforms(both["waveforms"], seeds, speakers)
    assert torch.equal(changed[:16], batch["waveforms"])
    assert torch.equal(changed[16:], alone.change_waveforms(batch["waveforms"], seeds[:16], speakers[:16]))
    features = torch.randn(32, 50, 24, generator=torch.Generator().manual_seed(0))
    masked = beside.change_features(features, seeds)
    assert torch.equal(masked[:16], features[:16])
    assert torch.equal(masked[16:], alone.change_features(features[16:], seeds[:16]))
    assert not torch.equal(masked[16:], features[16:])


def test_copies__take_twice_the_crops_of_a_step_and_no_more_steps(
    tiny_tree: dict[str, Any], tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[tuple[int, ...]] = []
    original = SpeakerModule.embed_batch

    def embed_batch(module: SpeakerModule, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        embeddings = original(module, batch)
        sizes.append((len(embeddings), len(batch["speakers"]), len(batch["items"])))
        return embeddings

    monkeypatch.setattr(SpeakerModule, "embed_batch", embed_batch)
    recipe = change({**tiny_tree, "augmentation": {"telephone": {}, "beside_clean": True}}, "training.epochs=1")
    train(recipe, tmp_path / "run")
    assert set(sizes) == {(16, 16, 16)}
    assert 2 * len(sizes) == read_state(tiny_run / "last")["global_step"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"beside_clean": True}, "needs a stage"),
        ({"beside_clean": "yes", "features": {}}, r"augmentation\.beside_clean: .*bool.*'yes'"),
        ({"beside_clear": True}, 'did you mean "beside_clean"'),
    ],
)
def test_copies__that_do_not_fit_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        build_augmentation(options)


def test_stages__that_are_empty_take_their_defaults() -> None:
    built = build_augmentation({"waveforms": {}, "clipping": {}, "telephone": {}})
    assert built == Augmentation(
        waveforms=AugmentationOptions(), clipping=ClippingOptions(), telephone=TelephoneOptions()
    )


@pytest.mark.parametrize("section", ["rooms", "recorded_noise"])
def test_run__with_a_folder_that_is_missing_is_refused_before_decoding(
    section: str, tiny_tree: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "data_for", lambda *_, **__: pytest.fail("decoded first"))
    recipe = change({**tiny_tree, "augmentation": {section: {"path": str(tmp_path / "gone")}}})
    with pytest.raises(RecipeError, match=r"expected a folder laid out as .* got no such folder.*gone"):
        train(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_simulated_rooms__without_the_library_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyroomacoustics", None)
    with pytest.raises(MissingExtraError, match="pip install"):
        build_augmentation({"rooms": {}})


def test_run__with_every_stage_is_the_same_with_any_number_of_workers(
    everything: dict[str, Any], tiny_tree: dict[str, Any], tmp_path: Path
) -> None:
    weights = []
    for workers in (0, 2):
        recipe = change({**tiny_tree, "augmentation": everything}, "training.epochs=1", f"data.workers={workers}")
        train(recipe, tmp_path / f"run{workers}", cache=tmp_path / "cache")
        weights.append(read_state(tmp_path / f"run{workers}" / "last")["state_dict"])
    torch.testing.assert_close(weights[0], weights[1], rtol=0, atol=0)


def test_augmentation__tells_how_far_decoding_is(everything: dict[str, Any], tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    for _ in range(2):  # what is decoded already is not decoded again
        build_augmentation(everything).open(
            sampling_rate_hz=16000, seed=1, cache=tmp_path, progress=lambda done, total: told.append((done, total))
        )
    assert told == [(n, 8) for n in range(1, 9)] + [(n, 18) for n in range(1, 19)]
