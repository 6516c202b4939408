"""``curvox hierarchy``: what it leaves, what it prints, and what it refuses before it works."""

import copy
import html
import io
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from command_line import curvox_here
from rich.console import Console

from curvox.cli.hierarchy import command_line, hierarchy, make_report
from curvox.corpora import Corpus, Utterance, read_corpus
from curvox.embedder import EmbeddedRecordings, Embedder, load
from curvox.errors import CheckpointError, CorpusError, InputError, OutputExistsError, UnknownNameError
from curvox.geometry import PoincareBall
from curvox.hierarchy import TreeMeasures, choose_recordings, notes_of, tree_of

FILES = {"report.html", "measures.json", "disk.svg", "dendrogram.svg", "radius.svg"}


@pytest.fixture(scope="module")
def said(own_run: Path) -> str:
    done = curvox_here("hierarchy", own_run, "--resamples", "3")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_hierarchy__leaves_page_pictures_and_measures(said: str, own_run: Path) -> None:
    folder = own_run / "hierarchy" / "test"
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
    assert str(own_run.parent) not in page


def test_hierarchy__prints_json_alone_of_recordings_chosen_from_a_trial_list(
    said: str, own_run: Path, voices: Path, tmp_path: Path
) -> None:
    trials = voices / "trials" / "test.txt"
    done = curvox_here(
        "hierarchy", own_run, "--trials", trials, "--levels", "speaker, session", "--utterances", "12",
        "--resamples", "0", "--no-audio", "--json", "-", "-o", tmp_path / "out",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    measures = TreeMeasures.from_dict(json.loads(done.stdout))
    assert (measures.utterances, measures.speakers, measures.levels) == (12, 4, ("speaker", "session"))
    page = (tmp_path / "out" / "report.html").read_text()
    assert "12 of 16 recordings were taken" in page
    assert "--trials test.txt --utterances 12" in page
    assert "data:audio" not in page


def test_page__names_the_command_that_makes_it_once_more(
    own_run: Path, voices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where run, corpus and list lie in the folder that the command is given in."""
    trials = voices / "trials" / "test.txt"
    for folder in (own_run, voices, trials):
        (tmp_path / folder.name).symlink_to(folder)
    done = curvox_here(
        "hierarchy", own_run, "--data", voices, "--trials", trials, "--utterances", "9", "--resamples", "2",
        "--levels", "gender,speaker", "--seed", "5", "--no-audio", "-o", tmp_path / "first",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "first" / "report.html").read_text()
    (command,) = re.findall(r"curvox hierarchy tiny [^<]*", page)
    monkeypatch.chdir(tmp_path)
    again = curvox_here(*shlex.split(html.unescape(command))[1:], "-o", "second")
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "second" / "report.html").read_text() == page
    assert "9 of 16 recordings were taken, drawn with seed 5" in page


def test_command__names_what_is_not_the_default_and_no_folder(own_run: Path) -> None:
    assert command_line(own_run, ["speaker"], split="test") == "curvox hierarchy tiny --levels speaker"
    data, trials = Path("/data/my voices"), Path("/data/lists/hard.txt")
    options = {"utterances": 50, "resamples": 7, "audio": False, "device": "cuda", "seed": 3}
    assert command_line(own_run / "last", ["gender", "speaker"], data=data, trials=trials, **options) == (
        "curvox hierarchy tiny/last --levels gender,speaker --data 'my voices' --trials hard.txt --utterances 50 "
        "--resamples 7 --device cuda --seed 3 --no-audio"
    )
    assert command_line(own_run, ["speaker"], split="dev").endswith(" --split dev")


def test_report__of_a_learnt_curvature_that_embedding_left_on_another_device(
    own_run: Path, voices: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The device without values stands for a GPU: nothing can be measured there, and nothing mixes with it."""
    model, ball = load(own_run), PoincareBall(learn_c=True)
    model.space = ball

    embed = model.embed_utterances

    def embed_there(*arguments: Any, **options: Any) -> EmbeddedRecordings:
        recordings = embed(*arguments, **options)
        model.space = copy.deepcopy(ball).to("meta")
        return recordings

    def bring_back() -> Embedder:
        model.space = ball
        return model

    monkeypatch.setattr(model, "embed_utterances", embed_there)
    monkeypatch.setattr(model, "cpu", bring_back)
    chosen = choose_recordings(read_corpus(voices, check_files=False), split="test", trials=None, at_most=None)
    tree = tree_of(chosen, "speaker,session")
    console = Console(file=io.StringIO())
    report = make_report(model, chosen, tree, run=own_run, command="", resamples=0, seed=0, console=console)
    assert report.measures.space == "poincare_ball"
    assert report.picture.origin is not None


def test_hierarchy__replaces_only_what_it_wrote(said: str, own_run: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputExistsError, match="--overwrite"):
        hierarchy(own_run)
    with pytest.raises(OutputExistsError, match="more than a label tree"):
        hierarchy(own_run, output=own_run, overwrite=True)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputExistsError, match="more than a label tree"):
        hierarchy(own_run, output=tmp_path / "file", overwrite=True)


def test_hierarchy__refuses_before_it_works(own_run: Path, voices: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(UnknownNameError, match='did you mean "gender"'):
        hierarchy(own_run, levels="gendre,speaker", output=out)
    with pytest.raises(InputError, match="different columns"):
        hierarchy(own_run, levels="speaker,speaker", output=out)
    with pytest.raises(InputError, match="one or several"):
        hierarchy(own_run, levels=" , ", output=out)
    with pytest.raises(CorpusError, match='no split "tset"; splits present: dev, test, train'):
        hierarchy(own_run, split="tset", output=out)
    with pytest.raises(InputError, match="not both"):
        hierarchy(own_run, split="dev", trials=voices / "trials" / "test.txt", output=out)
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
    chosen = choose_recordings(corpus, split="test", trials=None, at_most=None)
    tree = tree_of(chosen, None)
    assert tree.paths.levels == ("speaker",)
    assert tree.left_out == ("gender",)
    with pytest.raises(InputError, match="nothing is known of gender for any of the 6 recordings"):
        tree_of(chosen, "gender,speaker")


def test_choose__spreads_over_speakers_and_refuses_one(tmp_path: Path) -> None:
    rows = [f"u{i}\tu{i}.wav\t{'a' if i < 10 else 'b'}\tf\ttest" for i in range(12)]
    corpus = read_corpus(manifest(tmp_path, *rows, "d\td.wav\tc\tf\tdev"), check_files=False)
    chosen = choose_recordings(corpus, split="test", trials=None, at_most=5)
    assert sorted(corpus[name].speaker for name in chosen.utterances) == ["a", "a", "a", "b", "b"]
    assert chosen.of_how_many == 12
    with pytest.raises(InputError, match="at least 4 recordings of 2 speakers"):
        choose_recordings(corpus, split="dev", trials=None, at_most=None)


def test_choose__draws_recordings_of_a_sorted_manifest() -> None:
    """Ten speakers of each of three languages, two sessions of five recordings each, all in order."""
    ordered = (
        Utterance(utterance=f"{speaker}-{session}-{k}", path="x", speaker=speaker, language=language, split="test")
        for language in ("ar", "en", "zh")
        for speaker in (f"{language}{n}" for n in range(10))
        for session in (1, 2)
        for k in range(5)
    )
    corpus = Corpus(Path(), tuple(ordered), "sorted")
    few, many = (choose_recordings(corpus, split="test", trials=None, at_most=n, seed=1) for n in (15, 120))
    assert len({corpus[name].speaker for name in few.utterances}) == 15
    assert {corpus[name].language for name in few.utterances} == {"ar", "en", "zh"}
    assert len({name.rsplit("-", 1)[0] for name in many.utterances}) > 45
    assert many.utterances == choose_recordings(corpus, split="test", trials=None, at_most=120, seed=1).utterances
    assert many.utterances != choose_recordings(corpus, split="test", trials=None, at_most=120, seed=2).utterances
    (said,) = notes_of(few, tree_of(few, "language,speaker"), seed=1)
    assert "15 of 300 recordings were taken, drawn with seed 1, one each of 15 of the 30 speakers; the other" in said
    (said,) = notes_of(many, tree_of(many, "language,speaker"), seed=1)
    assert "as many of each speaker as fit" in said


def test_help__names_the_command_without_loading_torch() -> None:
    import subprocess
    import sys

    code = "import sys, curvox.cli.hierarchy; print([m for m in ('torch', 'matplotlib', 'scipy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
