"""The whole command line: one form for each option, sentences as help, old forms answered with the new one."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from command_line import curvox_here

from curvox.cli import app, options
from curvox.cli.command import RENAMED
from curvox.corpora import CORPORA, ENROLMENT_STYLES, PREPARATIONS, TRIAL_STYLES
from curvox.diagnosis import SIGNATURES
from curvox.geometry import SPACES
from curvox.scoring import BACK_ENDS, CALIBRATIONS, ENROLMENTS, SCORE_MEAN, SCORERS


def commands() -> dict[str, Any]:
    """Every command by its words, such as "data check"."""
    root: Any = typer.main.get_command(app)
    found = dict(root.commands)
    group = found.pop("data")
    return {**found, **{f"data {name}": command for name, command in group.commands.items()}}


def parameters() -> Iterator[tuple[str, Any]]:
    for name, command in commands().items():
        yield from ((name, parameter) for parameter in command.params)


def test_help__is_a_sentence_that_says_the_default() -> None:
    for command, parameter in parameters():
        text, where = parameter.help, f"{command} {parameter.opts}"
        assert text is not None, where
        assert re.match(r"[A-Z][\w^]*[ ,:]", text), where
        assert text.endswith("."), where
        assert not text.startswith("Of "), where
        is_option = parameter.opts[0].startswith("-")
        if is_option and parameter.default is None and not parameter.required:
            assert "default" in text, where


def test_options__have_one_form_everywhere() -> None:
    by_option: dict[str, set[tuple[bool, tuple[str, ...]]]] = {}
    for _, parameter in parameters():
        for option in parameter.opts:
            if option.startswith("--"):
                form = (parameter.is_flag, (*parameter.opts, *parameter.secondary_opts))
                by_option.setdefault(option, set()).add(form)
    assert [option for option, forms in by_option.items() if len(forms) > 1] == []
    assert "--workers" not in by_option
    assert by_option["--json"] == {(False, ("--json",))}
    assert by_option["--audio"] == {(True, ("--audio", "--no-audio"))}


def test_output__has_its_letter_in_every_command() -> None:
    assert all("-o" in parameter.opts for _, parameter in parameters() if "--output" in parameter.opts)
    writers = {command for command, parameter in parameters() if "--output" in parameter.opts}
    assert writers == {
        "eval", "compare", "embed", "diagnose", "hierarchy", "demo",
        "data prepare", "data convert", "data shard", "data join", "data unpack-shar",
    }  # fmt: skip


def test_names__that_the_shell_completes_are_those_of_the_tables() -> None:
    from curvox.cli.diagnose import SIGNATURES as TAKES

    assert tuple(TRIAL_STYLES) == options.TRIAL_STYLES
    assert tuple(ENROLMENT_STYLES) == options.ENROLMENT_STYLES
    assert tuple(CORPORA) == options.CORPUS_FORMATS
    assert tuple(PREPARATIONS) == options.PUBLISHED_CORPORA
    assert tuple(BACK_ENDS) == options.BACK_END_NAMES
    assert tuple(SCORERS) == options.SCORER_NAMES
    assert (*ENROLMENTS, SCORE_MEAN) == options.ENROLMENT_WAYS
    assert tuple(CALIBRATIONS) == options.CALIBRATION_KINDS
    assert set(options.SPACE_NAMES) <= set(SPACES)
    assert tuple(SIGNATURES) == TAKES


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("eval --style k", ["kaldi"]),
        ("eval --back-end m", ["mean_subtraction"]),
        ("calibrate --kind ", ["logistic", "isotonic"]),
        ("data shard --codec o", ["opus"]),
        ("data check --format sh", ["shards"]),
        ("identify --enrolment-style n", ["nist"]),
        ("losses ham", ["ham_softmax"]),
        ("verify --scorer h", ["hyperbolic"]),
        ("diagnose --fail-on f", ["failure"]),
        ("data prepare vox", ["voxceleb1", "voxceleb2"]),
    ],
)
def test_shell__completes_a_choice_without_torch(words: str, names: list[str]) -> None:
    code = (
        "import sys, os\nfrom curvox.cli import app\n"
        "try:\n    app(prog_name='curvox')\nexcept SystemExit:\n    pass\n"
        "print('torch' in sys.modules)"
    )
    line = f"curvox {words}"
    environment = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1), "_CURVOX_COMPLETE": "complete_bash"}
    shown = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "", "PYTHONPATH": str(Path(options.__file__).parents[2]), **environment},
    ).stdout.split()
    assert shown == [*names, "False"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("data shard x -o y --workers 2", "--workers is now --threads"),
        ("data shard x -o y --workers=2", "--workers is now --threads"),
        ("data convert x -o y --audio flac", "--audio is now --codec"),
        ("data check x --no-audio", "--no-audio is now --no-decode"),
        ("data check x --audio", "--audio is now --decode"),
        ("verify r a b --json", "--json names a file now: --json PATH, or --json - for standard output"),
        ("identify r a --gallery g --json --device cpu", "--json PATH, or --json -"),
        ("compare a b --json", "--json PATH, or --json -"),
        ("hierarchy r --json --no-audio", "--json PATH, or --json -"),
    ],
)
def test_old_form__is_answered_with_the_new_one(words: str, said: str) -> None:
    result = curvox_here(*words.split())
    assert result.returncode == 2
    assert said in " ".join(result.stderr.replace("│", " ").split())


def test_old_forms__are_forms_no_longer_and_the_new_ones_are_there() -> None:
    for name, renamed in RENAMED.items():
        known = {o for p in commands()[name].params for o in (*p.opts, *p.secondary_opts)}
        assert not known & set(renamed)
        assert set(renamed.values()) <= known
