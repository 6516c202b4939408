"""What a trial list must keep beside its form: its ids are known, its labels true, no test is its own enrolment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from curvox.corpora.corpus import Corpus
from curvox.corpora.nearness import NameIndex
from curvox.corpora.problems import Problem

if TYPE_CHECKING:
    from curvox.corpora.enrolments import EnrolmentMap
    from curvox.corpora.trials import TrialList

# Looking for near ids takes time, and only the first problems are shown.
_HINTS = 25


def check_trials(trials: TrialList, corpus: Corpus, enrolments: EnrolmentMap | None) -> list[Problem]:
    """Return what is wrong, by line; speakers are compared once every id is known."""
    problems = _unknown(trials, corpus, enrolments) + _with_itself(trials, enrolments)
    if enrolments is not None:
        problems += _model_problems(trials, corpus, enrolments)
    problems = problems or _contradictions(trials, corpus, enrolments)
    return sorted(problems, key=lambda p: p.line or 0)


def _unknown(trials: TrialList, corpus: Corpus, enrolments: EnrolmentMap | None) -> list[Problem]:
    lost_tests = {name for name in set(trials.tests) if name not in corpus}
    lost = {name for name in set(trials.enrolments) if name not in (corpus if enrolments is None else enrolments)}
    if not lost and not lost_tests:
        return []
    # A model and an utterance may have the same name, so the kind is part of the key.
    found: dict[tuple[str, str], list[tuple[int, str]]] = {}
    kind = "utterance" if enrolments is None else "model"
    pairs = zip(trials.enrolments, trials.tests, strict=True)
    for line, (enrolment, test) in enumerate(pairs, start=trials.first_line):
        if enrolment in lost:
            found.setdefault((kind, enrolment), []).append((line, "enrolment"))
        if test in lost_tests:
            found.setdefault(("utterance", test), []).append((line, "test"))
    models = NameIndex(() if enrolments is None else enrolments.models)
    problems: list[Problem] = []
    for (what, name), places in found.items():
        hint = ""
        if len(problems) < _HINTS:
            hint = models.hint(name) if what == "model" else corpus.nearest_utterances(name)
        often = f" ({len(places)} times in the list)" if len(places) > 1 else ""
        line, column = places[0]
        problems.append(Problem(trials.source, line, column, f'unknown {what} "{name}"{often}: {hint}'))
    return problems


def _with_itself(trials: TrialList, enrolments: EnrolmentMap | None) -> list[Problem]:
    pairs = enumerate(zip(trials.enrolments, trials.tests, strict=True), start=trials.first_line)
    if enrolments is None:
        message = 'the utterance "{}" is compared with itself; a trial needs two'
        return [Problem(trials.source, line, "", message.format(a)) for line, (a, b) in pairs if a == b]
    holds = {model: frozenset(enrolments.models.get(model, ())) for model in set(trials.enrolments)}
    message = 'the model "{}" holds the test utterance "{}"; a test must be new to the model'
    return [Problem(trials.source, line, "", message.format(a, b)) for line, (a, b) in pairs if b in holds[a]]


def _model_problems(trials: TrialList, corpus: Corpus, enrolments: EnrolmentMap) -> list[Problem]:
    """Look at the models that trials name; others of the map may be of another corpus."""
    problems: list[Problem] = []
    for model in sorted({name for name in set(trials.enrolments) if name in enrolments}):
        utterances = enrolments[model]
        lost = [name for name in utterances if name not in corpus]
        for name in lost:
            hint = corpus.nearest_utterances(name) if len(problems) < _HINTS else ""
            problems.append(
                Problem(
                    enrolments.source, None, "", f'the model "{model}" holds the unknown utterance "{name}": {hint}'
                )
            )
        speakers = sorted({corpus[name].speaker for name in utterances if name not in lost})
        if len(speakers) > 1:
            named = ", ".join(f'"{speaker}"' for speaker in speakers)
            message = f'the model "{model}" holds utterances of the speakers {named}; a model has one speaker'
            problems.append(Problem(enrolments.source, None, "", message))
    return problems


def _contradictions(trials: TrialList, corpus: Corpus, enrolments: EnrolmentMap | None) -> list[Problem]:
    if trials.labels is None:
        return []
    first = {name: name if enrolments is None else enrolments[name][0] for name in set(trials.enrolments)}
    left: Mapping[str, str] = {name: corpus[utterance].speaker for name, utterance in first.items()}
    right: Mapping[str, str] = {name: corpus[name].speaker for name in set(trials.tests)}
    problems: list[Problem] = []
    rows = zip(trials.enrolments, trials.tests, trials.labels.tolist(), strict=True)
    for line, (enrolment, test, same) in enumerate(rows, start=trials.first_line):
        if (left[enrolment] == right[test]) != same:
            message = f'label {int(same)}, but the corpus has the speakers "{left[enrolment]}" and "{right[test]}"'
            problems.append(Problem(trials.source, line, "label", message))
    return problems
