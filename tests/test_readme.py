"""The README's Python runs as printed."""

import re
import shutil
from pathlib import Path

import pytest


def snippets() -> list[str]:
    text = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


def test_readme__shows_the_doctor_the_model_and_a_loss_alone() -> None:
    assert len(snippets()) == 3
    assert "diagnose(" in snippets()[0]
    assert "load(" in snippets()[1]
    assert "HAMSoftmax(" in snippets()[2]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_readme__snippet_runs(
    number: int,
    tiny_run: Path,
    two_recordings: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    shutil.copytree(tiny_run, tmp_path / "runs" / "openvoices_ham")
    for source, name in zip(two_recordings, ("a.wav", "b.wav"), strict=True):
        shutil.copy(source, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    exec(compile(snippets()[number], f"README snippet {number}", "exec"), {})
    assert len(capsys.readouterr().out.split()) == (1, 3, 2)[number]
