"""``curvox diagnose``: what it takes, refuses, prints and leaves; what is measured is tested where it is measured."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import curvox_here
from made_up_diagnoses import healthy, sick

import curvox.diagnosis
import curvox.training
from curvox.cli.diagnose import batch
from curvox.diagnosis import BatchLoss, Diagnosis, RunObservation, diagnosis_from_tree, diagnosis_tree, summary
from curvox.losses import AMSoftmax, ContrastiveHinge
from curvox.reports import write_diagnosis_folder


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """A file with a loss of the user's own."""
    path = tmp_path / "my_module.py"
    path.write_text(
        "from torch import nn\n"
        "class Counting(nn.Module):\n"
        "    def __init__(self, dim, speakers):\n"
        "        super().__init__()\n"
        "        self.speakers = speakers\n"
        "    def forward(self, x, y, same):\n"
        "        return (x - y).square().sum(1)\n"
    )
    return path


@pytest.fixture
def run_with_logs(tmp_path: Path) -> Path:
    """A run folder as far as the command looks at it."""
    folder = tmp_path / "runs" / "x"
    (folder / "logs" / "version_0").mkdir(parents=True)
    (folder / "logs" / "version_0" / "metrics.csv").touch()
    (folder / "recipe.yaml").touch()
    return folder


class Fakes:
    """In the place of what measures: every call is kept, and one diagnosis comes back."""

    def __init__(self, found: Diagnosis) -> None:
        self.found, self.calls = found, []

    def observe_run(self, *arguments: Any, **options: Any) -> Any:
        del options["console"]
        self.calls.append(("observe_run", arguments, options))
        return RunObservation("x")

    def probe_loss(self, *arguments: Any, **options: Any) -> Any:
        del options["console"]
        self.calls.append(("probe_loss", arguments, options))
        return RunObservation("x")

    def small_recipe(self, data: str, *, whole_batch: bool) -> Any:
        return ("recipe of", data, "pairs" if whole_batch else "classes")

    def diagnose_run(self, *arguments: Any) -> Diagnosis:
        self.calls.append(("diagnose_run", arguments, {}))
        return self.found

    def diagnose(self, *arguments: Any) -> Diagnosis:
        self.calls.append(("diagnose", arguments, {}))
        return self.found


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Fakes:
    made = Fakes(sick())
    for name in ("observe_run", "probe_loss", "small_recipe"):
        monkeypatch.setitem(vars(curvox.training), name, getattr(made, name))
    for name in ("diagnose_run", "diagnose"):
        monkeypatch.setitem(vars(curvox.diagnosis), name, getattr(made, name))
    return made


def test_run__is_diagnosed_printed_and_written(run_with_logs: Path, fakes: Fakes) -> None:
    result = curvox_here("diagnose", run_with_logs)
    assert result.returncode == 0
    assert result.stdout == f"{summary(sick())}\n"
    assert str(run_with_logs / "diagnosis") in result.stderr
    tree = json.loads((run_with_logs / "diagnosis" / "diagnosis.json").read_text())
    assert tree == diagnosis_tree(sick(), name="x")
    assert repr(diagnosis_from_tree(tree)) == repr(sick())
    page = (run_with_logs / "diagnosis" / "report.html").read_text()
    assert "Diagnosis of x" in page
    assert f"curvox diagnose {run_with_logs}" in page
    assert fakes.calls[0] == ("observe_run", (run_with_logs,), {"data": None})


def test_run__takes_its_checkpoint_a_corpus_and_a_place(run_with_logs: Path, fakes: Fakes, tmp_path: Path) -> None:
    (run_with_logs / "last").mkdir()
    result = curvox_here("diagnose", run_with_logs / "last", "--data", tmp_path, "-o", tmp_path / "deep" / "out")
    assert result.returncode == 0, result.stderr
    assert fakes.calls[0] == ("observe_run", (run_with_logs,), {"data": tmp_path})
    assert sorted(p.name for p in (tmp_path / "deep" / "out").iterdir()) == ["diagnosis.json", "report.html"]
    assert not (run_with_logs / "diagnosis").exists()


