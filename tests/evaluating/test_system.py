"""Scores of plans against loops over single trials, with one recording a model and with several."""

import numpy as np
import pytest

from curvox.corpora import EnrolmentMap, TrialList, plan_trials, read_corpus, read_trials
from curvox.embedder import Embedder, load
from curvox.errors import InputError
from curvox.evaluating import open_system
from curvox.evaluating.back_ends import choose_cohort, embed_cohort
from curvox.evaluating.system import score_plan
from curvox.geometry import Hypersphere
from curvox.scoring import SCORE_MEAN, create_back_end, enrol, score_pairs

SPACE = Hypersphere()
NAMES = ("a", "b", "c", "d", "e")
TRIALS = TrialList(("m", "n", "m", "n"), ("d", "d", "e", "a"), None)
MODELS = EnrolmentMap({"m": ("a", "b"), "n": ("c",)})


def unit_points():
    points = np.random.default_rng(0).standard_normal((len(NAMES), 6))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


@pytest.fixture
def back_end():
    return create_back_end("plain").fit(SPACE)


def test_score_plan__of_utterances_is_the_score_of_each_pair(back_end):
    trials = TrialList(("a", "b", "c"), ("b", "c", "a"), None)
    plan, points = plan_trials(trials), unit_points()[:3]
    found = score_plan(back_end, SPACE, points, plan)
    pairs = zip(trials.enrolments, trials.tests, strict=True)
    expected = [points[NAMES.index(a)] @ points[NAMES.index(b)] for a, b in pairs]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_score_plan__enrols_models_of_several_recordings(back_end):
    plan, points = plan_trials(TRIALS, MODELS), unit_points()
    place = {name: i for i, name in enumerate(plan.utterances)}
    found = score_plan(back_end, SPACE, points, plan, enrol_with="spherical_mean")
    for score, model, test in zip(found, TRIALS.enrolments, TRIALS.tests, strict=True):
        rows = [place[name] for name in MODELS[model]]
        middle = enrol(SPACE, points, [rows], way="spherical_mean")
        both = np.concatenate((middle, points[[place[test]]]))
        assert score == pytest.approx(score_pairs(SPACE, both, [0], [1])[0], abs=1e-12)


def test_score_plan__averages_the_scores_of_a_models_recordings(back_end):
    plan, points = plan_trials(TRIALS, MODELS), unit_points()
    place = {name: i for i, name in enumerate(plan.utterances)}
    found = score_plan(back_end, SPACE, points, plan, enrol_with=SCORE_MEAN)
    for score, model, test in zip(found, TRIALS.enrolments, TRIALS.tests, strict=True):
        own = [points[place[name]] @ points[place[test]] for name in MODELS[model]]
        assert score == pytest.approx(np.mean(own), abs=1e-12)


def test_score_plan__asks_how_several_recordings_become_one(back_end):
    with pytest.raises(InputError, match="1 of 2 models are made of several recordings"):
        score_plan(back_end, SPACE, unit_points(), plan_trials(TRIALS, MODELS))


@pytest.mark.parametrize("scorer", [None, "cosine"])
def test_system__scores_pairs_of_recordings_embedded_alone(scorer, tiny_run, voices):
    model, corpus = load(tiny_run), read_corpus(voices)
    trials = read_trials(voices / "trials" / "test.txt")
    system = open_system(tiny_run, corpus, [trials])
    points = np.stack([model.embed(corpus.path_of(name)) for name in trials.utterances])
    expected = score_pairs(model.space, points, *trials.indices(), scorer=scorer)
    scored = system.score(trials, scorer=scorer)
    np.testing.assert_allclose(scored.scores, expected, atol=1e-4)
    assert (scored.llrs, scored.notes) == (None, ())


def test_system__of_a_model_without_a_run_has_no_cohort(tiny_run, voices):
    trials = read_trials(voices / "trials" / "test.txt")
    system = open_system(load(tiny_run), read_corpus(voices), [trials])
    assert system.score(trials).facts.name == "HAM-Softmax"
    with pytest.raises(InputError, match='"s_norm" is fitted on training speakers: give the run folder'):
        system.score(trials, "s_norm")


def test_choose_cohort__takes_every_speaker_and_spreads_over_sessions(voices):
    corpus = read_corpus(voices).split("train")
    chosen = choose_cohort(corpus, per_speaker=2)
    assert chosen == choose_cohort(corpus, per_speaker=2)
    assert {u.speaker for u in chosen} == set(corpus.speakers)
    for speaker in corpus.speakers:
        own = [u for u in chosen if u.speaker == speaker]
        assert len(own) == len({u.utterance for u in own}) == 2
        assert len({u.session for u in own}) == 2
    everything = choose_cohort(corpus, per_speaker=1000)
    assert {u.utterance for u in everything} == {u.utterance for u in corpus.utterances}


def test_choose_cohort__refuses_none_and_one_speaker(voices):
    corpus = read_corpus(voices).split("train")
    with pytest.raises(InputError, match="at least 1 recording of each speaker, got 0"):
        choose_cohort(corpus, per_speaker=0)
    others = [u.utterance for u in corpus.utterances if u.speaker != corpus.speakers[0]]
    with pytest.raises(InputError, match="at least 2 speakers"):
        choose_cohort(corpus.without(others), per_speaker=1)


def test_cohort__is_kept_until_recordings_choice_or_model_change(tiny_run, voices, tmp_path, monkeypatch):
    model, corpus = load(tiny_run), read_corpus(voices).split("train")
    cache = tmp_path / "eval" / "cohort.safetensors"
    embedded = []

    embed = Embedder.embed_utterances

    def counted(model, corpus, names, *, measure=False, progress=None):
        embedded.append(len(names))
        return embed(model, corpus, names, measure=measure, progress=progress)

    monkeypatch.setattr(Embedder, "embed_utterances", counted)

    def made(per_speaker=1):
        return embed_cohort(model, corpus, per_speaker=per_speaker, cache=cache)

    first = made()
    again = made()
    assert embedded == [6]
    np.testing.assert_array_equal(first.points, again.points)
    np.testing.assert_array_equal(first.speakers, again.speakers)
    assert made(2).points.shape == (12, 12)
    assert embedded == [6, 12]
    cache.write_bytes(cache.read_bytes()[:-7])
    made(2)
    assert embedded == [6, 12, 12]
    with_other_weights = next(model.encoder.parameters())
    before = with_other_weights.data.clone()
    with_other_weights.data += 1e-3
    made(2)
    assert embedded == [6, 12, 12, 12]
    with_other_weights.data = before
    assert [path.name for path in cache.parent.iterdir()] == ["cohort.safetensors"]
