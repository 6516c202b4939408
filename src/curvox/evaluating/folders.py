"""A run folder beside its model: its corpus, its training speakers, its names, and the folders of its evaluations."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curvox.corpora import Corpus, ScoreList, read_corpus, read_scores, write_scores
from curvox.errors import CheckpointError, InputError
from curvox.evaluating.report import EvaluationReport, read_report
from curvox.files import replace_folder, replace_text
from curvox.metrics import Evaluation
from curvox.records import to_json


def run_folder(folder: Path) -> Path:
    """Return the run that ``folder`` is, or is a checkpoint of."""
    whole = folder.absolute()
    return (
        folder if (folder / "recipe.yaml").is_file() or not (whole.parent / "recipe.yaml").is_file() else whole.parent
    )


def corpus_of(folder: Path, data: Path | None) -> Corpus:
    """Read the corpus given, or the one the run was trained on."""
    from curvox.training import read_recipe

    recipe_path = run_folder(folder) / "recipe.yaml"
    recipe = read_recipe(recipe_path).data if recipe_path.is_file() else None
    # Files are not checked here: scoring names those that a trial needs and cannot use.
    if data is not None and (recipe is None or data.exists()):
        return read_corpus(data, check_files=False)
    if recipe is None:
        raise InputError(f"{folder} is a bare model without a run's recipe; name the corpus of the trials with --data")
    if data is None:
        _refuse_shards(recipe.path)
    path = data or Path(recipe.path or "")
    if not path.exists():
        raise InputError(f"the corpus of this run, {path}, is not here; name its folder with --data")
    return read_corpus(path, format=recipe.format, audio_root=recipe.audio_root, check_files=False)


def _refuse_shards(path: str | None) -> None:
    from curvox.audio import is_shard_folder

    if path is not None and is_shard_folder(path):
        raise InputError(
            f"this run was trained on the shards {path}, whose recordings are no files of their own; name the folder "
            "of the corpus with --data"
        )


def training_corpus(folder: Path, data: Path | None) -> Corpus:
    """Return the recordings a run was trained on, for a cohort.

    They are read where the recipe has them, and in ``data``, which may well be a corpus of other speakers, only when
    that is gone.

    Raises:
        InputError: a bare model, which names no training split, or no corpus in either place.
    """
    from curvox.audio import is_shard_folder
    from curvox.training import open_corpus, read_recipe

    recipe_path = run_folder(folder) / "recipe.yaml"
    if not recipe_path.is_file():
        raise InputError(f"{folder} is a bare model without a run's recipe, so its training speakers are not known")
    recipe = read_recipe(recipe_path)
    # Files are not checked here: embedding names those that it needs and cannot use.
    changes: dict[str, Any] = {"allowed_bad_share": 0.5}
    own = recipe.data.path
    if data is None:
        _refuse_shards(own)
    if own is None or is_shard_folder(own) or not Path(own).exists():
        if data is None:
            raise InputError(f"the corpus of this run, {own}, is not here; name its folder with --data")
        changes |= {"path": str(data), "format": None, "audio_root": None}
    return open_corpus(recipe.data.model_copy(update=changes), recipe.seed).split(recipe.data.train_split)


def training_speakers(folder: Path) -> frozenset[str] | None:
    """Return the names of the speakers the run was trained on, None where nothing says them."""
    from curvox.training import read_training_state

    try:
        return frozenset(training_corpus(folder, None).speakers)
    except (InputError, CheckpointError):
        pass
    try:
        return frozenset(read_training_state(run_folder(folder) / "last")["curvox"]["speakers"])
    except CheckpointError:
        return None


def title_of(loss: str) -> str:
    """Return a loss's name as papers print it: ``ham_softmax`` is HAM-Softmax."""
    from curvox.losses import LOSSES

    return re.sub(r"(?<=.)Softmax$", "-Softmax", LOSSES[loss].attribute) if loss in LOSSES else ""


