"""Prove that a change of the code changes no result: keep what today's code says, compare what tomorrow's says.

    python benchmarks/same_results.py keep    FILE.json --data OPENVOICES --run FOLDER [--only REGEX]
    python benchmarks/same_results.py compare FILE.json --data OPENVOICES --run FOLDER [--only REGEX]

Kept are: trainings of tiny encoders on a small part of openvoices, one of them interrupted and resumed; what every
command with JSON or files says of such a run (embeddings, scores, evaluations, decision cards, answers, diagnoses, tree
measures, a bench, checks, shards); and a training step of every loss in every space, and of every encoder.

`keep` trains the run FOLDER when it does not exist, with its corpus in FOLDER_corpus beside it, and calibrates it.
`compare` takes both as `keep` left them, so it also shows that a run made before still loads. It prints a table and
exits with 1 when an item differs by more than 1e-6. Run both on the same kind of machine: one thread, CPU only.

The command lines stand in COMMANDS; rename an option there and nowhere else.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "COLUMNS": "200", "NO_COLOR": "1", "TZ": "UTC"}

import argparse
import csv
import json
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import lightning.pytorch  # noqa: F401 - imported once, here, for all commands, which are forks of this process
import torch
import yaml
from kept_values import Comparison, comparable, compare_values, read_folder, read_result
from training_steps import encoder_steps, loss_steps

torch.set_num_threads(1)

STDOUT = "stdout"
"""In the place of a result's path: the command prints it as JSON."""

