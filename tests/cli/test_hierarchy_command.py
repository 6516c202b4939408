"""``curvox hierarchy``: what it leaves, what it prints, and what it refuses before it works."""

import json
import re
import shutil
from pathlib import Path

import pytest
from command_line import curvox_here

from curvox.cli.hierarchy import choose, hierarchy, tree_of
from curvox.corpora import read_corpus
from curvox.errors import CheckpointError, CorpusError, InputError, OutputExistsError, UnknownNameError
from curvox.hierarchy import TreeMeasures

FILES = {"report.html", "measures.json", "disk.svg", "dendrogram.svg", "radius.svg"}


@pytest.fixture(scope="module")
def run(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy that may be written into."""
    return Path(shutil.copytree(tiny_run, tmp_path_factory.mktemp("hierarchy") / "tiny"))


@pytest.fixture(scope="module")
def said(run: Path) -> str:
    done = curvox_here("hierarchy", run, "--resamples", "3")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_hierarchy__leaves_page_pictures_and_measures(said: str, run: Path) -> None:
    folder = run / "hierarchy" / "test"
    assert {path.name for path in folder.iterdir()} == FILES
    measures = TreeMeasures.from_dict(json.loads((folder / "measures.json").read_text()))
    assert (measures.utterances, measures.speakers, measures.resamples) == (16, 4, 3)
    assert measures.levels == ("gender", "native_language", "speaker", "session")
    purity = measures.measure("purity", "speaker")
    assert purity is not None
    assert f"{purity.value:.3f}" in said
    page = (folder / "report.html").read_text()
    assert f"{purity.value:.3f}" in page
    assert page.count('src="data:audio/flac;base64,') == 16
    assert "curvox hierarchy tiny --levels gender,native_language,speaker,session" in page
    assert str(run.parent) not in page


def test_hierarchy__prints_json_alone_of_recordings_chosen_from_a_trial_list(
    said: str, run: Path, voices: Path, tmp_path: Path
) -> None:
    trials = voices / "trials" / "test.txt"
    done = curvox_here(
        "hierarchy", run, "--trials", trials, "--levels", "speaker, session", "--utterances", "12", "--resamples", "0",
        "--no-audio", "--json", "-o", tmp_path / "out",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    measures = TreeMeasures.from_dict(json.loads(done.stdout))
    assert (measures.utterances, measures.speakers, measures.levels) == (12, 4, ("speaker", "session"))
    page = (tmp_path / "out" / "report.html").read_text()
    assert "12 of 16 recordings were taken" in page
    assert "--trials test.txt --utterances 12" in page
    assert "data:audio" not in page


def test_hierarchy__replaces_only_what_it_wrote(said: str, run: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputExistsError, match="--overwrite"):
        hierarchy(run)
    with pytest.raises(OutputExistsError, match="more than a label tree"):
        hierarchy(run, output=run, overwrite=True)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputExistsError, match="more than a label tree"):
        hierarchy(run, output=tmp_path / "file", overwrite=True)


def test_hierarchy__refuses_before_it_works(run: Path, voices: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(UnknownNameError, match='did you mean "gender"'):
        hierarchy(run, levels="gendre,speaker", output=out)
    with pytest.raises(InputError, match="different columns"):
        hierarchy(run, levels="speaker,speaker", output=out)
    with pytest.raises(InputError, match="one or several"):
        hierarchy(run, levels=" , ", output=out)
    with pytest.raises(CorpusError, match='no split "tset"; splits present: dev, test, train'):
        hierarchy(run, split="tset", output=out)
    with pytest.raises(InputError, match="not both"):
        hierarchy(run, split="dev", trials=voices / "trials" / "test.txt", output=out)
    with pytest.raises((CheckpointError, InputError), match=re.escape(str(tmp_path))):
        hierarchy(tmp_path, output=out)
    assert not out.exists()


def manifest(folder: Path, *rows: str, levels: str = "") -> Path:
    head = f"# levels: {levels}\n" if levels else ""
    (folder / "manifest.tsv").write_text(head + "utterance\tpath\tspeaker\tgender\tsplit\n" + "\n".join(rows) + "\n")
    return folder


def test_levels__that_are_empty_are_left_out_unless_they_were_asked_for(tmp_path: Path) -> None:
    rows = [f"u{i}\tu{i}.wav\ts{i % 3}\t\ttest" for i in range(6)]
    corpus = read_corpus(manifest(tmp_path, *rows, levels="gender, speaker"), check_files=False)
    chosen = choose(corpus, split="test", trials=None, at_most=None)
    tree = tree_of(chosen, None)
    assert tree.paths.levels == ("speaker",)
    assert tree.left_out == ("gender",)
    with pytest.raises(InputError, match="nothing is known of gender for any of the 6 recordings"):
        tree_of(chosen, "gender,speaker")


def test_choose__spreads_over_speakers_and_refuses_one(tmp_path: Path) -> None:
    rows = [f"u{i}\tu{i}.wav\t{'a' if i < 10 else 'b'}\tf\ttest" for i in range(12)]
    corpus = read_corpus(manifest(tmp_path, *rows, "d\td.wav\tc\tf\tdev"), check_files=False)
    chosen = choose(corpus, split="test", trials=None, at_most=5)
    assert sorted(corpus[name].speaker for name in chosen.utterances) == ["a", "a", "a", "b", "b"]
    assert chosen.of_how_many == 12
    with pytest.raises(InputError, match="at least 4 recordings of 2 speakers"):
        choose(corpus, split="dev", trials=None, at_most=None)


def test_help__names_the_command_without_loading_torch() -> None:
    import subprocess
    import sys

    code = "import sys, curvox.cli.hierarchy; print([m for m in ('torch', 'matplotlib', 'scipy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