SCORES, LLRS, SPEAKERS, FIGURES, PAGE = "scores.txt", "llrs.txt", "speakers.txt", "evaluation.json", "report.html"
EVALUATION_FILES = frozenset({SCORES, LLRS, SPEAKERS, FIGURES, PAGE})


@dataclass(frozen=True, eq=False)
class FinishedEvaluation:
    """Scored trials and what they say of a system.

    Attributes:
        report: how the scores were made, and every figure.
        enrolments: the enrolment of each of T trials, an utterance or a model.
        tests: the test utterance of each.
        scores: (T,) as the back end made them.
        llrs: (T,) natural-log likelihood ratios; None where the scores are only scores.
        enrolment_speakers: the speaker of each enrolment.
        test_speakers: the speaker of each test.
        folder: where it lies; None where it was not written.
    """

    report: EvaluationReport
    enrolments: tuple[str, ...]
    tests: tuple[str, ...]
    scores: NDArray[np.float64]
    enrolment_speakers: tuple[str, ...]
    test_speakers: tuple[str, ...]
    llrs: NDArray[np.float64] | None = None
    folder: Path | None = None

    @property
    def evaluation(self) -> Evaluation:
        """Every figure: ``evaluation.eer``, ``evaluation.figure("min_dcf:0.01")``, ``evaluation.groups``."""
        return self.report.evaluation

    @property
    def judged(self) -> NDArray[np.float64]:
        """What the figures are of (T,): the LLRs, else the scores."""
        return self.scores if self.llrs is None else self.llrs

    @property
    def labels(self) -> NDArray[np.bool_]:
        """Whether each trial is of one speaker, (T,)."""
        return np.array(self.enrolment_speakers) == np.array(self.test_speakers)

    @property
    def place(self) -> str:
        """The folder, or the name of the system where there is none, for messages."""
        return self.report.scoring.name if self.folder is None else str(self.folder)


def write_evaluation_folder(folder: Path, finished: FinishedEvaluation, *, page: str | None = None) -> None:
    """Write an evaluation as one act, in the place of an earlier one.

    ``scores.txt`` and ``llrs.txt`` are lines of enrolment, test and value, in the order of the trials;
    ``speakers.txt`` has the speaker of every id in them. The page is ``report.html``; ``evaluation.json`` holds what it
    shows.

    Args:
        folder: what is replaced; whether it may be is the caller's to know.
        finished: the evaluation.
        page: the HTML of its page, as ``curvox.reports.render_evaluation_page`` makes it; none if None.

    Raises:
        InputError: a name that is a model and an utterance of two different speakers.
        CheckpointError: the disk is full or cannot be written; an earlier evaluation is untouched.
    """

    speakers = _speakers(finished)

    def write(fresh: Path) -> None:
        write_scores(ScoreList(finished.enrolments, finished.tests, finished.scores), fresh / SCORES)
        if finished.llrs is not None:
            write_scores(ScoreList(finished.enrolments, finished.tests, finished.llrs), fresh / LLRS)
        lines = [f"{name} {speakers[name]}" for name in sorted(speakers)]
        replace_text(fresh / SPEAKERS, "\n".join(lines) + "\n")
        replace_text(fresh / FIGURES, to_json(finished.report.to_dict()))
        if page is not None:
            replace_text(fresh / PAGE, page)

    replace_folder(folder, write)


def _speakers(finished: FinishedEvaluation) -> dict[str, str]:
    """Return the speaker of every id in the trials."""
    speakers = dict(zip(finished.tests, finished.test_speakers, strict=True))
    models = dict(zip(finished.enrolments, finished.enrolment_speakers, strict=True))
    clash = sorted(name for name in models if speakers.get(name, models[name]) != models[name])
    if clash:
        raise InputError(f'"{clash[0]}" is a model and an utterance of two different speakers; rename the model')
    return {**speakers, **models}


