"""Corpora as users have them: with faults, without splits."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from tiny_recipes import change

from curvox.errors import AudioError, CorpusError, InputError, RecipeError
from curvox.training import train


def with_damaged_recording(voices: Path, folder: Path, share: float) -> Path:
    """Copy the tiny corpus and keep only a share of one training recording's bytes."""
    shutil.copytree(voices, folder)
    rows = [line.split("\t") for line in (folder / "manifest.tsv").read_text().splitlines()]
    path = next(folder / row[rows[0].index("path")] for row in rows[1:] if row[rows[0].index("split")] == "train")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    return folder


@pytest.mark.parametrize(("share", "error"), [(0.0, CorpusError), (0.5, AudioError)])
def test_run__refuses_unreadable_recordings_unless_allowed(
    share: float,
    error: type[Exception],
    tiny_tree: dict[str, Any],
    voices: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    folder = with_damaged_recording(voices, tmp_path / "voices", share)
    with pytest.raises(error, match=r"empty|truncated|cut"):
        train(change(tiny_tree, f"data.path={folder}", "training.epochs=1"), tmp_path / "strict")
    allowed = change(tiny_tree, f"data.path={folder}", "training.max_steps=1", "data.allowed_bad_share=0.1")
    result = train(allowed, tmp_path / "lenient")
    assert len(result.unreadable) == 1
    assert "1 recordings could not be read" in capsys.readouterr().err


@pytest.mark.parametrize("storage", ["decoded", "files"])
def test_run__lists_broken_files_up_to_the_allowed_share(
    storage: str, tiny_tree: dict[str, Any], voices: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "voices"
    shutil.copytree(voices, folder)
    rows = [line.split("\t") for line in (folder / "manifest.tsv").read_text().splitlines()]
    at = rows[0].index
    chosen = [row for row in rows[1:] if row[at("split")] == "train"][::8]
    paths = [folder / row[at("path")] for row in chosen]
    paths[0].write_bytes(paths[0].read_bytes()[: paths[0].stat().st_size // 3])
    paths[1].write_bytes(b"")
    paths[2].write_text("only words")
    recipe = [f"data.path={folder}", "training.epochs=1", f"data.storage={storage}"]
    result = train(change(tiny_tree, *recipe, "data.allowed_bad_share=0.1"), tmp_path / "run")
    lines = (tmp_path / "run" / "bad_files.tsv").read_text().splitlines()
    assert lines[0] == "path\tutterance\treason"
    listed = {tuple(line.split("\t")[:2]) for line in lines[1:]}
    assert listed == {(row[at("path")], row[at("utterance")]) for row in chosen}
    assert len(result.unreadable) == 3
    assert any("only words" in line or "text" in line for line in lines)
    with pytest.raises(AudioError, match=r"of 40 recordings cannot be read, allowed is a share of 0\.05"):
        train(change(tiny_tree, *recipe, "data.allowed_bad_share=0.05"), tmp_path / "strict")


def test_run__takes_a_corpus_without_splits(tiny_tree: dict[str, Any], voices: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folders"
    rows = [line.split("\t") for line in (voices / "manifest.tsv").read_text().splitlines()]
    at = rows[0].index
    for row in rows[1:]:
        target = folder / row[at("speaker")] / Path(row[at("path")]).name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(voices / row[at("path")], target)
    data = [f"data.path={folder}", "data.dev_trials=null", "training.epochs=1"]
    with pytest.raises(RecipeError, match=r"set data\.holdout_dev_speakers"):
        train(change(tiny_tree, *data), tmp_path / "run")
    missing = change(tiny_tree, *data, "data.dev_trials=trials/none.txt", "data.holdout_dev_speakers=4")
    with pytest.raises(RecipeError, match="null to draw trials"):
        train(missing, tmp_path / "run")
    with pytest.raises(InputError, match="lower"):
        train(change(tiny_tree, *data, "data.batch_size=500", "data.holdout_dev_speakers=4"), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    result = train(change(tiny_tree, *data, "data.holdout_dev_speakers=4", "data.crops_per_epoch=16"), tmp_path / "run")
    assert result.speakers == 10
    assert result.best is not None


def test_run__refuses_dev_trials_of_training_speakers(tiny_tree: dict[str, Any], voices: Path, tmp_path: Path) -> None:
    folder = tmp_path / "voices"
    shutil.copytree(voices, folder)
    rows = [line.split("\t") for line in (folder / "manifest.tsv").read_text().splitlines()]
    names = [row[0] for row in rows[1:] if row[rows[0].index("split")] == "train"]
    (folder / "trials" / "dev.txt").write_text(f"1 {names[0]} {names[1]}\n0 {names[0]} {names[-1]}\n")
    with pytest.raises(RecipeError, match="training utterances"):
        train(change(tiny_tree, f"data.path={folder}"), tmp_path / "run")
