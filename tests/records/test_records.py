"""Every kind of record: what is written comes back, and anything else is refused with the place and the repair."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from made_up_bench import tree_measures
from made_up_diagnoses import sick
from tiny_decisions import drawn_card

from curvox.audio.sources.shard_index import Shard, ShardHead, read_shard_head
from curvox.bench import RunRecord, ScoredList, read_record, write_record
from curvox.diagnosis import Death, diagnosis_from_tree, diagnosis_tree
from curvox.embedder import DecisionCard, DevResult, ModelDescription, read_description
from curvox.embedder.checkpoint import write_description
from curvox.errors import CheckpointError, CorpusError, CurvoxError, InputError
from curvox.evaluating import (
    Breakdown,
    ComparedSystem,
    Comparison,
    EvaluationReport,
    ScoringFacts,
    TrialFacts,
    read_report,
)
from curvox.evaluating.report import TrialSide, WorstTrial
from curvox.hierarchy import TreeMeasures
from curvox.metrics import Difference, Figure, Interval, evaluate
from curvox.records import INFINITIES, NUMBERS, from_plain, read_tree, to_json, to_plain
from curvox.records import read_record as read_any
from curvox.records import write_record as write_any
from curvox.scoring import NamedThreshold
from curvox.training import EpochRecord
from curvox.training.run.checkpoints import read_state, write_state
from curvox.training.step.guard import read_death, write_death


@dataclass(frozen=True)
class Kind:
    """A kind of file: an example, how it is written into a folder and read, what it raises, and where it is free.

    Below the keys of ``free`` any key and any plain value may stand; those of ``mappings`` may have other keys; those
    of ``spared`` are not read; those of ``optional`` may be missing.
    """

    example: Any
    file: str
    write: Callable[[Path, Any], Any]
    read: Callable[[Path], Any]
    error: type[CurvoxError]
    free: tuple[str, ...] = ()
    mappings: tuple[str, ...] = ()
    spared: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


def report() -> EvaluationReport:
    speakers: dict[str, Any] = {"enrolment_speakers": ["a", "a", "b", "b"], "test_speakers": ["a", "b", "b", "c"]}
    found = evaluate([2, 1, 3, 0.5], [1, 0, 1, 0], **speakers, groups={"g": [True] * 4}, llrs=True, resamples=5)
    side = TrialSide("u", "s", {"gender": "f"})
    return EvaluationReport(
        scoring=ScoringFacts("x", "X", settings={"top_k": 3}),
        trials=TrialFacts("test.txt"),
        evaluation=found,
        breakdowns=(Breakdown("gender", ("g",)),),
        worst=(WorstTrial(True, 0.5, True, side, side),),
        notes=("a note",),
        versions=(("numpy", "2"),),
    )


def comparison() -> Comparison:
    figures = (Figure("eer", "EER", 0.1, Interval(0.05, 0.2), 0.5), Figure("dcf", "DCF", 0.9, None, float("-inf")))
    difference = Difference("eer", "EER", 0.1, 0.08, -0.02, Interval(-0.03, 0.01), 0.06)
    systems = (ComparedSystem("a", figures), ComparedSystem("b", figures, (difference,)))
    return Comparison("test.txt", 10, 20, 5, systems, ("eer", "dcf"), 100, 7)


RECORD = RunRecord(
    setting="am",
    seed=1,
    recipe_digest="d",
    seconds=3.5,
    steps=20,
    parameters=100,
    best_epoch=2,
    lists=(ScoredList("dev", "cosine", np.array([0.25, -1.0])),),
    tree=tree_measures(0, 1),
    vitals={"loss": 1.5},
    findings=("collapse",),
    history=(EpochRecord(1, 2.0, None),),
    learnt={"c": 0.7},
    machine="ä machine",
    evaluated="e",
)
HEAD = ShardHead(16000, "flac", "c", (Shard("all-000000.tar", 9, "a" * 64, 3),), {"members.npy": "b" * 64})
DEATH = Death("loss", 12, "log in encoder.norm", False, ("u1", "u2"), "the loss is NaN")
MODEL = ModelDescription(
    1,
    {"n_mels": 24},
    {"name": "ecapa_tdnn"},
    {"speakers": 3},
    space={"name": "hypersphere"},
    dev=DevResult(0.1, 0.5, 10, 20, 1),
)
STATE = {"step": 3, "weights": torch.arange(4.0), "loss": float("inf"), "pair": (1, None), "by": {2: "two"}}


def kind_of_tree(example: Any, error: type[CurvoxError], write: Any, read: Any, **where: tuple[str, ...]) -> Kind:
    """A kind that is written and read as a tree; here in a file."""
    return Kind(
        example,
        "record.json",
        lambda folder, value: (folder / "record.json").write_text(to_json(write(value))),
        lambda folder: read(read_tree(folder / "record.json", what="a record", again="again", error=error)),
        error,
        **where,
    )


CARD = drawn_card().card
KINDS: dict[str, Kind] = {
    "evaluation": Kind(
        report(),
        "evaluation.json",
        lambda folder, value: (folder / "evaluation.json").write_text(to_json(value.to_dict())),
        lambda folder: read_report(folder / "evaluation.json"),
        InputError,
        free=("settings",),
        mappings=("groups", "breakdowns", "versions", "facts"),
    ),
    "comparison": kind_of_tree(
        comparison(),
        InputError,
        Comparison.to_dict,
        Comparison.from_dict,
        optional=("differences", "interval", "threshold", "level"),
    ),
    "tree": kind_of_tree(tree_measures(0, 1), InputError, TreeMeasures.to_dict, TreeMeasures.from_dict),
    "threshold": kind_of_tree(
        CARD.thresholds[0], InputError, to_plain, partial(from_plain, NamedThreshold, what="a threshold", again="again")
    ),
    "diagnosis": kind_of_tree(
        sick(),
        InputError,
        diagnosis_tree,
        diagnosis_from_tree,
        mappings=("vitals",),
        spared=("explained", "name", "healthy", "first_cause"),
    ),
    "bench": Kind(
        RECORD,
        "bench.json",
        lambda folder, value: write_record(value, folder),
        read_record,
        InputError,
        mappings=("vitals", "learnt"),
    ),
    "death": Kind(DEATH, "failure.json", write_death, read_death, CheckpointError),
    "shards": Kind(
        HEAD,
        "shards.json",
        lambda folder, value: write_any(folder / "shards.json", value),
        lambda folder: read_shard_head(folder),
        CorpusError,
        mappings=("beside",),
    ),
    "card": Kind(
        CARD,
        "decision.json",
        lambda folder, value: write_any(folder / "decision.json", value),
        lambda folder: read_any(
            folder / "decision.json", DecisionCard, what="a decision card", again="calibrate again"
        ),
        CheckpointError,
        free=("back_end", "calibration"),
    ),
    "model": Kind(
        MODEL,
        "model.yaml",
        write_description,
        read_description,
        CheckpointError,
        free=("features", "encoder", "training", "space"),
        spared=("training",),
        optional=("dev",),
    ),
    "state": Kind(
        STATE, "training.json", lambda folder, value: write_state(value, folder), read_state, CheckpointError
    ),
}
TYPED = [name for name in KINDS if name != "state"]


def tree_of(path: Path) -> Any:
    text = path.read_text(encoding="utf-8")
    return yaml.safe_load(text) if path.suffix == ".yaml" else json.loads(text)


def put(path: Path, tree: Any) -> None:
    path.write_text(yaml.safe_dump(tree) if path.suffix == ".yaml" else json.dumps(tree), encoding="utf-8")


def places(kind: Kind, tree: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where a value of its own type stands: every key, and of a list the first element."""
    parts = tree.items() if isinstance(tree, dict) else list(enumerate(tree))[:1] if isinstance(tree, list) else ()
    for key, value in parts:
        if key not in kind.spared:
            yield (*above, key)
            if key not in kind.free:
                yield from places(kind, value, (*above, key))