COMMANDS: dict[str, tuple[str, str, int]] = {
    # name: words, where the result is (a file, a folder, or STDOUT), exit status
    "data check": ("data check {corpus} --threads 1 --json {out}.json", "{out}.json", 0),
    "data convert, csv": ("data convert {corpus} -o {out}.csv", "{out}.csv", 0),
    "data convert, kaldi": ("data convert {corpus} -o {out} --to kaldi", "{out}", 0),
    "data shard": ("data shard {corpus} -o {out} --shard-mb 0.5 --threads 1 --seed 3", "{out}", 0),
    "train": ("train {recipe} --data {corpus} --runs {out} --name trained", "{out}/trained", 0),
    "train, pairs": (
        "train {recipe} --data {corpus} --runs {out} --name pairs -s 'loss={{name: triplet, mining: hardest}}'"
        " -s data.recordings_per_speaker=2 -s data.balance=utterance -s augmentation={{}}",
        "{out}/pairs",
        0,
    ),
    "train, levels and speeds": (
        "train {recipe} --data {corpus} --runs {out} --name levels -s 'loss={levels}' -s data.speeds=[1,0.9]"
        " -s training.epochs=2",
        "{out}/levels",
        0,
    ),
    "train from shards": (
        "train {recipe} --data {shards} --runs {out} --name shards -s data.dev_trials=null -s data.balance=utterance"
        " -s training.epochs=2",
        "{out}/shards",
        0,
    ),
    "train, too fast": (
        "train {recipe} --data {corpus} --runs {runs} --name too_fast -s training.optimizer.learning_rate=3.0"
        " -s augmentation={{}}",
        "{runs}/too_fast",
        1,
    ),
    "embed": ("embed {run} {recordings} -o {out}.npz", "{out}.npz", 0),
    "verify, kept card": ("verify {run} {a} {b} --json -", STDOUT, 0),
    "verify, kept card, same": ("verify {run} {a} {c} --json -", STDOUT, 0),
    "calibrate": (
        "calibrate {run} --data {corpus} --trials {dev} --resamples 50 --rate far:0.2 --overwrite",
        "{run}/{card}",
        0,
    ),
    "calibrate, as_norm, quality": (
        "calibrate {second} --data {corpus} --trials {dev} --back-end as_norm:top_k=20 --quality --resamples 50",
        "{second}/{card}",
        0,
    ),
    "calibrate, plda, cosine": (
        "calibrate {third} --data {corpus} --trials {dev} --back-end plda --kind logistic --prior 0.1 --resamples 50",
        "{third}/{card}",
        0,
    ),
    "verify, far": ("verify {run} {a} {b} --operating-point far:0.01 --json -", STDOUT, 0),
    "verify, bayes, several": ("verify {run} {a} {b} -e {c} --operating-point bayes:0.05 --json -", STDOUT, 0),
    "verify, prior": ("verify {run} {a} {c} --prior 0.02 --json -", STDOUT, 0),
    "verify, scorer": ("verify {run} {a} {c} --scorer cosine --json -", STDOUT, 0),
    "verify, as_norm, quality": ("verify {second} {a} {c} --json -", STDOUT, 0),
    "verify, plda": ("verify {third} {a} {b} --json -", STDOUT, 0),
    "identify": ("identify {run} {b} --gallery {gallery} --json -", STDOUT, 0),
    "identify, as_norm": ("identify {second} {c} --gallery {gallery} --false-alarm 0.2 --json -", STDOUT, 0),
    "eval, back ends": (
        "eval {run} --data {corpus} --trials {test} --back-end plain --back-end mean_subtraction --back-end s_norm"
        " --back-end as_norm:top_k=20 --back-end plda --by gender --by corpus --resamples 50 --no-audio --output {out}",
        "{out}",
        0,
    ),
    "eval, cosine": (
        "eval {run} --data {corpus} --trials {test} --trials {dev} --scorer cosine --back-end plain"
        " --back-end as_norm:top_k=10 --resamples 50 --seed 4 --no-audio --output {out}",
        "{out}",
        0,
    ),
    "eval, euclidean": (
        "eval {run} --data {corpus} --trials {test} --scorer euclidean --resamples 50 --no-audio --output {out}",
        "{out}",
        0,
    ),
    "eval, card with as_norm": (
        "eval {second} --data {corpus} --trials {test} --back-end as_norm:top_k=20 --resamples 50 --no-audio"
        " --output {out}",
        "{out}",
        0,
    ),
    **{
        f"eval, enrolled by {way}": (
            "eval {run} --data {corpus} --trials {models} --enrolments {enrolments} --resamples 20 --no-audio"
            f" --enrol-with {way} --output {{out}}",
            "{out}",
            0,
        )
        for way in ("spherical_mean", "einstein_midpoint", "frechet_mean", "score_mean")
    },
    "eval, scores": (
        "eval --scores {scores} --trials {test} --data {corpus} --resamples 20 --no-audio --output {out}",
        "{out}",
        0,
    ),
    "compare": (
        "compare {run} {second} --data {corpus} --trials {test} --resamples 50 --output {out}",
        "{out}/comparison.json",
        0,
    ),
    "hierarchy": (
        "hierarchy {run} --data {corpus} --levels corpus,gender,speaker,session --resamples 20 --no-audio -o {out}",
        "{out}",
        0,
    ),
    "hierarchy, trials": (
        "hierarchy {run} --data {corpus} --levels language,speaker --trials {dev} --utterances 40 --resamples 20"
        " --no-audio --seed 2 -o {out}",
        "{out}",
        0,
    ),
    "hierarchy, sphere": (
        "hierarchy {pairs} --data {corpus} --levels corpus,gender,speaker --resamples 20 --no-audio -o {out}",
        "{out}",
        0,
    ),
    "diagnose": ("diagnose {run} --data {corpus} -o {out}", "{out}/diagnosis.json", 0),
    "diagnose, pairs": ("diagnose {pairs} --data {corpus} -o {out}", "{out}/diagnosis.json", 0),
    "diagnose, too fast": ("diagnose {runs}/too_fast --data {corpus} -o {out}", "{out}/diagnosis.json", 0),
    "diagnose, own loss": (
        'diagnose {own}:blind --takes "pairs, same" --data {corpus} --steps 12 --runs {out}_runs -o {out}',
        "{out}/diagnosis.json",
        0,
    ),
    "diagnose, loss of the table": (
        "diagnose triplet --data {corpus} --steps 12 --runs {out}_runs -o {out}",
        "{out}/diagnosis.json",
        0,
    ),
    "bench": ("bench {bench} --data {corpus} --runs {out} --jobs 1", "{out}", 0),
    "demo": ("demo --output {out} --epochs 1 --seed 2", "{out}/runs", 0),
}

