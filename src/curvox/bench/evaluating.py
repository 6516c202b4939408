"""A trained run evaluated: its recordings embedded once, its trials scored every way, the label tree measured."""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from curvox.audio import WaveformStore, from_int16
from curvox.bench.cells import Cell, evaluation_digest, recipe_digest, trials_digest
from curvox.bench.record import COSINE, DISTANCE, TEST, RunRecord, ScoredList, write_record
from curvox.bench.spec import Bench
from curvox.corpora import Corpus, TrialList
from curvox.diagnosis import LiveWatch, VitalHistory
from curvox.embedder import EmbeddedRecordings, Embedder, load, model_folder
from curvox.evaluating import System, utterances_of
from curvox.geometry import parameters_of_spaces
from curvox.losses import LearntScale
from curvox.training import (
    AVERAGED,
    EpochRecord,
    build_model,
    observed_model,
    read_facts,
    read_history,
    read_recipe,
    read_vitals,
)

if TYPE_CHECKING:
    from curvox.hierarchy import TreeMeasures


def learnt_scalars(run: Path, model: Embedder) -> dict[str, float]:
    """Return what was learnt, by name, where it was learnt: ``c`` of the ball, ``gain`` of its lift, and of the loss
    ``scale`` and whatever other single numbers it has, by the names of its parameters.

    Space and lift are those of ``model``, the evaluated one; the loss is only kept with the last epoch.

    Raises:
        CheckpointError: the checkpoint ``last`` is missing or damaged.
    """
    loss = observed_model(run, read_recipe(run / "recipe.yaml"), build_model).loss
    with torch.no_grad():
        learnt = model.space.learnt_scalars() | ({} if loss is None else _of_loss(loss))
    return {name: value for name, value in learnt.items() if math.isfinite(value)}


def _of_loss(loss: nn.Module) -> dict[str, float]:
    """Return scalars by the path of their module, without those of the space."""
    of_spaces = parameters_of_spaces(loss)
    learnt: dict[str, float] = {}
    for path, module in loss.named_modules():
        if isinstance(module, LearntScale):
            if module.learn:
                learnt[path.replace("scaling", "scale") or "scale"] = float(module.now())
            continue
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.numel() != 1 or parameter in of_spaces:
                continue
            whole, value = f"{path}.{name}" if path else name, float(parameter)
            learnt[whole.replace("log_scale", "scale")] = math.exp(value) if name == "log_scale" else value
    return learnt


Progress = Callable[[int, int], None]


def evaluate_run(
    cell: Cell,
    bench: Bench,
    run: Path,
    corpus: Corpus,
    lists: Mapping[str, TrialList],
    *,
    progress: Progress | None = None,
) -> RunRecord:
    """Evaluate a finished run and leave ``bench.json`` and ``bench_scores.npz`` in its folder.

    Every recording of the trial lists is decoded once for all runs beside it, into ``.cache``, and embedded once. Every
    list is scored by the cosine and by the distance of the model's own space. The label tree is measured on the
    recordings of the list "test", if the bench has levels.

    Args:
        cell: what was trained.
        bench: what is measured.
        run: the folder of the run.
        corpus: where the recordings of the trials are.
        lists: the trial lists of the bench by name.
        progress: called with (recordings decoded, of how many), then with those embedded.

    Raises:
        AudioError: recordings cannot be read; all of them are named.
        CheckpointError: the run has not finished, its model, or the disk.
    """
    facts = read_facts(run)
    evaluated = evaluation_digest(run, trials_digest(bench.levels, corpus, lists))
    model = load(run, device=_device(cell), with_card=False)
    scored, tree = _measure(model, bench, corpus, lists, run.parent / ".cache", progress)
    vitals = read_vitals(run, read_recipe(run / "recipe.yaml"), None)
    record = RunRecord(
        setting=cell.setting.name,
        seed=cell.seed,
        recipe_digest=recipe_digest(cell.recipe),
        seconds=facts.seconds,
        steps=facts.steps,
        parameters=facts.parameters,
        best_epoch=0 if model.dev is None or model_folder(run).name == AVERAGED else model.dev.epoch,
        lists=scored,
        tree=tree,
        vitals=last_vitals(vitals),
        findings=findings_of(vitals),
        history=tuple(_finite(epoch) for epoch in read_history(run)),
        learnt=learnt_scalars(run, model),
        machine=this_machine(),
        evaluated=evaluated,
    )
    write_record(record, run)
    return record


