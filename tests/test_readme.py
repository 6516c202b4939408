"""The README: short, its Python runs as printed, and its commands and those of the docs exist."""

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import typer

from curvox.cli import app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def snippets() -> list[str]:
    return re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def command_lines() -> list[tuple[str, str]]:
    """Every call of the command that the README and the docs print, in blocks or in the text, and where it stands."""
    found = []
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        text = path.read_text(encoding="utf-8")
        for language, block in re.findall(r"^```([^\n]*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
            if language != "python":
                lines = block.replace("\\\n", " ").splitlines()
                found += [(path.name, line.strip()) for line in lines if re.match(r"\s*(\$ )?curvox ", line)]
        found += [(path.name, " ".join(call.split())) for call in re.findall(r"`(curvox [a-z][^`]*)`", text)]
    return found


def words_of(line: str) -> list[str]:
    line = re.sub(r"\s#\s.*", "", line.removeprefix("$ "))
    return [word for word in shlex.split(line.replace("...", "").replace("…", ""))[1:] if word]


def test_readme__is_short_and_shows_a_page() -> None:
    prose = re.sub(r"\(docs/[^)]*\)|https?://\S+", "", README)
    assert len(prose.split()) <= 700
    (picture,) = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README)
    assert (ROOT / picture).stat().st_size < 200_000


def test_readme__links_to_pages_that_are_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", README):
        assert (ROOT / target).exists(), target


@pytest.mark.parametrize("number", range(len(snippets())))
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
    torch.manual_seed(1)
    exec(compile(snippets()[number], f"README snippet {number}", "exec"), {})
    assert len(capsys.readouterr().out.split()) == (3, 1)[number]


@pytest.mark.parametrize(("page", "line"), command_lines())
def test_command__is_there_with_its_options(page: str, line: str) -> None:
    """An option that was renamed or never existed would be printed for users to stumble over."""
    words = words_of(line)
    command: Any = typer.main.get_command(app)
    while words and hasattr(command, "commands"):
        assert words[0] in command.commands, f"{page}: there is no command {words[0]}"
        command = command.commands[words.pop(0)]
    parameters = command.params
    known = {option: p for p in parameters for option in (*p.opts, *p.secondary_opts) if option.startswith("-")}
    for option in (word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)):
        assert option in (*known, "--help"), f"{page}: {line}: there is no option {option}"
    for place, word in enumerate(words):
        if word in known and not known[word].is_flag:
            following = words[place + 1] if place + 1 < len(words) else "--"
            assert following == "-" or not following.startswith("-"), f"{page}: {line}: {word} needs a value"


def test_commands__are_found_in_the_readme_and_the_docs() -> None:
    assert len([page for page, _ in command_lines() if page == "README.md"]) >= 8
    assert len({page for page, _ in command_lines()}) >= 6
