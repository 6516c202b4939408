"""Calibration: from a model and labelled trials to its decision card."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from curvox.corpora import Corpus, TrialList, read_trials, speakers_of
from curvox.embedder import (
    CalibratedScoring,
    CardSettings,
    fit_card,
    load_embedder,
    model_fingerprint,
    model_folder,
    require_new_card,
    write_card,
)
from curvox.evaluating.back_ends import COHORT_RECORDINGS, fit_back_end, read_back_end
from curvox.evaluating.report import Progress, staged
from curvox.evaluating.runs import corpus_of, training_speakers


@dataclass(frozen=True, eq=False)
class Calibrated:
    """A decision card made ready, and the file in which it was kept."""

    scoring: CalibratedScoring
    path: Path


def calibrate(
    run: str | Path,
    trials: TrialList | str | Path,
    corpus: Corpus | str | Path | None = None,
    *,
    back_end: str = "plain",
    scorer: str | None = None,
    settings: CardSettings | None = None,
    per_speaker: int = COHORT_RECORDINGS,
    overwrite: bool = False,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Calibrated:
    """Fit a calibration to labelled trials, check it on speakers it has not met, and store the decision card.

    Args:
        run: the path of a run or of a model folder; the card is written beside the model.
        trials: labelled trials of speakers the model was not trained on, or the path of a list in VoxCeleb's style.
        corpus: of the trials, or its path; for a run the corpus it was trained on, if None.
        back_end: how scores are made, as in `evaluate`.
        scorer: a name in ``curvox.scoring.SCORERS``; that of the model's space if None.
        settings: of the calibration and its thresholds; the defaults if None.
        per_speaker: recordings of each training speaker that the back end is fitted on, at most.
        overwrite: replace an earlier card.
        device: where the model computes, such as ``cpu`` or ``cuda``.
        progress: told what is being done, how much of it is done, and of how much.

    Raises:
        OutputExistsError: there is a card, and ``overwrite`` is not set.
        InputError: trials without labels, or too few of them for a card; an unknown back end.
        CorpusError: the corpus or the list cannot be read, or do not fit each other.
        AudioError: recordings cannot be used; all of them are counted, the first 20 named.
    """
    run, settings = Path(run), settings or CardSettings()
    chosen, folder = read_back_end(back_end, scorer), model_folder(run)
    require_new_card(folder, overwrite=overwrite)
    listed = trials if isinstance(trials, TrialList) else read_trials(trials, style="voxceleb")
    data = Path(corpus) if isinstance(corpus, (str, Path)) else None
    whole = corpus if isinstance(corpus, Corpus) else corpus_of(run, data)
    listed.check_against(whole)
    # An earlier card is about to be replaced; a damaged or foreign one must not stand in its way.
    model = load_embedder(run, device=device, with_card=False)
    fitted, _ = fit_back_end(
        chosen,
        model,
        run=run,
        data=data,
        trial_speakers={name for side in speakers_of(listed, whole) for name in side.tolist()},
        per_speaker=per_speaker,
        progress=progress,
    )
    recordings = model.embed_utterances(whole, listed.utterances, measure=True, progress=staged(progress, "embedding"))
    if progress is not None:
        progress(f"calibration, {settings.resamples} resamples of the speakers", 0, 0)
    scoring = fit_card(
        model.space,
        model_fingerprint(folder),
        whole,
        listed,
        recordings,
        fitted,
        training_speakers=training_speakers(run),
        date=datetime.now(UTC).date().isoformat(),
        settings=settings,
    )
    path = write_card(folder, scoring.card, fitted.state(), overwrite=overwrite)
    return Calibrated(scoring, path)
