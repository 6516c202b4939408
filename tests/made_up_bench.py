"""A bench that nobody ran: settings of known quality, with scores drawn from a seed. Everything in it is simulated."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from curvox.bench import Bench, BenchResults, RunRecord, ScoredList, Setting, Trials
from curvox.hierarchy import Measure, TreeMeasures
from curvox.metrics import Interval
from curvox.training import EpochRecord

SPEAKERS, TRIALS = 24, 1200
SPHERE, BALL = {"name": "hypersphere"}, {"name": "poincare_ball", "lift": {"name": "soft_clip"}}
# Name, title, loss, distance of the classes by cosine and by the own distance.
SETTINGS = (
    ("ram", "RAM-Softmax (simulated)", {"name": "ram_softmax"}, 2.4, 2.4),
    ("ham", "HAM-Softmax (simulated)", {"name": "ham_softmax", "space": BALL}, 2.1, 2.6),
    ("am", "AM-Softmax (simulated)", {"name": "am_softmax"}, 2.3, 2.3),
    ("triplet", "Triplet (simulated)", {"name": "triplet", "space": SPHERE}, 1.4, 1.4),
)


def trials(seed, count=TRIALS, corpora=("wide", "narrow")):
    rng = np.random.default_rng(seed)
    labels = rng.random(count) < 0.3
    # Speakers of one corpus stay among themselves: the even and the odd ones.
    corpus = rng.integers(0, len(corpora), count)
    places = SPEAKERS // len(corpora)
    enrolment = rng.integers(0, places, count)
    other = (enrolment + rng.integers(1, places, count)) % places
    test = np.where(labels, enrolment, other)
    names = np.array([f"speaker-{number:02d}" for number in range(SPEAKERS)])
    left, right = (names[side * len(corpora) + corpus] for side in (enrolment, test))
    return Trials(labels, left, right, np.array(corpora)[corpus])


def scores(of, distance, seed, run):
    """Scores whose speakers are alike for all runs (of ``seed``), and whose chance is that of the run."""
    numbers = np.array([int(name.split("-")[1]) for name in of.enrolment_speakers])
    shared = np.random.default_rng(seed).normal(size=SPEAKERS)
    rng = np.random.default_rng([seed, *run])
    own = 0.2 * rng.normal(size=SPEAKERS)
    place = distance + 0.1 * rng.normal()
    return np.where(of.labels, place + 0.5 * shared[numbers], 0.0) + own[numbers] + 0.8 * rng.normal(size=len(of))


def record(number, seed, lists, *, tree=None, findings=(), vitals=None, learnt=None, scale=1.0):
    name, _, _, cosine, distance = SETTINGS[number]
    scored = tuple(
        ScoredList(of, scorer, scores(trials_, scale * place, 7, (number, seed, list(lists).index(of))))
        for of, trials_ in lists.items()
        for scorer, place in (("cosine", cosine), ("distance", distance))
    )
    return RunRecord(
        setting=name,
        seed=seed,
        recipe_digest=f"{number}{seed}",
        seconds=600.0 + 60 * number + seed,
        steps=4000,
        parameters=1_234_567,
        best_epoch=9 + seed,
        lists=scored,
        tree=tree,
        vitals={"gradient_norm": 0.5 + number, "effective_rank": 40.0 + seed} if vitals is None else vitals,
        findings=tuple(findings),
        history=tuple(
            EpochRecord(epoch, 8.0 / epoch, 0.12 + 0.02 * number + (0.3 + 0.01 * seed) / epoch)
            for epoch in range(1, 13)
        ),
        learnt=({"c": 1.0 + seed / 10} if name == "ham" else {}) if learnt is None else learnt,
        machine="a made-up machine",
    )


def bench(rival="ram", seeds=(1, 2, 3)):
    settings = tuple(Setting(name, title, {"loss": loss}) for name, title, loss, _, _ in SETTINGS)
    lists = {"dev": "trials/dev.txt", "test": "trials/test.txt"}
    return Bench("simulated_bench", seeds, lists, ("language", "speaker"), rival, settings)


@cache
def results(rival="ram", seeds=(1, 2, 3), without=(("triplet", 3),), tree=True):
    """All runs but those ``without``, which are named as missing."""
    lists = {"dev": trials(1, 600), "test": trials(2)}
    kept, missing = [], []
    for seed in seeds:
        for number, (name, *_) in enumerate(SETTINGS):
            if (name, seed) in without:
                missing.append(f"{name}-seed_{seed} (not trained)")
                continue
            of_tree = tree_measures(number, seed) if tree else None
            found = ("collapse",) if name == "triplet" and seed == 1 else ()
            kept.append(record(number, seed, lists, tree=of_tree, findings=found))
    return BenchResults(bench(rival, seeds), tuple(kept), lists, tuple(missing))


def tree_measures(number, seed):
    """The better a made-up setting tells speakers apart, the better it holds the tree; its balls hold it best."""
    quality = SETTINGS[number][4] / 3 + 0.01 * seed

    def measure(key, title, value, level=None, chance=None, better: Any = "higher", why_none=None):
        interval = None if value is None else Interval(value - 0.04, value + 0.04)
        return Measure(key, title, value, level, interval, chance, better, 1000, why_none)

    return TreeMeasures(
        space="poincare_ball" if SETTINGS[number][0] == "ham" else "hypersphere",
        utterances=200,
        speakers=SPEAKERS,
        levels=("language", "speaker"),
        measures=(
            measure("purity", "Dendrogram purity", 0.5 + quality / 4, "language", 0.5),
            measure("purity", "Dendrogram purity", quality * 0.8, "speaker", 0.04),
            measure("distortion", "Distortion", 0.6 - quality / 3, better="lower"),
            measure("tree_correlation", "Correlation with the tree", 0.3 + quality / 3, chance=0.0),
            measure("depth_quality", "Depth against quality", None, why_none="quality was not measured", better=None),
        ),
        resamples=200,
        seed=0,
        sampled_pairs=1000,
    )