def find_evaluation(
    run: Path, trials: str | None = None, back_end: str = "plain", scorer: str | None = None
) -> FinishedEvaluation | None:
    """Read the evaluation that a path names.

    Args:
        run: the folder of an evaluation, or a run.
        trials: name of the trial list; without it the run must have one evaluation alone.
        back_end: as text, see `read_back_end`.
        scorer: where one was asked for.

    Returns:
        None where the run has not been evaluated on these trials.

    Raises:
        InputError: without ``trials``, a run that has no evaluation or several; the message names them.
    """
    if (run / FIGURES).is_file():
        return read_evaluation_folder(run)
    if trials is None:
        done = sorted(path.parent for path in run_folder(run).glob(f"eval/*/{FIGURES}"))
        if len(done) == 1:
            return read_evaluation_folder(done[0])
        named = ", ".join(str(path) for path in done[:8]) or "none"
        raise InputError(f"{run} is no evaluation: name one of its evaluations ({named}), or a list with --trials")
    folder = evaluation_folder(run, trials, back_end, scorer)
    return read_evaluation_folder(folder) if folder.exists() else None


def evaluation_folder(run: Path, trials: str, back_end: str = "plain", scorer: str | None = None) -> Path:
    """Return the place of an evaluation, such as RUN/eval/test-as_norm.

    It lies beside the checkpoints, not in one of them, where the next checkpoint would sweep it away.
    """
    return run_folder(run) / "eval" / evaluation_name(run, trials, back_end, scorer)


def evaluation_name(run: Path, trials: str, back_end: str = "plain", scorer: str | None = None) -> str:
    """Return the name of the folder of an evaluation, such as test-as_norm."""
    parts = [Path(trials).stem, *([] if run_folder(run) == run else [run.name]), *([] if scorer is None else [scorer])]
    if back_end != "plain":
        parts.append(re.sub(r"[^\w.]+", "-", back_end))
    return "-".join(parts)


def read_evaluation_folder(folder: Path) -> FinishedEvaluation:
    """Read back what `write_evaluation_folder` wrote.

    Raises:
        InputError: a file is missing or not of this version; the message says how to make it again.
    """
    missing = [name for name in (SCORES, SPEAKERS, FIGURES) if not (folder / name).is_file()]
    if missing:
        raise InputError(
            f"{folder} is not a finished evaluation of this version: it lacks {', '.join(missing)}; make it (again) "
            "with curvox eval RUN --trials LIST --overwrite"
        )
    report = read_report(folder / FIGURES)
    if report.evaluation.llrs and not (folder / LLRS).is_file():
        raise InputError(f"{folder} has figures of LLRs but no {LLRS}; copy the whole folder")
    scored = read_scores(folder / SCORES)
    llrs = read_scores(folder / LLRS).scores if report.evaluation.llrs else None
    speakers = read_speakers(folder / SPEAKERS)
    try:
        sides = [tuple(speakers[name] for name in side) for side in (scored.enrolments, scored.tests)]
    except KeyError as error:
        raise InputError(f"{folder / SPEAKERS} has no speaker of {error}; copy the whole folder") from error
    return FinishedEvaluation(
        folder=folder,
        report=report,
        enrolments=scored.enrolments,
        tests=scored.tests,
        scores=scored.scores,
        llrs=llrs,
        enrolment_speakers=sides[0],
        test_speakers=sides[1],
    )


def read_speakers(path: Path) -> dict[str, str]:
    """Read lines of an id and its speaker, as Kaldi's utt2spk has them.

    Raises:
        InputError: the file cannot be read, a line is not of two fields, or an id has two speakers.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    speakers: dict[str, str] = {}
    for number, line in enumerate(text.removesuffix("\n").split("\n"), start=1):
        fields = line.split(maxsplit=1)
        if len(fields) != 2:
            raise InputError(f'{path}, line {number}: expected "id speaker", got "{line}"')
        if speakers.setdefault(fields[0], fields[1].strip()) != fields[1].strip():
            raise InputError(f'{path}, line {number}: "{fields[0]}" has another speaker above; an id has one')
    return speakers