INTERRUPTED = "train {recipe} --data {corpus} --runs {out} --name trained"
RESUMED = "train {recipe} --data {corpus} --runs {out} --name trained --resume"
CARD = ("decision.json", "back_end.safetensors")
AFTER_EVERY_STEPS = 2

LEAST, TRIES = {"train": 4, "dev": 3, "test": 3}, 5
"""Speakers of each corpus in a split; tries of an interruption that came too late."""

RECIPE: dict[str, Any] = {
    "name": "same_results",
    "seed": 5,
    "data": {
        "dev_trials": "trials/dev.txt",
        "crop_s": 0.8,
        "batch_size": 16,
        "balance": "sqrt",
        "max_crops_per_utterance": 1,
    },
    "features": {"n_mels": 24},
    "augmentation": {
        "rooms": {"probability": 0.3},
        "waveforms": {"noise_probability": 0.4},
        "telephone": {"probability": 0.2},
        "features": {"time_masks": 1, "frequency_masks": 1},
    },
    "encoder": {"name": "ecapa_tdnn", "channels": 16, "aggregation_channels": 24, "embedding_dim": 16},
    "loss": {"name": "ham_softmax", "space": {"name": "poincare_ball", "lift": {"name": "published"}}},
    "training": {
        "epochs": 4,
        "accelerator": "cpu",
        "average_last": 2,
        "checkpoint_every_steps": AFTER_EVERY_STEPS,
        "optimizer": {"learning_rate": 0.002},
        "margin_warmup": {"start_epoch": 1.0, "end_epoch": 2.0},
    },
}
LEVELS = {"name": "combined", "parts": [
    {"name": "ham_softmax", "weight": 1.0},
    {"name": "level_prototypes", "weight": 0.1, "levels": ["language", "gender"]},
]}  # fmt: skip
BENCH = {
    "name": "board",
    "base": "base.yaml",
    "seeds": [1, 2],
    "trials": {"dev": "trials/dev.txt", "test": "trials/test.txt"},
    "levels": ["gender", "speaker"],
    "settings": {
        "am": {"title": "AM-Softmax", "recipe": {"loss": {"name": "am_softmax", "margin": 0.2}}},
        "ham": {"title": "HAM-Softmax", "recipe": {"loss": {"name": "ham_softmax", "margin": 0.2}}},
    },
}
OWN_LOSS = "def blind(x, y, same):\n    return (x - y).square().sum(1) / 0.02\n"


@dataclass(frozen=True)
class Place:
    """Where everything lies: the corpus, the run that was kept, and a folder to work in."""

    corpus: Path
    run: Path
    work: Path

    def names(self, item: str) -> dict[str, str]:
        """What stands for the words in braces of a command line."""
        rows = _rows(self.corpus / "manifest.tsv")
        test = [row for row in rows if row["split"] == "test"]
        a, b = test[0], next(row for row in test if row["speaker"] != test[0]["speaker"])
        c = next(row for row in test[1:] if row["speaker"] == a["speaker"])
        out = self.work / "out" / re.sub(r"\W+", "_", item)
        paths = {
            **{name: self.corpus / row["path"] for name, row in (("a", a), ("b", b), ("c", c))},
            **{name: self.work / name for name in ("run", "second", "third", "runs", "gallery", "enrolments")},
            **{name: self.corpus / "trials" / f"{name}.txt" for name in ("dev", "test")},
            "corpus": self.corpus,
            "models": self.work / "models.txt",
            "scores": self.work / "scores.txt",
            "own": self.work / "own_loss.py",
            "recipe": self.work / "recipe.yaml",
            "bench": self.work / "bench.yaml",
            "shards": self.work / "out" / "data_shard",
            "pairs": self.work / "out" / "train_pairs" / "pairs",
            "out": out,
        }
        recordings = " ".join(str(self.corpus / row["path"]) for row in test[:20])
        return {
            **{k: str(v) for k, v in paths.items()},
            "recordings": recordings,
            "levels": json.dumps(LEVELS),
            "card": CARD[0],
        }