def test_run__that_was_diagnosed_is_measured_again_only_when_told(run_with_logs: Path, fakes: Fakes) -> None:
    assert curvox_here("diagnose", run_with_logs).returncode == 0
    again = curvox_here("diagnose", run_with_logs)
    assert again.returncode == 1
    assert "--overwrite" in again.stderr
    assert len(fakes.calls) == 2
    fakes.found = healthy()
    assert curvox_here("diagnose", run_with_logs, "--overwrite").returncode == 0
    assert json.loads((run_with_logs / "diagnosis" / "diagnosis.json").read_text())["healthy"] is True


def test_output__that_holds_something_else_is_never_replaced(run_with_logs: Path, fakes: Fakes, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    for place in (tmp_path, tmp_path / "thesis.tex"):
        complaint = curvox_here("diagnose", run_with_logs, "-o", place, "--overwrite").stderr
        assert "more than a diagnosis (" in complaint
        assert "thesis.tex" in complaint
    assert fakes.calls == []


@pytest.mark.parametrize(
    ("found", "fail_on", "code"),
    [
        (sick(), None, 0),
        (sick(), "failure", 3),
        (sick(), "warning", 3),
        (Diagnosis(sick().findings[2:], sick().checked), "failure", 0),
        (Diagnosis(sick().findings[2:], sick().checked), "warning", 3),
        (healthy(note=True), "warning", 0),
        (healthy(), "failure", 0),
    ],
)
def test_exit_code__is_0_unless_told_otherwise(
    run_with_logs: Path, fakes: Fakes, found: Diagnosis, fail_on: str | None, code: int
) -> None:
    fakes.found = found
    more = [] if fail_on is None else ["--fail-on", fail_on]
    assert curvox_here("diagnose", run_with_logs, *more).returncode == code
    assert (run_with_logs / "diagnosis" / "report.html").is_file()


def test_exit_code__of_an_unknown_severity_is_refused_before_any_work(run_with_logs: Path, fakes: Fakes) -> None:
    result = curvox_here("diagnose", run_with_logs, "--fail-on", "failures")
    assert result.returncode == 1
    assert 'did you mean "failure"?' in result.stderr
    assert fakes.calls == []


def test_run__without_recipe_or_without_anything_to_look_at_is_refused(run_with_logs: Path, fakes: Fakes) -> None:
    (run_with_logs / "logs" / "version_0" / "metrics.csv").unlink()
    result = curvox_here("diagnose", run_with_logs)
    assert result.returncode == 1
    assert "holds neither logs nor a checkpoint" in result.stderr
    (run_with_logs / "failure.json").touch()
    assert curvox_here("diagnose", run_with_logs).returncode == 0
    (run_with_logs / "recipe.yaml").unlink()
    assert "is no run: it holds no recipe.yaml" in curvox_here("diagnose", run_with_logs).stderr


def test_loss__is_looked_at_on_one_batch_first_and_then_trained(module: Path, fakes: Fakes, tmp_path: Path) -> None:
    result = curvox_here(
        "diagnose", f"{module}:Counting", "--takes", "pairs, same", "--data", tmp_path, "--runs", tmp_path / "r",
        "--steps", "7",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stdout.count(summary(sick())) == 2
    assert result.stdout.index("Counting, on one batch") < result.stdout.index("Counting, after 7 steps")
    assert [name for name, _, _ in fakes.calls] == ["diagnose", "probe_loss", "diagnose_run"]
    loss, embeddings, speakers = fakes.calls[0][1]
    assert isinstance(loss, BatchLoss)
    assert embeddings.shape == (len(speakers), loss.dim)
    make, recipe, folder = fakes.calls[1][1]
    assert recipe == ("recipe of", str(tmp_path), "pairs")
    assert folder == tmp_path / "r" / "probe-Counting"
    assert fakes.calls[1][2] == {"steps": 7}
    built = make(5, 11)
    assert (built.dim, built.function.speakers, built.takes) == (5, 11, "pairs, same")
    assert (folder / "diagnosis" / "report.html").is_file()


def test_loss__of_the_table_goes_by_its_name(fakes: Fakes, tmp_path: Path) -> None:
    result = curvox_here("diagnose", "contrastive_hinge", "--data", tmp_path, "--runs", tmp_path / "r")
    assert result.returncode == 0, result.stderr
    assert isinstance(fakes.calls[0][1][0], ContrastiveHinge)
    result = curvox_here("diagnose", "am_softmax", "--data", tmp_path, "--runs", tmp_path / "r")
    assert result.returncode == 0, result.stderr
    assert isinstance(fakes.calls[3][1][0], AMSoftmax)
    # Batches of classes for a loss with centres, of several recordings a speaker for one of pairs.
    assert [arguments[1][2] for name, arguments, _ in fakes.calls if name == "probe_loss"] == ["pairs", "classes"]


def test_loss__without_a_corpus_or_of_no_table_is_refused(module: Path, fakes: Fakes, tmp_path: Path) -> None:
    assert "name a corpus with --data" in curvox_here("diagnose", f"{module}:Counting").stderr
    complaint = curvox_here("diagnose", "contrastive_hing", "--data", tmp_path).stderr
    assert "neither the folder of a run, nor FILE.py:NAME, nor a loss of the table" in complaint
    assert '"contrastive_hinge"' in complaint
    assert fakes.calls == []


def test_loss__leaves_an_earlier_probe_alone_unless_told(fakes: Fakes, tmp_path: Path) -> None:
    folder = tmp_path / "probe-triplet"
    folder.mkdir()
    (folder / "recipe.yaml").touch()
    words = ("diagnose", "triplet", "--data", tmp_path, "--runs", tmp_path)
    assert "exists already" in curvox_here(*words).stderr
    assert curvox_here(*words, "--overwrite").returncode == 0
    assert not (folder / "recipe.yaml").exists()
    # A folder that no probe has left stays.
    other = tmp_path / "probe-softmax"
    other.mkdir()
    (other / "thesis.tex").touch()
    words = ("diagnose", "softmax", "--data", tmp_path, "--runs", tmp_path, "--overwrite")
    assert "is no earlier probe" in curvox_here(*words).stderr
    assert (other / "thesis.tex").exists()


def test_batch__has_speakers_with_several_recordings_that_overlap() -> None:
    embeddings, speakers = batch()
    assert torch.equal(embeddings, batch()[0])
    assert speakers.bincount().tolist() == [4] * 16
    distances = torch.cdist(embeddings, embeddings)
    same = speakers[:, None] == speakers[None, :]
    itself = torch.eye(len(speakers), dtype=torch.bool)
    assert distances[same & ~itself].mean() < distances[~same].mean() < 2 * distances[same & ~itself].mean()


def test_write__leaves_the_earlier_diagnosis_when_the_new_one_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "diagnosis"
    write_diagnosis_folder(folder, sick(), RunObservation("x"), name="x", command="")
    before = (folder / "report.html").read_text()
    monkeypatch.setattr("curvox.reports.folders.to_json", lambda tree: "\ud800")
    with pytest.raises(UnicodeEncodeError):
        write_diagnosis_folder(folder, healthy(), RunObservation("x"), name="x", command="")
    assert (folder / "report.html").read_text() == before


def test_real_run__is_measured_and_diagnosed_to_the_end(tiny_run: Path, tmp_path: Path) -> None:
    result = curvox_here("diagnose", tiny_run, "-o", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    assert "looked for" in result.stdout
    found = diagnosis_from_tree(json.loads((tmp_path / "out" / "diagnosis.json").read_text()))
    assert {"label_blind", "collapse", "duplicate_recordings", "dead_radius"} <= set(found.checked)
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Diagnosis of tiny" in page
    assert "EER on the dev trials over the steps" in page
