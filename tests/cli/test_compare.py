"""``curvox compare``: what it prints and writes."""

import json
import shutil
from pathlib import Path

import pytest
from made_up_evaluations import made_up_finished

from curvox.cli.compare import compare
from curvox.errors import InputError, OutputExistsError
from curvox.evaluating import Comparison, read_evaluation_folder, write_evaluation_folder


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    made = []
    for i, name in enumerate(("first", "second")):
        made.append(tmp_path / "runs" / name / "eval" / "made")
        write_evaluation_folder(made[-1], made_up_finished(name, 1.0 + i, seed=i))
    return made


def test_command__prints_each_language_and_writes_all(
    folders: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compare(folders, resamples=10, output=tmp_path / "out")
    printed = capsys.readouterr().out
    compare(folders, resamples=10, json_file=Path("-"))
    tree = json.loads(capsys.readouterr().out)
    comparison = Comparison.from_dict(tree)
    for system in comparison.systems:
        assert system.title in printed
    compare(folders, resamples=10, latex=True)
    latex = capsys.readouterr().out
    compare(folders, resamples=10, markdown=True)
    markdown = capsys.readouterr().out
    out = tmp_path / "out"
    assert (out / "comparison.tex").read_text() == latex
    assert (out / "comparison.md").read_text() == markdown
    assert json.loads((out / "comparison.json").read_text()) == tree
    page = (out / "report.html").read_text()
    assert "Paired tests" in page
    assert "curvox compare first/eval/made second/eval/made" in page
    with pytest.raises(OutputExistsError, match="exists already"):
        compare(folders, resamples=10, output=out)


def test_command__finds_the_one_evaluation_of_a_run_and_names_several(folders: list[Path]) -> None:
    runs = [folder.parent.parent for folder in folders]
    for run in runs:
        (run / "recipe.yaml").touch()
    compare(runs, resamples=10)
    compare(runs, trials=Path("elsewhere/made.txt"), resamples=10)
    folders[0].rename(folders[0].with_name("other"))
    folders[1].rename(folders[1].with_name("other"))
    compare(runs, resamples=10)
    (runs[0] / "eval" / "third").mkdir()
    (runs[0] / "eval" / "third" / "evaluation.json").touch()
    with pytest.raises(InputError, match=r"name one of its evaluations \(.*other, .*third\)"):
        compare(runs, resamples=10)


def test_command__finds_and_makes_evaluations_of_a_back_end_with_settings(
    tiny_run: Path, voices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [Path(shutil.copytree(tiny_run, tmp_path / name)) for name in ("one", "two")]
    trials = voices / "trials" / "test.txt"
    for known in (False, True):
        compare(runs, trials, back_end="as_norm:top_k=4", resamples=5)
        printed = capsys.readouterr()
        assert "two: HAM-Softmax, as_norm" in printed.out
        assert ("was not evaluated" in " ".join(printed.err.split())) != known
    folders = [run / "eval" / "test-as_norm-top_k-4" for run in runs]
    assert [read_evaluation_folder(folder).report.scoring.settings["top_k"] for folder in folders] == [4, 4]


def test_command__refuses_one_system_and_two_languages(folders: list[Path]) -> None:
    with pytest.raises(InputError, match="two systems or more, got 1"):
        compare(folders[:1])
    with pytest.raises(InputError, match="one of --markdown, --latex and --json -"):
        compare(folders, latex=True, json_file=Path("-"))
