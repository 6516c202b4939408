"""Leakage between levels: what else than the speaker an embedding tells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike

from curvox.errors import InputError
from curvox.geometry import AbstractSpace
from curvox.hierarchy.points import Bools, Floats, Ints, all_distances, checked_points

FEWEST_SPEAKERS = 3
"""Speakers of a label, below which it is not asked for: some must be there to learn from, others to ask."""
MOST_PER_SPEAKER = 50
_FOLDS = 5
_RIDGE = 1e-2


@dataclass(frozen=True, eq=False)
class ReadOff:
    """How well a label is read off embeddings of speakers who were not learnt from.

    Attributes:
        rates: (S,) the share of each speaker's items whose label was told right.
        classes: (S,) the label of each, numbered over all parents.
        parents: (C,) the parent of each label.
        speakers: (S,) the speakers asked, as they were given.
        items: how many items were asked.
        chance: `balanced_accuracy` with the labels of whole speakers shuffled within their parent, on average.
    """

    rates: Floats
    classes: Ints
    parents: Ints
    speakers: Ints
    items: int
    chance: float

    def balanced_accuracy(self, weights: Floats | None = None) -> float:
        """Return the share told right, the mean over labels, then over parents by their number of speakers.

        Args:
            weights: (S,) how often each speaker is there; 1 if None. NaN where a label has no speaker left.
        """
        w = np.ones(len(self.rates)) if weights is None else weights
        mass = np.bincount(self.classes, w, minlength=len(self.parents))
        if not len(mass) or not mass.all():
            return float("nan")
        of_label = np.bincount(self.classes, w * self.rates, minlength=len(mass)) / mass
        count = np.bincount(self.parents)
        of_parent = np.bincount(self.parents, of_label) / np.maximum(count, 1)
        size = np.bincount(self.parents, mass)
        return float(of_parent @ size / size.sum())


def read_off(
    space: AbstractSpace,
    points: Floats,
    labels: ArrayLike,
    parents: ArrayLike,
    speakers: ArrayLike,
    *,
    permutations: int = 20,
    seed: int = 0,
) -> ReadOff | None:
    """Return how well labels of speakers are read off their embeddings within each parent, None where none can be.

    A linear discriminant (Fisher 1936) learns from some speakers and is asked about others, five folds by speaker, each
    label in every fold as far as it goes. It sees the points as vectors of flat space, which in a ball are tangent
    vectors at its origin. It tells the label whose mean is nearest under the covariance within labels, to which a
    hundredth of its mean variance is added; each speaker counts alike, and each label is as likely. Labels of fewer
    than 3 speakers are left out. Of a speaker at most 50 items are taken.

    Args:
        space: where the points lie.
        points: (n, D).
        labels: (n,) whole numbers, one for all items of a speaker, such as the node at the level asked for.
        parents: (n,) whole numbers, one for all items of a label; labels are told from others of their parent.
        speakers: (n,) whole numbers.
        permutations: how often labels are shuffled for the level of chance.
        seed: of the folds, of the choice of items and of the shuffling.

    Raises:
        InputError: a speaker with two labels, or a label with two parents.
    """
    with torch.no_grad():
        x = space.as_vectors(torch.from_numpy(checked_points(points))).numpy()
    columns = [np.asarray(column, dtype=np.int64) for column in (labels, parents, speakers)]
    if any(column.shape != (len(x),) for column in columns):
        raise InputError(f"labels, parents and speakers must be ({len(x)},) each")
    label, parent, speaker = columns
    label_of = _one_each(speaker, label, "speaker", "label")
    parent_of = _one_each(label, parent, "label", "parent")
    rng = np.random.default_rng(seed)
    problems = [
        _Problem.of(x, speaker, {s: k for s, k in label_of.items() if parent_of[k] == above}, rng)
        for above in sorted(set(parent_of.values()))
    ]
    asked = [problem for problem in problems if problem is not None]
    if not asked:
        return None
    shuffled = [
        _gather(asked, [rng.permutation(problem.classes) for problem in asked], 1.0).balanced_accuracy()
        for _ in range(permutations)
    ]
    return _gather(asked, [problem.classes for problem in asked], float(np.mean(shuffled)) if shuffled else np.nan)


def session_auc(
    space: AbstractSpace,
    points: Floats,
    sessions: ArrayLike,
    speakers: ArrayLike,
    *,
    most_per_speaker: int = 300,
    seed: int = 0,
) -> tuple[Ints, Floats, int]:
    """Return how well distances within a speaker tell pairs of one session from pairs of two.

    Of each speaker: the probability that a pair of one session lies nearer than a pair of two, ties counted half: the
    area under the ROC. 0.5 says that sessions leave no trace.

    Args:
        space: where the points lie.
        points: (n, D).
        sessions: (n,) whole numbers, such as the node at the level of sessions.
        speakers: (n,) whole numbers.
        most_per_speaker: of more items so many are drawn.
        seed: of that choice.

    Returns:
        The speakers that have pairs of both kinds (S,), their areas (S,), and the pairs behind them.
    """
    x = checked_points(points)
    session, speaker = np.asarray(sessions, dtype=np.int64), np.asarray(speakers, dtype=np.int64)
    rng = np.random.default_rng(seed)
    found, areas, pairs = [], [], 0
    for name in np.unique(speaker):
        rows = np.flatnonzero(speaker == name)
        if len(np.unique(session[rows])) < 2:
            continue
        rows = rng.choice(rows, most_per_speaker, replace=False) if len(rows) > most_per_speaker else rows
        i, j = np.triu_indices(len(rows), 1)
        distances = all_distances(space, x[rows])[i, j]
        same = session[rows[i]] == session[rows[j]]
        if same.any() and not same.all():
            found.append(name)
            areas.append(_auc(distances[same], distances[~same]))
            pairs += len(i)
    return np.array(found, dtype=np.int64), np.array(areas), pairs


def _auc(near: Floats, far: Floats) -> float:
    ordered = np.sort(far)
    below, upto = np.searchsorted(ordered, near, "left"), np.searchsorted(ordered, near, "right")
    return float(1 - (below + upto).mean() / (2 * len(far)))


def _one_each(keys: Ints, values: Ints, key: str, value: str) -> dict[int, int]:
    pairs = np.unique(np.stack([keys, values], axis=1), axis=0)
    if len(pairs) > len(np.unique(keys)):
        twice = int(pairs[:-1][pairs[1:, 0] == pairs[:-1, 0]][0, 0])
        raise InputError(f"a {key} has one {value}, the {key} {twice} has several; leave this level out")
    return dict(pairs.tolist())


@dataclass(frozen=True, eq=False)
class _Fold:
    """Items to ask and the mean of each learnt speaker, in the axes of the covariance of the learnt about their centre.

    Attributes:
        learnt: (L,) speakers.
        means: (L, D) theirs.
        variances: (D,) of the learnt along the axes, whatever their labels.
        asked: (A,) the speaker of each item.
        items: (A, D).
    """

    learnt: Ints
    means: Floats
    variances: Floats
    asked: Ints
    items: Floats

    def told(self, classes: Ints) -> Ints:
        """Return the class (A,) told of each item when these (S,) are the classes of all speakers."""
        present, own, counts = np.unique(classes[self.learnt], return_inverse=True, return_counts=True)
        centres = np.zeros((len(present), self.means.shape[1]))
        np.add.at(centres, own, self.means)
        centres /= counts[:, None]
        directions = _within(self.variances, centres, counts / counts.sum())
        scores = self.items @ directions.T - 0.5 * (directions * centres).sum(axis=1)
        return present[scores.argmax(axis=1)]


@dataclass(frozen=True, eq=False)
class _Problem:
    """The speakers of one parent, with the class of each; nothing in the folds depends on which class it is."""

    classes: Ints
    speakers: Ints
    folds: tuple[_Fold, ...]

    @staticmethod
    def of(x: Floats, speaker: Ints, label_of: dict[int, int], rng: np.random.Generator) -> _Problem | None:
        labels, counts = np.unique(list(label_of.values()), return_counts=True)
        wanted = labels[counts >= FEWEST_SPEAKERS]
        if len(wanted) < 2:
            return None
        chosen = np.array([s for s, label in label_of.items() if label in wanted])
        classes = np.searchsorted(wanted, [label_of[s] for s in chosen.tolist()])
        rows, owners = [], []
        for place, name in enumerate(chosen):
            own = np.flatnonzero(speaker == name)
            own = rng.choice(own, MOST_PER_SPEAKER, replace=False) if len(own) > MOST_PER_SPEAKER else own
            rows.append(own)
            owners.append(np.full(len(own), place))
        owner = np.concatenate(owners)
        fold_of = _fold_of(classes, rng)
        parts = x[np.concatenate(rows)]
        folds = tuple(_fold(parts, owner, fold_of == fold) for fold in range(fold_of.max() + 1))
        return _Problem(classes, chosen, folds)

    def rates(self, classes: Ints) -> Floats:
        """The share (S,) of each speaker's items that are told right when these are the classes."""
        right, total = np.zeros(len(classes)), np.zeros(len(classes))
        for fold in self.folds:
            told = fold.told(classes) == classes[fold.asked]
            right += np.bincount(fold.asked, told, minlength=len(classes))
            total += np.bincount(fold.asked, minlength=len(classes))
        return right / total


