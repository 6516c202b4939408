"""The official trials of a corpus, with the ids of the manifest in the place of the names that the list uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from curvox.corpora.enrolments import read_enrolments
from curvox.corpora.preparing.preparation import OfficialTrials, Work
from curvox.corpora.trial_formats import read_trials
from curvox.corpora.trials import EnrolmentMap

Names = Mapping[str, str]


def names_of(work: Work) -> Names:
    """Return the id of each utterance by the same without its ending: lists say .wav where the files may be .flac.

    Two recordings that differ in their ending alone are a problem.
    """
    names: dict[str, str] = {}
    for row in work.draft.rows:
        name = row.utterance.utterance
        other = names.setdefault(_stem(name), name)
        if other != name:
            work.problem(row.file, None, f'the same recording as "{other}" with another ending; keep one of them')
    return names


def renamed(name: str, names: Names) -> str:
    """Return the id of the utterance that a list calls ``name``; one that is not there stays as it is."""
    return names.get(_stem(name), name)


def add_trials(
    work: Work, file: str, name: str, names: Names, *, style: str, models: EnrolmentMap | None = None
) -> None:
    """Read the list ``file`` and take it under ``name``; with ``models`` the enrolments are models of that map.

    Raises:
        CorpusError: lines are not of ``style``.
    """
    read = read_trials(work.folder / file, style=style)
    enrolments = read.enrolments if models is not None else tuple(renamed(e, names) for e in read.enrolments)
    tests = tuple(renamed(test, names) for test in read.tests)
    trials = replace(read, enrolments=enrolments, tests=tests, source=file)
    work.trials.append(OfficialTrials(name, trials, models))


def read_models(work: Work, file: str, names: Names) -> EnrolmentMap:
    """Read an enrolment map of CN-Celeb.

    Raises:
        CorpusError: lines are wrong.
    """
    read = read_enrolments(work.folder / file, style="cnceleb")
    models = {model: tuple(renamed(u, names) for u in utterances) for model, utterances in read.models.items()}
    return EnrolmentMap(models, file)


def _stem(name: str) -> str:
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.rpartition('.')[0] or last}"