def main() -> None:
    arguments = _arguments()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        place = Place(_corpus_of(arguments.run), arguments.run, Path(temporary))
        if not place.run.exists():
            _make_run(place, arguments.data)
        _prepare(place)
        found = _find(place, arguments.only)
    print(f"{len(found)} items in {time.monotonic() - began:.0f} s", file=sys.stderr)
    if arguments.what == "keep":
        arguments.file.write_text(json.dumps(found, indent=None, sort_keys=True), encoding="utf-8")
        return
    kept = json.loads(arguments.file.read_text(encoding="utf-8"))
    wanted = {name: value for name, value in kept.items() if re.search(arguments.only, name)}
    sys.exit(_report(wanted, found))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["keep", "compare"])
    parser.add_argument("file", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of openvoices, read for a new run alone")
    parser.add_argument("--run", type=Path, required=True, help="run folder; trained when it does not exist")
    parser.add_argument("--only", default="", help="regular expression: these items alone, and what they need")
    arguments = parser.parse_args()
    for name in ("file", "data", "run"):
        setattr(arguments, name, getattr(arguments, name).resolve())
    return arguments


def _corpus_of(run: Path) -> Path:
    return run.with_name(f"{run.name}_corpus")


# The corpus, the kept run, and the files that commands take.


def _make_run(place: Place, data: Path) -> None:
    """Cut a small corpus out of openvoices, train the run on it and calibrate it."""
    if not place.corpus.exists():
        _cut_corpus(data, place.corpus)
    recipe = place.work / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(RECIPE, sort_keys=False), encoding="utf-8")
    words = f"train {recipe} --data {place.corpus} --runs {place.run.parent} --name {place.run.name}"
    _must(words, 0)
    _must(f"calibrate {place.run} --trials {place.corpus}/trials/dev.txt --resamples 50", 0)