def last_vitals(history: VitalHistory) -> dict[str, float]:
    """Return the last finite value of each vital sign that was logged."""
    finite = {name: values[np.isfinite(values)] for name, values in history.signs.items()}
    return {name: float(values[-1]) for name, values in finite.items() if len(values)}


def findings_of(history: VitalHistory) -> tuple[str, ...]:
    """Return the failures and warnings that the doctor beside the training was sure of, in the order of the steps.

    The watch is fed once more with the logs, so that a resumed training has the same findings as one in one go.
    """
    watch, found = LiveWatch(), []
    for row, step in enumerate(history.steps.tolist()):
        signs = {name: float(values[row]) for name, values in history.signs.items()}
        found += [finding.cause for finding in watch.feed(step, signs) if finding.severity != "note"]
    return tuple(found)


def this_machine() -> str:
    """Return processor, threads and PyTorch in words."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        models = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        name = models[0] if models else name
    threads = torch.get_num_threads()
    return f"{name}, {threads} thread{'s' * (threads > 1)}, PyTorch {torch.__version__}"


def _measure(
    model: Embedder,
    bench: Bench,
    corpus: Corpus,
    lists: Mapping[str, TrialList],
    cache: Path,
    progress: Progress | None,
) -> tuple[tuple[ScoredList, ...], TreeMeasures | None]:
    utterances = utterances_of(tuple(lists.values()))
    readers = _readers(model, corpus, utterances, cache, progress)
    recordings = model.embed_recordings(readers, measure=bool(bench.levels), progress=progress)
    system = System(model.cpu(), corpus, tuple(lists.values()), recordings, utterances)
    scored = tuple(
        ScoredList(name, scorer, system.score(trials, scorer=of_space).scores)
        for name, trials in lists.items()
        for scorer, of_space in ((COSINE, "cosine"), (DISTANCE, None))
    )
    if not bench.levels:
        return scored, None
    place = {utterance: row for row, utterance in enumerate(utterances)}
    own = recordings.rows([place[utterance] for utterance in lists[TEST].utterances])
    return scored, _measure_tree(system.model, bench, corpus, lists[TEST].utterances, own)


def _readers(
    model: Embedder, corpus: Corpus, utterances: Sequence[str], cache: Path, progress: Progress | None
) -> list[Callable[[], NDArray[np.float32]]]:
    """Decode the recordings once for all runs of the bench, and return what reads each from there."""
    own = [corpus[utterance] for utterance in utterances]
    store = WaveformStore.build(
        [corpus.path_of(utterance) for utterance in own],
        sampling_rate_hz=model.sampling_rate_hz,
        cache=cache,
        segments=[(utterance.start_s, utterance.segment_s) for utterance in own],
        progress=progress,
    )
    return [lambda row=row: from_int16(store[row]) for row in range(len(store))]


def _measure_tree(
    model: Embedder,
    bench: Bench,
    corpus: Corpus,
    utterances: Sequence[str],
    recordings: EmbeddedRecordings,
) -> TreeMeasures:
    from curvox.hierarchy import measure_tree, tree_paths

    own = [corpus[utterance] for utterance in utterances]
    speakers = np.unique([utterance.speaker for utterance in own], return_inverse=True)[1]
    seconds = [math.nan if utterance.duration_s is None else utterance.duration_s for utterance in own]
    return measure_tree(
        model.space,
        recordings.points.astype(np.float64),
        tree_paths(corpus, utterances, bench.levels),
        speakers.astype(np.int64),
        durations_s=np.array(seconds),
        qualities_db=np.array([quality.snr_db for quality in recordings.qualities]),
    )


def _device(cell: Cell) -> str:
    """Where the model embeds: on a GPU unless its recipe keeps it off, or there is none."""
    wanted = cell.recipe.training.accelerator in ("auto", "gpu", "cuda")
    return "cuda" if wanted and torch.cuda.is_available() else "cpu"


def _finite(epoch: EpochRecord) -> EpochRecord:
    """Return an epoch without what JSON has no word for, such as a loss that has overflowed."""
    loss, dev_eer = (None if of is None or not math.isfinite(of) else of for of in (epoch.loss, epoch.dev_eer))
    return replace(epoch, loss=loss, dev_eer=dev_eer)
