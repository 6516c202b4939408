"""Back ends: from points to the scores of trials, with what a cohort of training speakers teaches.

A back end is a name and settings. Fitted to a space, and to a cohort where it needs one, it scores trials. What it
learnt comes out as a description in plain values and arrays, and `restore_back_end` takes both back in.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.errors import InputError, nearest
from curvox.geometry import AbstractSpace
from curvox.scoring.pairs import Points
from curvox.tables import Entry, Table

State = Mapping[str, NDArray[Any]]
"""What a back end learnt: arrays by name."""

BACK_ENDS = Table(
    "back end",
    {
        "plain": Entry("curvox.scoring.back_ends.plain", "PlainBackEnd", "the scores of the space, or of a scorer"),
        "mean_subtraction": Entry(
            "curvox.scoring.back_ends.plain", "MeanSubtraction", "cosine of the angle seen from the cohort's mean"
        ),
        "s_norm": Entry(
            "curvox.scoring.back_ends.score_norms",
            "SNorm",
            "scores measured against those with a whole cohort",
            "kenny2010snorm",
        ),
        "as_norm": Entry(
            "curvox.scoring.back_ends.score_norms",
            "ASNorm",
            "scores measured against those with the nearest of a cohort",
            "matejka2017asnorm",
        ),
        "plda": Entry(
            "curvox.scoring.back_ends.plda",
            "PLDABackEnd",
            "log-likelihood ratios of two-covariance PLDA",
            "brummer2010partitioning",
        ),
    },
)


class AbstractFittedBackEnd(ABC):
    """What scores trials: a back end, its space, and what it learnt from a cohort."""

    @abstractmethod
    def scores(self, points: Points, enrolment_index: ArrayLike, test_index: ArrayLike) -> NDArray[np.float64]:
        """Return the scores (T,) of trials between rows of points (N, D), larger for the same speaker.

        The score of a trial depends on its two points alone, not on other trials.

        Raises:
            InputError: what `score_pairs` refuses.
        """

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Return name, settings and how large the cohort was, as plain values for JSON."""

    @abstractmethod
    def state(self) -> dict[str, NDArray[np.float64]]:
        """Return what was learnt as arrays by name, empty where nothing was."""


class AbstractBackEnd(ABC):
    """A way to score trials, before it has seen a space or a cohort; its settings are its constructor's arguments."""

    needs_cohort: ClassVar[bool]
    """Whether ``fit`` must be given the points of training speakers."""

    @abstractmethod
    def fit(
        self, space: AbstractSpace, cohort_points: Points | None = None, cohort_speakers: ArrayLike | None = None
    ) -> AbstractFittedBackEnd:
        """Return the back end fitted to a space and a cohort.

        Args:
            space: the space the points live in.
            cohort_points: (C, D) finite, points of training speakers, who are in no trial that will be scored.
            cohort_speakers: (C,) the speaker of each, text or whole numbers.

        Raises:
            InputError: a cohort that is missing or too small, or not needed; a scorer that does not fit the space.
        """

    @abstractmethod
    def restore(self, space: AbstractSpace, description: Mapping[str, Any], state: State) -> AbstractFittedBackEnd:
        """Return the fitted back end of that description and state; called by `restore_back_end`."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Return name and settings as plain values; `create_back_end` is its inverse."""


def create_back_end(description: str | Mapping[str, Any]) -> AbstractBackEnd:
    """Build a back end from its name in `BACK_ENDS`, or from a mapping of ``name`` and settings.

    >>> create_back_end({"name": "as_norm", "top_k": 200}).describe()
    {'name': 'as_norm', 'top_k': 200, 'scorer': None}

    Raises:
        UnknownNameError: no back end of that name; the nearest names are listed.
        InputError: a setting that the back end does not have, a value outside its range, or no name.
    """
    if isinstance(description, str):
        description = {"name": description}
    if not isinstance(description, Mapping) or not isinstance(description.get("name"), str):
        raise InputError(f'a back end is given by its name or a mapping with the key "name", got {description!r}')
    name = description["name"]
    cls = BACK_ENDS.load(name)
    settings = {key: value for key, value in description.items() if key != "name"}
    known = list(inspect.signature(cls).parameters)
    for key in settings:
        if key not in known:
            hint = nearest(str(key), known) if known else "it takes none"
            raise InputError(f'back end "{name}" has no setting "{key}": {hint}')
    return cls(**settings)


def restore_back_end(space: AbstractSpace, description: Mapping[str, Any], state: State) -> AbstractFittedBackEnd:
    """Return the fitted back end of which these are the ``describe`` and the ``state``.

    Raises:
        UnknownNameError: no back end of that name.
        InputError: a description or arrays that are not those of a back end.
    """
    if not isinstance(description, Mapping) or not isinstance(description.get("name"), str):
        raise InputError(f'a fitted back end is described by a mapping with the key "name", got {description!r}')
    known = list(inspect.signature(BACK_ENDS.load(description["name"])).parameters)
    missing = [key for key in known if key not in description]
    if missing:
        raise InputError(f'the description of the back end "{description["name"]}" lacks the setting "{missing[0]}"')
    unfitted = create_back_end({key: description[key] for key in ("name", *known)})
    restored = unfitted.restore(space, description, state)
    if restored.describe() != dict(description):
        raise InputError(
            f"the description of a fitted back end does not fit its state or this space: expected "
            f"{restored.describe()}, got {dict(description)}"
        )
    return restored


def require_other_speakers(cohort_speakers: Iterable[Any], trial_speakers: Iterable[Any]) -> None:
    """Refuse a cohort that shares speakers with the trials: normalised scores would be too good there.

    Raises:
        InputError: speakers on both sides; the first few are named.
    """
    shared = sorted(set(cohort_speakers) & set(trial_speakers))
    if shared:
        named = ", ".join(map(str, shared[:3])) + (", …" if len(shared) > 3 else "")
        raise InputError(
            f"a cohort is of speakers who are in no trial, but {len(shared)} are in both: {named}; leave them out of "
            "the cohort"
        )


def require_state(state: State, names: Iterable[str], what: str) -> None:
    """Refuse a state of other arrays than these."""
    if set(state) != set(names):
        raise InputError(f'the back end "{what}" keeps the arrays {sorted(names)}, got {sorted(state)}')


def require_cohort(
    cohort_points: Points | None, cohort_speakers: ArrayLike | None, what: str
) -> tuple[Points, ArrayLike]:
    """Return the cohort, or refuse its absence."""
    if cohort_points is None or cohort_speakers is None:
        raise InputError(f'the back end "{what}" needs a cohort: points of training speakers, and the speaker of each')
    return cohort_points, cohort_speakers
