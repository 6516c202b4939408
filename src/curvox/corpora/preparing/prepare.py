"""Prepare a published corpus: read its folder, check all of it, write a manifest and the official trials."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from curvox.corpora.checks import absolute, check_rows
from curvox.corpora.corpus import Corpus
from curvox.corpora.formats.manifest import TSV_MANIFEST, write_manifest
from curvox.corpora.preparing.lhotse import PREFIX, lhotse_preparation
from curvox.corpora.preparing.preparation import Preparation, Work, open_folder
from curvox.corpora.problems import Draft, refuse
from curvox.corpora.trials.list_files import write_enrolments, write_trials
from curvox.corpora.trials.making import holdout_speakers
from curvox.corpora.trials.trial_list import check_trials
from curvox.errors import InputError, OutputExistsError
from curvox.tables import Entry, Table

_HERE = "curvox.corpora.preparing"
PREPARATIONS = Table(
    "corpus",
    {
        "voxceleb1": Entry(f"{_HERE}.celebrities", "VOXCELEB1", "VoxCeleb1, with the cleaned trials O, E and H"),
        "voxceleb2": Entry(f"{_HERE}.celebrities", "VOXCELEB2", "VoxCeleb2, as m4a or converted"),
        "cnceleb1": Entry(f"{_HERE}.celebrities", "CNCELEB1", "CN-Celeb1, with its genres, trials and enrolment map"),
        "cnceleb2": Entry(f"{_HERE}.celebrities", "CNCELEB2", "CN-Celeb2, with its genres"),
        "librispeech": Entry(f"{_HERE}.read_aloud", "LIBRISPEECH", "LibriSpeech, any of its seven subsets"),
        "vctk": Entry(f"{_HERE}.read_aloud", "VCTK", "VCTK 0.92, with its accents"),
        "audiomnist": Entry(f"{_HERE}.read_aloud", "AUDIOMNIST", "AudioMNIST, with its accents"),
        "speech_commands": Entry(f"{_HERE}.read_aloud", "SPEECH_COMMANDS", "Speech Commands, speakers by hash"),
    },
)


@dataclass(frozen=True)
class Prepared:
    """The output of :func:`prepare_corpus`.

    ``corpus`` is that of the manifest; its root is the folder that the paths in it are relative to. Where that is not
    the folder of the manifest, ``audio_root`` has to be named when it is read; otherwise it is None. ``trials`` and
    ``enrolments`` are the files of the official trials; ``notes`` say what was left out, and why.
    """

    corpus: Corpus
    manifest: Path
    audio_root: Path | None
    trials: tuple[Path, ...]
    enrolments: tuple[Path, ...]
    notes: tuple[str, ...]


def prepare_corpus(
    name: str, folder: str | Path, output: str | Path, *, dev_speakers: int | None = None, seed: int = 0
) -> Prepared:
    """Read the folder of a published corpus and write ``manifest.tsv``, and ``trials/`` where it has official ones.

    No recording is opened, but by recipes of lhotse. Where ``output`` is the folder of the corpus or one above it, the
    manifest stands alone; elsewhere it is read with ``audio_root=folder``.

    Args:
        name: a name of :data:`PREPARATIONS`, or ``lhotse:NAME`` for a recipe of lhotse, which opens the
            recordings for their lengths.
        output: the folder to write to; made if need be. Nothing in it is written over.
        dev_speakers: so many of the speakers to train on become the split "dev", at least 1; for corpora that have
            none. The same number and seed choose the same speakers.
        seed: of that choice, at least 0.

    Raises:
        CorpusError: the folder is not that of the corpus, metadata are missing or wrong, speakers are not listed,
            trials name absent recordings; everything found is told, up to 20 problems.
        OutputExistsError: a file to write exists.
        MissingExtraError: a recipe of lhotse is named, and lhotse is not installed.
        InputError: a recipe of lhotse needs more than the folder; ``dev_speakers`` or ``seed`` is out of range, or the
            corpus has a split "dev" of its own.
    """
    of_lhotse = name.startswith(PREFIX)
    name = name.removeprefix(PREFIX)
    preparation: Preparation = lhotse_preparation(name) if of_lhotse else PREPARATIONS.load(name)
    out = absolute(output)
    _refuse_existing([out / TSV_MANIFEST])
    root = open_folder(preparation, Path(folder))
    work = Work(preparation.title, Draft(root, name))
    preparation.read(work)
    check_rows(work.draft, check_files=True)
    corpus = work.draft.corpus(f"{work.title} at {work.folder}")
    found = [p for official in work.trials for p in check_trials(official.trials, corpus, official.enrolments)]
    refuse(found, f"{work.title} at {root} and its trials (complete the corpus, or move the list elsewhere)")
    if dev_speakers is not None:
        corpus = _with_dev(corpus, dev_speakers, seed)
    return _write(work, _placed(corpus, out), out)


def _with_dev(corpus: Corpus, dev_speakers: int, seed: int) -> Corpus:
    if "dev" in corpus.splits:
        raise InputError(f'"{corpus.name}" has a split "dev" of its own; leave dev_speakers out')
    trained_on = corpus.split("train") if corpus.splits else corpus
    unsplit = replace(trained_on, utterances=tuple(replace(u, split="") for u in trained_on.utterances))
    divided = holdout_speakers(unsplit, dev_speakers=dev_speakers, seed=seed)
    splits = {u.speaker: u.split for u in divided.utterances}
    utterances = tuple(replace(u, split=splits.get(u.speaker, u.split)) for u in corpus.utterances)
    return replace(corpus, utterances=utterances)


def _placed(corpus: Corpus, out: Path) -> Corpus:
    """Make paths relative to the output where that holds the corpus, so that the manifest needs no audio root."""
    root, above = corpus.root.resolve(), out.resolve()
    if not root.is_relative_to(above):
        return corpus
    way = root.relative_to(above).as_posix()
    if way == ".":
        return replace(corpus, root=out)
    utterances = tuple(replace(u, path=f"{way}/{u.path}") for u in corpus.utterances)
    return replace(corpus, root=out, utterances=utterances)


def _write(work: Work, corpus: Corpus, out: Path) -> Prepared:
    trials = [(out / "trials" / f"{official.name}.txt", official) for official in work.trials]
    models = {path.with_suffix(".map"): official.enrolments for path, official in trials}
    maps = {path: enrolments for path, enrolments in models.items() if enrolments is not None}
    _refuse_existing([*(path for path, _ in trials), *maps])
    (out / "trials" if trials else out).mkdir(parents=True, exist_ok=True)
    for path, official in trials:
        write_trials(official.trials, path)
    for path, enrolments in maps.items():
        write_enrolments(enrolments, path, style="cnceleb")
    # The manifest comes last: where it is, everything is.
    manifest = write_manifest(corpus, out / TSV_MANIFEST)
    return Prepared(
        corpus=corpus,
        manifest=manifest,
        audio_root=None if corpus.root == out else corpus.root,
        trials=tuple(path for path, _ in trials),
        enrolments=tuple(maps),
        notes=tuple(work.notes),
    )


def _refuse_existing(paths: list[Path]) -> None:
    if existing := [str(path) for path in paths if path.exists()]:
        raise OutputExistsError(f"{', '.join(existing)} exists already; name another output or move it away")