def changed(tree: Any, place: tuple[Any, ...], change: Callable[[Any, Any], None]) -> Any:
    copy = json.loads(json.dumps(tree))
    part = copy
    for key in place[:-1]:
        part = part[key]
    change(part, place[-1])
    return copy


def refused(kind: Kind, folder: Path, *said: str) -> None:
    with pytest.raises(CurvoxError) as caught:
        kind.read(folder)
    assert type(caught.value) is kind.error
    for part in said:
        assert part in str(caught.value), (part, str(caught.value))


@pytest.mark.parametrize("name", KINDS)
def test_record__comes_back_and_is_written_the_same_again(name: str, tmp_path: Path) -> None:
    kind = KINDS[name]
    kind.write(tmp_path, kind.example)
    before, back = (tmp_path / kind.file).read_bytes(), kind.read(tmp_path)
    if name == "state":
        torch.testing.assert_close(back.pop("weights"), STATE["weights"])
        assert back == {key: value for key, value in STATE.items() if key != "weights"}
        return
    if name == "bench":
        assert back.lists[0].scores.tolist() == [0.25, -1.0]
        assert replace(back, lists=()).__dict__ == replace(RECORD, lists=()).__dict__
    elif name == "diagnosis":
        assert repr(back) == repr(kind.example)  # NaN equals nothing
    else:
        assert back == kind.example
    kind.write(tmp_path, back)
    assert (tmp_path / kind.file).read_bytes() == before


@pytest.mark.parametrize("name", TYPED)
def test_record__without_a_key_is_refused_by_its_name(name: str, tmp_path: Path) -> None:
    kind = KINDS[name]
    kind.write(tmp_path, kind.example)
    tree, tried = tree_of(tmp_path / kind.file), 0
    for place in places(kind, tree):
        if isinstance(place[-1], str) and place[-1] not in kind.optional and not {*place[-2:-1]} & {*kind.mappings}:
            put(tmp_path / kind.file, changed(tree, place, lambda part, key: part.pop(key)))
            refused(kind, tmp_path, place[-1])
            tried += 1
    assert tried > 3


