"""The decision card: what goes in comes out, nothing foreign gets in, and it warns where it was not seen to hold."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from tiny_decisions import drawn_card, quality_of

from curvox.embedder import (
    DecisionCard,
    Range,
    Seen,
    load,
    model_fingerprint,
    outside_of_card,
    read_card,
    read_state,
    write_card,
)
from curvox.embedder.checkpoint import digest_of, state_bytes
from curvox.errors import CheckpointError, InputError, OutputExistsError


@pytest.fixture(scope="module")
def drawn() -> DecisionCard:
    return drawn_card().card


@pytest.fixture
def card(drawn: DecisionCard, own_model: Path) -> DecisionCard:
    scorer = {"name": "plain", "scorer": "hyperbolic"}
    return replace(drawn, model=model_fingerprint(own_model), back_end=scorer)


def test_card__survives_its_file(card: DecisionCard, own_model: Path) -> None:
    assert read_card(own_model) is None
    path = write_card(own_model, card)
    assert path == own_model / "decision.json"
    assert read_card(own_model) == card
    assert load(own_model).calibrated is not None
    assert load(own_model, with_card=False).calibrated is None


def test_card__is_replaced_only_when_told(card: DecisionCard, own_model: Path) -> None:
    write_card(own_model, card)
    with pytest.raises(OutputExistsError, match="--overwrite"):
        write_card(own_model, replace(card, cllr_before=0.5))
    assert read_card(own_model) == card
    write_card(own_model, replace(card, cllr_before=0.5), overwrite=True)
    found = read_card(own_model)
    assert found is not None
    assert found.cllr_before == 0.5


def test_card__of_another_model_is_refused(card: DecisionCard, own_model: Path, tiny_run: Path, tmp_path: Path) -> None:
    write_card(own_model, card)
    other = Path(shutil.copytree(own_model, tmp_path / "other"))
    weights = load_file(other / "model.safetensors")
    name = next(name for name in weights if name.endswith("weight"))
    save_file({**weights, name: weights[name] + 0.001}, other / "model.safetensors")
    for read in (read_card, load):
        with pytest.raises(CheckpointError, match="belongs to another model"):
            read(other)
    with pytest.raises(CheckpointError, match="belongs to another model"):
        write_card(other, card, overwrite=True)
    load(other, with_card=False)


def test_fingerprint__is_of_what_decides_the_scores(own_model: Path) -> None:
    before = model_fingerprint(own_model)
    tree = yaml.safe_load((own_model / "model.yaml").read_text())
    (own_model / "model.yaml").write_text(yaml.safe_dump({**tree, "dev": None, "training": {"recipe": "renamed"}}))
    assert model_fingerprint(own_model) == before
    (own_model / "model.yaml").write_text(yaml.safe_dump({**tree, "space": {"name": "euclidean"}}))
    assert model_fingerprint(own_model) != before


def _set(*keys: Any, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(tree: dict[str, Any]) -> None:
        for key in keys[:-1]:
            tree = tree[key]
        tree[keys[-1]] = to

    return change


def _drop(*keys: Any) -> Callable[[dict[str, Any]], None]:
    def change(tree: dict[str, Any]) -> None:
        for key in keys[:-1]:
            tree = tree[key]
        del tree[keys[-1]]

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_set("treshold", to=1), 'unknown key "treshold"'),
        (_set("cllr_befor", to=1), 'did you mean "cllr_before"'),
        (_set("fitted_on", "mood", to="good"), 'unknown key "fitted_on.mood"'),
        (_set("thresholds", 0, "run", to="os.system"), "run"),
        (_set("calibration", "code", to="1"), "code"),
        (_set("calibration", "name", to="os.system"), "unknown calibration"),
        (_set("back_end", "name", to="os.system"), "unknown back end"),
        (_drop("cllr_after"), 'missing key "cllr_after"'),
        (_drop("seen", "snr_db"), 'missing key "seen.snr_db"'),
        (_set("cllr_after", to="0.5"), "cllr_after"),
        (_set("cllr_after", to=True), "cllr_after"),
        (_set("fitted_on", "speakers", to=3.5), "fitted_on.speakers"),
        (_set("fitted_on", "speakers", to=-3), "fitted_on.speakers"),
        (_set("fitted_on", "date", to="yesterday"), "fitted_on.date"),
        (_set("seen", "snr_db", "low", to=99.0), "must not fall"),
        (_set("thresholds", 0, "llr_threshold", to=None), "llr_threshold"),
        (_set("non_target_tail", 0, "far", to=0.0), "non_target_tail"),
        (_set("eer", to=1.5), "eer"),
        (_set("model", to="abc"), "model"),
        (_set("version", to=2), "version 2"),
        (_drop("version"), 'missing key "version"'),
    ],
)
def test_card__with_anything_else_in_it_is_refused(
    change: Callable[[dict[str, Any]], None], said: str, card: DecisionCard, own_model: Path
) -> None:
    path = write_card(own_model, card)
    tree = json.loads(path.read_text())
    change(tree)
    path.write_text(json.dumps(tree))
    with pytest.raises(CheckpointError, match=said):
        load(own_model)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot be read"),
        ("[1, 2]", "expected a mapping"),
        ('{"version": 1, "version": 1}', "comes twice"),
        ('{"version": 1, "eer": NaN}', "NaN is not a number"),
        ("[" * 100_000, "cannot be read"),
        ("!!python/object/apply:os.system ['true']", "cannot be read"),
        ('{"version": 1}', "missing key"),
    ],
)
def test_card__that_is_no_json_is_refused(text: str, said: str, own_model: Path) -> None:
    (own_model / "decision.json").write_text(text)
    with pytest.raises(CheckpointError, match=said) as caught:
        read_card(own_model)
    assert "curvox calibrate --overwrite" in str(caught.value)


def test_state__of_the_back_end_belongs_to_the_card(card: DecisionCard, own_model: Path) -> None:
    state = {"cohort": np.eye(12)[:5] * 0.5}
    norm = {"name": "as_norm", "top_k": 3, "scorer": "hyperbolic", "cohort_speakers": 5}
    with_state = replace(card, back_end=norm, back_end_state=digest_of(state_bytes(state)))
    with pytest.raises(CheckpointError, match="are not those"):
        write_card(own_model, with_state)
    write_card(own_model, with_state, state)
    np.testing.assert_array_equal(read_state(own_model, with_state)["cohort"], state["cohort"])
    assert load(own_model).calibrated is not None
    (own_model / "back_end.safetensors").write_bytes(state_bytes({"cohort": state["cohort"] + 1}) or b"")
    with pytest.raises(CheckpointError, match="does not belong"):
        load(own_model)
    (own_model / "back_end.safetensors").unlink()
    with pytest.raises(CheckpointError, match="cannot be read"):
        load(own_model)
    write_card(own_model, card, overwrite=True)
    assert sorted(p.name for p in own_model.iterdir()) == ["decision.json", "model.safetensors", "model.yaml"]


WIDE = Range(3000.0, 7000.0, 8000.0, 8000.0)
SEEN = Seen(
    recordings=100,
    duration_s=Range(1.0, 2.0, 8.0, 9.0),
    speech_s=Range(0.5, 1.5, 6.0, 7.0),
    silence_share=Range(0.1, 0.2, 0.55, 0.7),
    snr_db=Range(3.0, 10.0, 50.0, 60.0),
    bandwidth_hz=WIDE,
    clipped_share=Range(0.0, 0.0, 0.002, 0.01),
)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, None),
        ({"speech_s": 1.4}, "too short: 1.4 s of speech, less than 95 %"),
        ({"speech_s": 0.2}, "too short: 0.2 s of speech, less than any"),
        ({"duration_s": 12.0}, "longer than any"),
        ({"silence_share": 0.6}, "mostly silence: 60% is not speech, more than 95 %"),
        ({"silence_share": 0.9}, "more than any"),
        ({"snr_db": 5.0}, "noisy: 5 dB signal-to-noise ratio, lower than 95 %"),
        ({"snr_db": -3.0}, "lower than any"),
        ({"snr_db": 90.0}, None),
        ({"bandwidth_hz": 4000.0}, "another bandwidth: 4.0 kHz"),
        ({"bandwidth_hz": 6500.0}, None),
        ({"clipped_share": 0.005}, "clipped: 0.50% of its samples, more than 95 %"),
        ({"clipped_share": 0.0015}, None),
    ],
)
def test_outside_of_card__says_where(changes: dict[str, float], said: str | None, drawn: DecisionCard) -> None:
    warnings = outside_of_card(replace(drawn, seen=SEEN), quality_of(4.0, **changes))
    assert len(warnings) == (said is not None)
    assert said is None or said in warnings[0]


def test_outside_of_card__leaves_alone_what_is_no_trouble(drawn: DecisionCard) -> None:
    clean = replace(
        SEEN,
        silence_share=Range(0.0, 0.0, 0.1, 0.1),
        snr_db=Range(40.0, 45.0, 60.0, 60.0),
        clipped_share=Range(0.0, 0.0, 0.0, 0.0),
    )
    quality = quality_of(4.0, silence_share=0.45, snr_db=25.0, clipped_share=0.0009)
    assert outside_of_card(replace(drawn, seen=clean), quality) == ()


def test_card_of_telephones__warns_of_a_microphone(drawn: DecisionCard) -> None:
    telephones = replace(SEEN, bandwidth_hz=Range(3300.0, 3400.0, 3900.0, 4000.0))
    assert "8.0 kHz" in outside_of_card(replace(drawn, seen=telephones), quality_of())[0]


@given(values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30))
def test_range__holds_its_values(values: list[float]) -> None:
    found = Range.of(values)
    assert found.smallest == min(values)
    assert found.largest == max(values)
    assert found.smallest <= found.low <= found.high <= found.largest
    assert np.mean(np.asarray(values) < found.low) <= 0.05 + 1 / len(values)
    assert np.mean(np.asarray(values) > found.high) <= 0.05 + 1 / len(values)


def test_seen__warns_of_few_of_its_own_recordings(drawn: DecisionCard) -> None:
    rng = np.random.default_rng(0)
    qualities = [
        quality_of(float(rng.uniform(2, 9)), snr_db=float(rng.normal(15, 5)), bandwidth_hz=float(rng.uniform(7e3, 8e3)))
        for _ in range(300)
    ]
    card = replace(drawn, seen=Seen.of(qualities, ["phone", "", "phone", "web"]))
    assert card.seen.channels == ("phone", "web")
    assert np.mean([bool(outside_of_card(card, quality)) for quality in qualities]) < 0.12


def test_range__refuses_numbers_that_fall() -> None:
    with pytest.raises(InputError, match="must not fall"):
        Range(1.0, 0.5, 2.0, 3.0)
