"""Verification: score, likelihood ratio, posterior, decision, warnings; and nothing decided without a card."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny_decisions import calibrate_model, drawn_card

from curvox.audio import read_audio
from curvox.corpora import read_corpus
from curvox.embedder import (
    DecisionCard,
    Embedder,
    choose_point,
    load,
)
from curvox.embedder.decisions import measures_of, measures_of_models
from curvox.errors import AudioError, InputError, UnknownNameError
from curvox.geometry import Euclidean, Hypersphere, PoincareBall
from curvox.metrics import OPERATING_POINTS
from curvox.scoring import enrol, score_pairs


@pytest.fixture(scope="module")
def card() -> DecisionCard:
    return drawn_card().card


@pytest.fixture(scope="module")
def plain(tiny_run: Path) -> Embedder:
    return load(tiny_run)


@pytest.fixture(scope="module", params=[False, True], ids=["score", "quality"])
def model(request: pytest.FixtureRequest, tiny_run: Path, voices: Path) -> Embedder:
    model = load(tiny_run)
    model.calibrated = calibrate_model(model, voices, quality=request.param)
    return model


@pytest.mark.parametrize("name", OPERATING_POINTS)
def test_choose_point__knows_the_published_ones(name: str, card: DecisionCard) -> None:
    published = OPERATING_POINTS[name]
    found = choose_point(name, card)
    odds = published.cost_false_alarm * (1 - published.p_target) / (published.cost_miss * published.p_target)
    assert found.llr_threshold == pytest.approx(np.log(odds))
    assert found.prior == published.p_target


def test_choose_point__takes_priors_costs_and_rates(card: DecisionCard) -> None:
    assert choose_point(None, card).llr_threshold == pytest.approx(0)
    assert choose_point(None, card, prior=0.1).llr_threshold == pytest.approx(np.log(9))
    assert choose_point("bayes:0.1", card).llr_threshold == pytest.approx(np.log(9))
    assert choose_point("bayes:0.1:3:6", card).llr_threshold == pytest.approx(np.log(18))
    far = choose_point("far:0.01", card)
    assert far.measured is not None
    assert far.llr_threshold == far.measured.llr_threshold
    assert far.measured.measured_far <= 0.01
    assert far.prior is None
    assert choose_point("far:1e-2", card).llr_threshold == far.llr_threshold
    assert choose_point("eer", card).measured is not None
    assert choose_point("voxsrc", card).measured is not None
    assert choose_point("bayes:0.2", card).measured is None


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("voxsrk", UnknownNameError, 'did you mean "voxsrc"'),
        ("far:0.02", InputError, "no threshold .* it has far:0.01, far:0.001"),
        ("far:x", InputError, "numbers after its colons"),
        ("far:0.01:2", UnknownNameError, "unknown operating point"),
        ("eer:0.1", UnknownNameError, "unknown operating point"),
        ("bayes:0", InputError, "above 0"),
        ("bayes:0.1:2", UnknownNameError, "unknown operating point"),
        ("bayes:nan", InputError, "finite"),
        ("", UnknownNameError, "unknown operating point"),
    ],
)
def test_choose_point__refuses_anything_else(name: str, error: type[Exception], said: str, card: DecisionCard) -> None:
    with pytest.raises(error, match=said):
        choose_point(name, card)


def test_verify__without_a_card_gives_a_score_and_decides_nothing(
    plain: Embedder, two_recordings: tuple[Path, Path]
) -> None:
    answer = plain.verify(*two_recordings)
    assert answer.scoring == "hyperbolic"
    assert (answer.llr, answer.posterior, answer.point, answer.same, answer.threshold) == (None,) * 5
    assert answer.undecided is not None
    assert "not calibrated" in answer.undecided
    for settings in ({"operating_point": "voxsrc"}, {"prior": 0.1}):
        with pytest.raises(InputError, match="no decision card"):
            plain.verify(*two_recordings, **settings)  # pyright: ignore


def test_verify__by_another_scorer_decides_nothing(model: Embedder, two_recordings: tuple[Path, Path]) -> None:
    answer = model.verify(*two_recordings, scorer="cosine")
    assert answer.scoring == "cosine"
    assert answer.same is None
    with pytest.raises(InputError, match="leave the scorer out"):
        model.verify(*two_recordings, scorer="cosine", prior=0.5)


def test_verify__goes_from_score_to_ratio_to_posterior_to_decision(
    model: Embedder, plain: Embedder, two_recordings: tuple[Path, Path]
) -> None:
    assert model.calibrated is not None
    answer = model.verify(*two_recordings, prior=0.2)
    assert answer.score == pytest.approx(plain.verify(*two_recordings).score)
    readers = [lambda path=path: model.waveform(path) for path in two_recordings]
    measures = measures_of(model.space, model.embed_recordings(readers, measure=True))
    llr = model.calibrated.llrs([answer.score], measures.rows([0]), measures.rows([1]))[0]
    assert answer.llr == pytest.approx(llr)
    odds = 0.25 * np.exp(llr)
    assert answer.posterior == pytest.approx(odds / (1 + odds))
    assert answer.threshold == pytest.approx(np.log(4))
    assert answer.same == (llr >= np.log(4))
    assert answer.same == (odds >= 1)
    assert [quality.duration_s for quality in answer.qualities] == [q.duration_s for q in _measured(two_recordings)]


def _measured(paths: tuple[Path, Path]):
    from curvox.audio import measure_quality

    return [measure_quality(read_audio(path, sampling_rate_hz=16000), 16000) for path in paths]


def test_verify__decides_at_the_point_and_states_its_prior(model: Embedder, two_recordings: tuple[Path, Path]) -> None:
    voxsrc = model.verify(*two_recordings, operating_point="voxsrc")
    assert (voxsrc.prior, voxsrc.threshold) == (0.05, pytest.approx(np.log(19)))
    far = model.verify(*two_recordings, operating_point="far:0.01")
    assert far.prior == 0.5
    both = model.verify(*two_recordings, operating_point="voxsrc", prior=0.9)
    assert (both.prior, both.threshold) == (0.9, voxsrc.threshold)
    assert both.llr == voxsrc.llr


@pytest.mark.parametrize("prior", [0.0, 1.0, -0.5, 2.0, float("nan")])
def test_verify__refuses_a_prior_that_is_none(prior: float, model: Embedder, two_recordings: tuple[Path, Path]) -> None:
    for point in (None, "voxsrc"):
        with pytest.raises(InputError):
            model.verify(*two_recordings, prior=prior, operating_point=point)


def test_verify__of_swapped_sides_is_the_same(model: Embedder, two_recordings: tuple[Path, Path]) -> None:
    one, other = model.verify(*two_recordings), model.verify(*two_recordings[::-1])
    assert one.llr == pytest.approx(other.llr, abs=1e-5)


def test_verify__warns_of_the_same_recording(model: Embedder, two_recordings: tuple[Path, Path]) -> None:
    answer = model.verify(two_recordings[0], two_recordings[0])
    assert any("is the same recording as" in warning for warning in answer.warnings)
    assert not any("is the same recording as" in warning for warning in model.verify(*two_recordings).warnings)


def test_verify__warns_where_the_card_has_not_been(
    model: Embedder, two_recordings: tuple[Path, Path], tmp_path: Path
) -> None:
    waveform = read_audio(two_recordings[0], sampling_rate_hz=16000)
    middle = len(waveform) // 2
    soundfile.write(tmp_path / "short.wav", waveform[middle : middle + 3200], 16000)
    soundfile.write(tmp_path / "clipped.wav", np.clip(30 * waveform, -1, 1), 16000)
    soundfile.write(tmp_path / "silent.wav", np.concatenate([waveform, 1e-4 * np.ones(20 * 16000)]), 16000)
    for name, said in (("short", "too short"), ("clipped", "clipped"), ("silent", "mostly silence")):
        warnings = model.verify(two_recordings[1], tmp_path / f"{name}.wav").warnings
        assert any(f"{name}.wav is {said}" in warning for warning in warnings), warnings


def test_verify__with_several_enrolments_scores_their_middle(model: Embedder, voices: Path) -> None:
    corpus = read_corpus(voices)
    paths = [corpus.path_of(u) for u in next(iter(corpus.by_speaker.values()))]
    points = model.embed_files(paths)
    middle = enrol(model.space, points, [np.arange(3)], way="einstein_midpoint")
    expected = score_pairs(model.space, np.concatenate((middle, points[3:])), [0], [1])[0]
    answer = model.verify(paths[:3], paths[3])
    assert answer.score == pytest.approx(expected, rel=1e-4)
    assert any("enrolled with 3 recordings" in warning for warning in answer.warnings)
    with pytest.raises(InputError, match="at least one enrolment"):
        model.verify([], paths[3])


def test_verify__takes_waveforms(model: Embedder, two_recordings: tuple[Path, Path]) -> None:
    waveforms = [read_audio(path, sampling_rate_hz=16000) for path in two_recordings]
    assert model.verify(*waveforms).llr == pytest.approx(model.verify(*two_recordings).llr)  # pyright: ignore


def test_verify__names_recordings_it_cannot_use(
    model: Embedder, two_recordings: tuple[Path, Path], tmp_path: Path
) -> None:
    with pytest.raises(AudioError, match=r"none\.wav"):
        model.verify(two_recordings[0], tmp_path / "none.wav")


def test_answer__goes_into_json(model: Embedder, plain: Embedder, two_recordings: tuple[Path, Path]) -> None:
    for answer in (model.verify(*two_recordings), plain.verify(*two_recordings)):
        tree = json.loads(json.dumps(answer.to_dict(), allow_nan=False))
        assert tree["score"] == answer.score
        assert tree["same"] == answer.same
        assert len(tree["qualities"]) == 2


def test_measures_of_models__add_up_speech_and_take_means(plain: Embedder, voices: Path) -> None:
    paths = sorted(voices.rglob("*.flac"))[:3]
    recordings = plain.embed_recordings([lambda path=path: plain.waveform(path) for path in paths], measure=True)
    single = measures_of(plain.space, recordings)
    found = measures_of_models(plain.space, recordings, [[0, 1], [2]])
    assert single.duration_s is not None
    assert single.radius is not None
    assert found.duration_s == pytest.approx([single.duration_s[:2].sum(), single.duration_s[2]])
    assert found.radius == pytest.approx([single.radius[:2].mean(), single.radius[2]])


def test_measures__are_refused_of_recordings_that_were_not_measured(plain: Embedder, voices: Path) -> None:
    path = min(voices.rglob("*.flac"))
    with pytest.raises(InputError, match="1 recordings were embedded and 0 of them measured"):
        measures_of(plain.space, plain.embed_recordings([lambda: plain.waveform(path)]))


def test_default_enrolment__fits_the_space() -> None:
    ways = {Hypersphere: "spherical_mean", PoincareBall: "einstein_midpoint", Euclidean: "frechet_mean"}
    for space, way in ways.items():
        assert space().default_enrolment == way
        points = np.array([[0.6, 0.0], [0.0, 0.8]]) if space is not Hypersphere else np.eye(2)
        assert enrol(space(), points, [[0, 1]], way=way).shape == (1, 2)