def _cut_corpus(data: Path, folder: Path) -> None:
    """Take a few speakers of each corpus and split, four recordings each, spread over their sessions."""
    speakers: dict[tuple[str, str], dict[str, list[dict[str, str]]]] = {}
    for row in _rows(data / "manifest.tsv"):
        speakers.setdefault((row["split"], row["corpus"]), {}).setdefault(row["speaker"], []).append(row)
    chosen: list[dict[str, str]] = []
    for (split, _), by_speaker in sorted(speakers.items()):
        enough = [rows for _, rows in sorted(by_speaker.items()) if len(rows) >= 3]
        for rows in enough[: LEAST[split]]:
            chosen += rows[:: max(1, len(rows) // 4)][:4]
    for row in chosen:
        (folder / row["path"]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(data / row["path"], folder / row["path"])
    with (folder / "manifest.tsv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(chosen[0]), delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE)
        writer.writeheader()
        writer.writerows(chosen)
    (folder / "trials").mkdir()
    for split in ("dev", "test"):
        pairs = combinations([row for row in chosen if row["split"] == split], 2)
        trials = [(a["speaker"] == b["speaker"], a, b) for a, b in pairs]
        kept = [trial for place, trial in enumerate(trials) if trial[0] or place % 5 == 0]
        lines = [f"{int(same)} {a['utterance']} {b['utterance']}\n" for same, a, b in kept]
        (folder / "trials" / f"{split}.txt").write_text("".join(lines), encoding="utf-8")


def _rows(manifest: Path) -> list[dict[str, str]]:
    with manifest.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def _prepare(place: Place) -> None:
    """Write what the commands read, and copy the run, so that the kept one stays as it is."""
    work = place.work
    for name in ("run", "second", "third"):
        leave_out = shutil.ignore_patterns(*(() if name == "run" else CARD))
        shutil.copytree(place.run, work / name, ignore=leave_out, dirs_exist_ok=True)
        for file in (work / name).rglob("*"):
            if name != "run" and file.name in CARD:
                file.unlink()
    (work / "recipe.yaml").write_text(yaml.safe_dump(RECIPE, sort_keys=False), encoding="utf-8")
    base = {**RECIPE, "augmentation": {}, "training": {**RECIPE["training"], "epochs": 2}}
    (work / "base.yaml").write_text(yaml.safe_dump(base, sort_keys=False), encoding="utf-8")
    (work / "bench.yaml").write_text(yaml.safe_dump(BENCH, sort_keys=False), encoding="utf-8")
    (work / "own_loss.py").write_text(OWN_LOSS, encoding="utf-8")
    by_speaker: dict[str, list[dict[str, str]]] = {}
    for row in _rows(place.corpus / "manifest.tsv"):
        if row["split"] == "test":
            by_speaker.setdefault(row["speaker"], []).append(row)
    models, trials, scores = [], [], []
    for number, (speaker, rows) in enumerate(by_speaker.items()):
        models.append(f"m{number} {rows[0]['utterance']} {rows[1]['utterance']}\n")
        trials += [
            f"{int(other == speaker)} m{number} {row['utterance']}\n"
            for other, others in by_speaker.items()
            for row in others[2:]
        ]
        enrolled = work / "gallery" / speaker
        enrolled.mkdir(parents=True)
        for row in rows[:1]:
            shutil.copyfile(place.corpus / row["path"], enrolled / Path(row["path"]).name)
    for count, line in enumerate((place.corpus / "trials" / "test.txt").read_text().splitlines()):
        label, enrolment, test = line.split()
        scores.append(f"{enrolment} {test} {(count * 37 % 101) / 50 + float(label):.4f}\n")
    for name, lines in (("enrolments", models), ("models.txt", trials), ("scores.txt", scores)):
        (work / name).write_text("".join(lines), encoding="utf-8")


# Running the commands.


def _find(place: Place, only: str) -> dict[str, Any]:
    """All items by name."""
    found: dict[str, Any] = {}
    items: dict[str, Callable[[], Any]] = {
        name: lambda name=name: _result(place, name, *COMMANDS[name]) for name in COMMANDS
    }
    items["train, interrupted and resumed"] = lambda: _interrupted(place)
    items["curvox.load"] = lambda: _in_child(place, lambda: _loaded(place))
    steps = {"losses": loss_steps, "encoders": encoder_steps}
    needed = {"{shards}": "data shard", "{pairs}": "train, pairs", "/too_fast": "train, too fast"}
    wanted = {name for name in items if re.search(only, name)}
    for name in list(wanted):
        words = COMMANDS.get(name, ("",))[0]
        wanted |= {need for word, need in needed.items() if word in words}
        if "{second}" in words:
            wanted.add("calibrate, as_norm, quality")
        if "{third}" in words:
            wanted.add("calibrate, plda, cosine")
    for name, item in items.items():
        if name in wanted:
            began = time.monotonic()
            found[name] = comparable(item(), _hidden(place))
            print(f"{time.monotonic() - began:6.1f} s  {name}", file=sys.stderr)
    for kind, of in steps.items():
        if kind in only or re.search(only, kind):
            found |= {f"{kind}: {name}": value for name, value in _in_child(place, of).items()}
    return {name: value for name, value in found.items() if re.search(only, name)}


def _hidden(place: Place) -> dict[str, str]:
    """Paths of this machine, and what stands for them."""
    return {str(place.work): "WORK", str(place.corpus): "CORPUS", str(place.run): "RUN"}


def _result(place: Place, name: str, words: str, result: str, status: int) -> Any:
    """Run a command and read what it left."""
    names = place.names(name)
    Path(names["out"]).parent.mkdir(exist_ok=True)
    said = _must(words.format(**names), status)
    if result == STDOUT:
        return json.loads(said)
    path = Path(result.format(**names))
    if name.startswith("calibrate"):
        folder = next(iter(sorted(path.parent.rglob(CARD[0])))).parent
        return {file: read_result(folder / file) for file in CARD if (folder / file).exists()}
    if name == "demo":
        figures = [re.findall(r"-?\d+\.\d+", line) for line in said.splitlines() if "Softmax" in line or "[" in line]
        return {"printed": figures, "runs": read_folder(path)}
    return read_folder(path) if path.is_dir() else read_result(path)


def _interrupted(place: Place) -> Any:
    """Stop a training by SIGTERM after its first checkpoints, and let it go on to its end."""
    for number in range(TRIES):
        names = place.names(f"interrupted {number}")
        folder = Path(names["out"]) / "trained"
        folder.parent.mkdir(parents=True)
        child, said = _start(INTERRUPTED.format(**names))
        while not (folder / "last" / "training.json").exists() and not _ended(child):
            time.sleep(0.005)
        os.kill(child, signal.SIGTERM)
        status = _wait(child)
        if status == 0:
            continue
        stopped = read_result(folder / "last" / "training.json")
        print(f"        stopped after step {stopped['global_step']} with {status}: {said()[-80:]!r}", file=sys.stderr)
        _must(RESUMED.format(**names), 0)
        return read_folder(folder, only=r"\.safetensors$|run.json")
    sys.exit("the interruption came too late every time: give RECIPE more epochs")


def _loaded(place: Place) -> Any:
    """What Python says of the kept run."""
    import curvox

    model, names = curvox.load(place.work / "run"), place.names("load")
    answers = [model.verify(names["a"], names[other]) for other in "bc"]
    return {
        "embedding": model.embed(names["a"]),
        "answers": [{k: getattr(answer, k) for k in ("score", "llr", "same")} for answer in answers],
        "space": model.space.describe(),
    }


def _must(words: str, status: int) -> str:
    """Run a command of curvox and return what it printed; stop where it exits otherwise than it should."""
    child, said = _start(words)
    found = _wait(child)
    if found != status:
        sys.exit(f"curvox {words}\nexited with {found}, not {status}:\n{said()}")
    return said(alone=True)


def _start(words: str) -> tuple[int, Callable[..., str]]:
    """Fork a process that runs a command of curvox; also return what reads its output."""
    import shlex

    outputs = [tempfile.TemporaryFile() for _ in range(2)]  # noqa: SIM115 - read after this function
    child = os.fork()
    if child == 0:
        for number, file in enumerate(outputs, start=1):
            os.dup2(file.fileno(), number)
        os._exit(_run(shlex.split(words)))

    def said(alone: bool = False) -> str:
        for file in outputs:
            file.seek(0)
        return "".join(file.read().decode() for file in outputs[: 1 if alone else 2])

    return child, said


def _run(words: list[str]) -> int:
    import traceback

    sys.argv = ["curvox", *words]
    try:
        from curvox.cli import main as curvox

        curvox()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        status = 70
    sys.stdout.flush()
    sys.stderr.flush()
    return status


def _ended(child: int) -> bool:
    return bool(os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT))


def _wait(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _in_child(place: Place, function: Callable[[], Any]) -> Any:
    """What a function returns in a process of its own, so that it leaves nothing in this one."""
    path = place.work / "child.json"
    child = os.fork()
    if child == 0:
        import traceback

        try:
            path.write_text(json.dumps(comparable(function(), _hidden(place))), encoding="utf-8")
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    if _wait(child) != 0:
        sys.exit("failed in Python, see above")
    return json.loads(path.read_text(encoding="utf-8"))


# The table.


def _report(kept: dict[str, Any], found: dict[str, Any]) -> int:
    """Print a line for each item and return the exit status."""
    found = json.loads(json.dumps(found))
    lines, worst = [], 0
    for name in sorted({*kept, *found}):
        if name not in found or name not in kept:
            comparison = Comparison(different=["is " + ("missing" if name not in found else "new")])
        else:
            comparison = compare_values(kept[name], found[name], name)
        lines.append((name, comparison.verdict, comparison.detail()))
        worst = max(worst, int(comparison.failed))
    width = max(len(name) for name, _, _ in lines)
    for name, verdict, detail in lines:
        print(f"{name:{width}}  {verdict:14}  {detail}".rstrip())
    counts = {verdict: sum(v == verdict for _, v, _ in lines) for verdict in dict.fromkeys(v for _, v, _ in lines)}
    print(", ".join(f"{count} {verdict}" for verdict, count in counts.items()))
    return worst


if __name__ == "__main__":
    main()