def _fold_of(classes: Ints, rng: np.random.Generator) -> Ints:
    """The fold of each speaker: those of a class are dealt out in turn."""
    folds = min(_FOLDS, int(np.bincount(classes).min()))
    fold_of = np.zeros(len(classes), dtype=np.int64)
    for label in np.unique(classes):
        own = rng.permutation(np.flatnonzero(classes == label))
        fold_of[own] = (np.arange(len(own)) + rng.integers(folds)) % folds
    return fold_of


def _fold(x: Floats, owner: Ints, held_out: Bools) -> _Fold:
    asked = held_out[owner]
    learnt = np.flatnonzero(~held_out)
    own, items = owner[~asked], x[~asked]
    count = np.bincount(own, minlength=len(held_out))
    means = np.zeros((len(held_out), x.shape[1]))
    np.add.at(means, own, items)
    means = means[learnt] / count[learnt][:, None]
    centre = means.mean(axis=0)
    # Every speaker weighs the same, however many items it has.
    centred = (items - centre) / np.sqrt(count[own] * len(learnt))[:, None]
    values, axes = np.linalg.eigh(centred.T @ centred)
    return _Fold(learnt, (means - centre) @ axes, np.maximum(values, 0), owner[asked], (x[asked] - centre) @ axes)


def _within(variances: Floats, centres: Floats, shares: Floats) -> Floats:
    """The centres (C, D) times the inverse of the covariance within classes, its ridge added.

    That covariance is the whole, diagonal here, less that between classes, of rank C - 1. With M the whitened centres
    times the roots of their shares it is ``I - M' M`` in whitened axes, and ``(I - M' M)^-1 M' = M' (I - M M')^-1``: a
    system of C equations, so that shuffled labels cost no further covariance.
    """
    roots = np.sqrt(shares)[:, None]
    left = variances.sum() - ((roots * centres) ** 2).sum()
    # Where classes leave next to nothing, the difference is of rounding: a billionth of the whole stands for it.
    mean = max(left, 1e-9 * variances.sum(), np.finfo(np.float64).tiny) / len(variances)
    whitening = 1 / np.sqrt(variances + _RIDGE * mean)
    m = roots * centres * whitening
    return np.linalg.solve(np.eye(len(m)) - m @ m.T, m) / roots * whitening


def _gather(problems: list[_Problem], classes: list[Ints], chance: float) -> ReadOff:
    offsets = np.cumsum([0, *(int(problem.classes.max()) + 1 for problem in problems)])
    return ReadOff(
        rates=np.concatenate([problem.rates(own) for problem, own in zip(problems, classes, strict=True)]),
        classes=np.concatenate([own + start for own, start in zip(classes, offsets[:-1], strict=True)]),
        parents=np.repeat(np.arange(len(problems)), np.diff(offsets)),
        speakers=np.concatenate([problem.speakers for problem in problems]),
        items=sum(len(fold.asked) for problem in problems for fold in problem.folds),
        chance=chance,
    )
