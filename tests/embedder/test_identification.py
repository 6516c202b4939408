"""Open-set identification: the rate of false alarms of a whole search is kept, and "none of them" is an answer."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_decisions import calibrate_model, drawn_card

from curvox.corpora import read_corpus
from curvox.embedder import (
    DecisionCard,
    Embedder,
    Identification,
    TailPoint,
    identify,
    load,
    read_gallery,
    search_threshold,
)
from curvox.embedder.card.fitting import tail_of
from curvox.errors import AudioError, CorpusError, InputError

# The log-likelihood ratios of a calibrated Gaussian system: mean -m and variance 2 m of non-targets.
M = 4.0


@pytest.fixture(scope="module")
def card() -> DecisionCard:
    """A card whose tail was measured on 200,000 non-targets."""
    llrs = np.random.default_rng(5).normal(-M, np.sqrt(2 * M), size=200_001)
    return replace(drawn_card().card, non_target_tail=tail_of(llrs, np.arange(200_001) == 0))


def searches(enrolled: int, *, shared: float, count: int = 20_000) -> np.ndarray:
    """Return the largest ratio (count,) of searches for somebody not enrolled, comparisons correlated by ``shared``."""
    rng = np.random.default_rng(enrolled)
    common, own = rng.normal(size=(count, 1)), rng.normal(size=(count, enrolled))
    return (-M + np.sqrt(2 * M) * (np.sqrt(shared) * common + np.sqrt(1 - shared) * own)).max(axis=1)


@pytest.mark.parametrize("rate", [0.1, 0.01])
@pytest.mark.parametrize("enrolled", [1, 5, 40])
def test_search__keeps_its_rate_of_false_alarms(enrolled: int, rate: float, card: DecisionCard) -> None:
    threshold = search_threshold(card, rate, enrolled)
    assert threshold.measured
    independent = np.mean(searches(enrolled, shared=0.0) >= threshold.llr)
    noise = 3 * np.sqrt(rate / 20_000)
    assert 0.65 * rate - noise < independent <= rate + noise
    assert np.mean(searches(enrolled, shared=0.6) >= threshold.llr) <= rate + noise


def test_search__without_a_measured_tail_takes_the_bound(card: DecisionCard) -> None:
    unmeasured = replace(card, non_target_tail=())
    for rate, enrolled in ((0.05, 3), (0.01, 20)):
        threshold = search_threshold(unmeasured, rate, enrolled)
        assert not threshold.measured
        assert threshold.llr == pytest.approx(np.log(enrolled / rate))
        assert np.mean(searches(enrolled, shared=0.0) >= threshold.llr) <= rate


def test_search__beyond_the_tail_is_not_laxer_than_within(card: DecisionCard) -> None:
    short = replace(card, non_target_tail=(TailPoint(0.1, 9.0), TailPoint(0.05, 9.5)))
    assert search_threshold(short, 0.1, 1).llr == 9.0
    assert search_threshold(short, 0.06, 1).llr == 9.5
    assert search_threshold(short, 0.01, 1).llr == 9.5
    thresholds = [search_threshold(card, rate, 10).llr for rate in (0.5, 0.1, 0.01, 1e-4, 1e-6, 1e-9)]
    assert thresholds == sorted(thresholds)


@pytest.mark.parametrize(("rate", "enrolled"), [(0.0, 1), (1.0, 1), (-0.1, 1), (float("nan"), 1), (0.01, 0)])
def test_search__refuses_numbers_out_of_range(rate: float, enrolled: int, card: DecisionCard) -> None:
    with pytest.raises(InputError, match=r"strictly between|at least one"):
        search_threshold(card, rate, enrolled)


@pytest.fixture(scope="module")
def model(tiny_run: Path, voices: Path) -> Embedder:
    plain = load(tiny_run)
    plain.calibrated = calibrate_model(plain, voices)
    return plain


@pytest.fixture(scope="module")
def gallery(voices: Path) -> dict[str, list[Path]]:
    """All but the last recording of six speakers."""
    corpus = read_corpus(voices)
    return {s: [corpus.path_of(u) for u in own[:-1]] for s, own in list(corpus.by_speaker.items())[:6]}


def probe_of(voices: Path, place: int) -> Path:
    corpus = read_corpus(voices)
    return corpus.path_of(list(corpus.by_speaker.values())[place][-1])


def search(model: Embedder, gallery: dict[str, list[Path]], probe: Path, rate: float | None) -> Identification:
    return identify(model, gallery, probe, false_alarm_rate=rate)


def test_identify__ranks_everybody_and_answers_by_the_threshold(
    model: Embedder, gallery: dict[str, list[Path]], voices: Path
) -> None:
    found = search(model, gallery, probe_of(voices, 2), 0.99)
    llrs = [one.llr for one in found.candidates if one.llr is not None]
    assert llrs == sorted(llrs, reverse=True)
    assert {one.speaker for one in found.candidates} == set(gallery)
    assert found.threshold is not None
    assert found.answer == (found.candidates[0].speaker if llrs[0] >= found.threshold.llr else None)
    strict = search(model, gallery, probe_of(voices, 2), 1e-9)
    assert strict.answer is None
    assert strict.undecided is None
    assert strict.candidates == found.candidates
    assert any("too few to show" in warning for warning in strict.warnings)


def test_identify__finds_the_recording_that_is_enrolled(
    model: Embedder, gallery: dict[str, list[Path]], voices: Path
) -> None:
    singles = {name: own[:1] for name, own in gallery.items()}
    name = list(singles)[3]
    found = search(model, singles, singles[name][0], 0.5)
    assert found.candidates[0].speaker == name


def test_identify__without_a_card_ranks_and_decides_nothing(
    tiny_run: Path, gallery: dict[str, list[Path]], voices: Path
) -> None:
    plain = load(tiny_run)
    found = search(plain, gallery, probe_of(voices, 0), None)
    scores = [one.score for one in found.candidates]
    assert scores == sorted(scores, reverse=True)
    assert found.answer is None
    assert found.threshold is None
    assert found.undecided is not None
    assert "no decision card" in found.undecided
    with pytest.raises(InputError, match="no decision card"):
        search(plain, gallery, probe_of(voices, 0), 0.01)


def test_identify__refuses_an_empty_gallery(model: Embedder, voices: Path) -> None:
    for empty in ({}, {"anna": []}):
        with pytest.raises(InputError, match="at least one"):
            search(model, empty, probe_of(voices, 0), 0.01)


def test_identify__names_every_recording_it_cannot_use(
    model: Embedder, gallery: dict[str, list[Path]], tmp_path: Path, voices: Path
) -> None:
    (tmp_path / "broken.wav").write_bytes(b"no audio")
    with pytest.raises(AudioError, match=r"broken\.wav"):
        search(model, {**gallery, "broken": [tmp_path / "broken.wav"]}, probe_of(voices, 0), 0.01)


def test_gallery__of_a_folder_has_folders_and_files_as_speakers(voices: Path, tmp_path: Path) -> None:
    recording = sorted(voices.rglob("*.flac"))[0]
    for name in ("anna/day1/a.flac", "anna/b.flac", "ben.flac", ".hidden/c.flac", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(recording.read_bytes())
    assert read_gallery(tmp_path) == {
        "anna": [tmp_path / "anna/b.flac", tmp_path / "anna/day1/a.flac"],
        "ben": [tmp_path / "ben.flac"],
    }
    (tmp_path / "anna.flac").write_bytes(recording.read_bytes())
    with pytest.raises(InputError, match='"anna" is enrolled twice'):
        read_gallery(tmp_path)
    with pytest.raises(InputError, match="leave --data out"):
        read_gallery(tmp_path, data=voices)
    (tmp_path / "carl").mkdir()
    (tmp_path / "anna.flac").unlink()
    with pytest.raises(InputError, match="carl holds no recording"):
        read_gallery(tmp_path)


def test_gallery__of_a_map_names_files_or_utterances(voices: Path, tmp_path: Path) -> None:
    corpus = read_corpus(voices)
    first, second = corpus.utterances[:2]
    (tmp_path / "map").write_text(f"anna {first.utterance} {second.utterance}\n")
    assert read_gallery(tmp_path / "map", data=voices) == {"anna": [corpus.path_of(first), corpus.path_of(second)]}
    with pytest.raises(InputError, match=r"2 recordings of .* do not exist"):
        read_gallery(tmp_path / "map")
    (tmp_path / "a.flac").write_bytes(corpus.path_of(first).read_bytes())
    (tmp_path / "files").write_text("anna a.flac\n")
    assert read_gallery(tmp_path / "files") == {"anna": [tmp_path / "a.flac"]}
    (tmp_path / "unknown").write_text("anna nobody\n")
    with pytest.raises(InputError, match='unknown utterance "nobody"'):
        read_gallery(tmp_path / "unknown", data=voices)


@pytest.mark.parametrize(("name", "said"), [("nowhere", "does not exist"), ("a.flac", "is a recording")])
def test_gallery__refuses_what_is_none(name: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.flac").touch()
    with pytest.raises(InputError, match=said):
        read_gallery(tmp_path / name)


def test_gallery__refuses_an_empty_folder_or_map(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds nobody"):
        read_gallery(tmp_path)
    (tmp_path / "map").touch()
    with pytest.raises(CorpusError, match="empty"):
        read_gallery(tmp_path / "map")