@pytest.mark.parametrize("name", TYPED)
def test_record__with_a_value_of_another_type_is_refused_with_its_place(name: str, tmp_path: Path) -> None:
    kind = KINDS[name]
    kind.write(tmp_path, kind.example)
    tree = tree_of(tmp_path / kind.file)
    for place in places(kind, tree):
        known: Any = tree
        for key in place:
            known = known[key]
        for wrong in others(known):
            put(tmp_path / kind.file, changed(tree, place, partial(put_in, wrong)))
            refused(kind, tmp_path, str(place[-1]))


def put_in(value: Any, part: Any, key: Any) -> None:
    part[key] = value


def others(known: Any) -> Iterator[Any]:
    """Yield values of other types than ``known`` has, or may have where it is None or a word for a number."""
    for wrong in ({"strange": 1}, [[1]], 7, True, "text"):
        types = (type(known), int, float) if type(known) in (int, float) else (type(known),)
        if known is None or known in (*INFINITIES, *NUMBERS):
            types = (bool, str, int)
        if type(wrong) not in types:
            yield wrong


@pytest.mark.parametrize("name", [name for name in TYPED if name != "diagnosis"])
def test_record__with_a_key_too_many_is_refused(name: str, tmp_path: Path) -> None:
    kind = KINDS[name]
    kind.write(tmp_path, kind.example)
    tree = tree_of(tmp_path / kind.file)
    put(tmp_path / kind.file, {**tree, "colour": "red"})
    refused(kind, tmp_path, 'unknown key "colour"')


def spoilt(content: bytes) -> dict[str, bytes]:
    cuts = {f"cut at {share}": content[: int(share * len(content))] for share in (0.0, 0.05, 0.2, 0.4)}
    return cuts | {
        "noise": np.random.default_rng(0).bytes(400),
        "UTF-16": content.decode().encode("utf-16"),
        "Latin-1": b'{"\xe4": 1}',
        "NUL": b"\0" * 100,
        "deep list": b"[" * 10_000,
        "deep mapping": b'{"a":' * 10_000,
        "a list": b"[]",
        "a number": b"3",
        "nothing": b"null",
        "twice": b'{"a": 1, "a": 2}',
        "a code": b"!!python/object/apply:os.system ['true']",
    }


@pytest.mark.parametrize("name", KINDS)
def test_file__that_is_damaged_or_foreign_is_refused(name: str, tmp_path: Path) -> None:
    kind = KINDS[name]
    kind.write(tmp_path, kind.example)
    path = tmp_path / kind.file
    for what, content in spoilt(path.read_bytes()).items():
        if name == "state" and what in ("a list", "a number", "nothing"):
            continue  # a state may be anything; who reads it looks for what it needs
        path.write_bytes(content)
        refused(kind, tmp_path, *([kind.file] if kind.file != "record.json" else []))


@pytest.mark.parametrize("name", KINDS)
def test_file__that_is_none_is_refused_at_once(name: str, tmp_path: Path) -> None:
    kind = KINDS[name]
    kind.write(tmp_path, kind.example)
    path = tmp_path / kind.file
    path.unlink()
    os.mkfifo(path)
    refused(kind, tmp_path, kind.file, "not a regular file")
    path.unlink()
    path.symlink_to("/dev/zero")
    refused(kind, tmp_path, kind.file, "not a regular file")
    path.unlink()
    path.mkdir()
    refused(kind, tmp_path, kind.file, "not a regular file")
    path.rmdir()
    path.touch()
    os.truncate(path, 1 << 40)  # takes no room on the disk
    refused(kind, tmp_path, kind.file, "expected at most")


def test_words__stand_for_numbers_only_where_a_record_has_them() -> None:
    tree = {"key": "inf", "title": "-inf", "value": 0.5, "interval": None, "threshold": "inf"}
    found = from_plain(Figure, tree, what="a figure", words=INFINITIES)
    assert found == Figure("inf", "-inf", 0.5, None, float("inf"))
    assert to_plain(found, words=INFINITIES) == tree
    with pytest.raises(InputError, match="threshold: expected a number, got 'inf'"):
        from_plain(Figure, tree, what="a figure")
    with pytest.raises(InputError, match="threshold: expected a finite number, got inf"):
        from_plain(Figure, {**tree, "threshold": float("inf")}, what="a figure", words=INFINITIES)


def test_shards__of_a_bare_head_name_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "shards.json"
    path.write_text('{"format": "curvox shards", "version": 1}')
    with pytest.raises(CorpusError, match=r'shards\.json is not .*: missing key "sampling_rate_hz"; copy'):
        read_shard_head(tmp_path)
