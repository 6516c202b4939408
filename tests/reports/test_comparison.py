"""Systems side by side: tables in three languages, JSON, escapes."""

import io
import json
import re
from dataclasses import replace

import pytest
from rich.console import Console

from curvox.errors import InputError
from curvox.evaluating import ComparedSystem, Comparison
from curvox.metrics import Difference, Figure, Interval
from curvox.records import to_json
from curvox.reports import comparison_latex, comparison_markdown, comparison_tables
from curvox.reports.tables.tables import latex_text, p_text

EER, DCF = "eer", "min_dcf:0.01"


def figures(eer, dcf):
    return (
        Figure(EER, "EER", eer, Interval(eer - 0.01, eer + 0.02), 0.5),
        Figure(DCF, "minDCF(0.01)", dcf, None, float("inf")),
    )


@pytest.fixture
def comparison():
    differences = (
        Difference(EER, "EER", 0.1, 0.08, -0.02, Interval(-0.031, 0.001), 0.062),
        Difference(DCF, "minDCF(0.01)", 0.9, 0.95, 0.05, Interval(0.01, 0.09), 0.0004),
    )
    return Comparison(
        trials="test_1.txt",
        targets=1234,
        non_targets=5678,
        speakers=76,
        systems=(
            ComparedSystem("AM-Softmax", figures(0.1, 0.9)),
            ComparedSystem("HAM_Softmax & 50 %", figures(0.08, 0.95), differences),
        ),
        keys=(EER, DCF),
        resamples=1000,
        seed=7,
    )


def test_comparison__comes_back_from_to_json(comparison):
    text = to_json(comparison.to_dict())
    assert "Infinity" not in text
    assert Comparison.from_dict(json.loads(text)) == comparison


@pytest.mark.parametrize("spoil", ["systems", "keys", "seed"])
def test_comparison__refuses_other_trees(spoil, comparison):
    tree = comparison.to_dict()
    with pytest.raises(InputError, match="not a comparison"):
        Comparison.from_dict({key: value for key, value in tree.items() if key != spoil})
    with pytest.raises(InputError, match="not a comparison"):
        Comparison.from_dict({**tree, "colour": "red"})


def test_comparison__refuses_one_system_and_two_of_one_name(comparison):
    for systems in (comparison.systems[:1], comparison.systems[:1] * 2):
        with pytest.raises(InputError, match="at least two systems of different names"):
            replace(comparison, systems=systems)


def test_markdown__has_values_intervals_differences_and_p(comparison):
    text = comparison_markdown(comparison)
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line[:1] == "|"]
    assert rows[0] == ["system", "EER %", "minDCF(0.01)"]
    assert rows[2] == ["AM-Softmax", "10.00 [9.00, 12.00]", "0.900"]
    assert rows[3] == [r"HAM\_Softmax &amp; 50 %", "8.00 [7.00, 10.00]", "0.950"]
    assert rows[4] == ["system", "figure", "difference", "interval", "p"]
    assert rows[6][1:] == ["EER %", "−2.00", "[−3.10, +0.10]", "0.062"]
    assert rows[7][1:] == ["minDCF(0.01)", "+0.050", "[+0.010, +0.090]", "&lt; 0.002"]
    assert "1,234 targets, 5,678 non-targets, 76 speakers" in text
    assert "Each system less AM-Softmax" in text
    assert "1,000 resamples" in text
    assert "seed 7" in text


NASTY = (
    r"\input{x} $y$ a_b^c ~ #1 {z} & 5 %",
    "*starred",
    "[first",
    '"q" `x` -- ---',
    "Poincaré – − × ≤ ≥",
    "tab\tline\nend\x00\x7f",
)


def check_latex(text):
    """Braces balanced, nothing special unescaped, and in every table as many cells in every row as columns."""
    body = [line for line in text.splitlines() if not line.startswith("%")]
    for line in body:
        assert not re.search(r"(?<!\\)[%#_~^]", line), line
        assert re.sub(r"\\[{}]", "", line).count("{") == re.sub(r"\\[{}]", "", line).count("}"), line
        assert len(re.findall(r"(?<!\\)\$", line)) % 2 == 0, line
        assert not re.match(r" *[*\[]", line), line
        assert set(re.findall(r"\\([a-zA-Z]+)", line)) <= COMMANDS, line
    for table in "\n".join(body).split(r"\begin{tabular}")[1:]:
        columns = table[1 : table.index("}")]
        assert set(columns) == {"l", "r"}
        rows = [line for line in table.splitlines() if line.endswith(r"\\")]
        assert len(rows) > 1
        assert all(len(re.findall(r"(?<!\\)&", row)) == len(columns) - 1 for row in rows)


# Those that LaTeX has without a package but booktabs, in the font encoding it has by default.
COMMANDS = {"begin", "end", "toprule", "midrule", "bottomrule", "times", "leq", "geq"}
COMMANDS |= {f"text{name}" for name in ("backslash", "asciitilde", "asciicircum", "asciigrave", "less", "greater")}


def test_latex__is_booktabs_with_every_text_escaped(comparison):
    text = comparison_latex(comparison)
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 2
    for rule in ("toprule", "midrule", "bottomrule"):
        assert text.count(f"\\{rule}") == 2
    assert r"HAM\_Softmax \& 50 \% & 8.00 {[}7.00, 10.00{]} & 0.950 \\" in text
    assert r"$-$2.00" in text
    check_latex(text)


@pytest.mark.parametrize("title", NASTY)
def test_latex__is_whole_whatever_systems_and_lists_are_called(title, comparison):
    named = tuple(replace(system, title=f"{title}{i}") for i, system in enumerate(comparison.systems))
    text = comparison_latex(replace(comparison, systems=named, trials=title))
    check_latex(text)
    lines = text.splitlines()
    assert lines[0] == r"% needs \usepackage{booktabs}"
    assert all(line[:1] in ("%", " ", "") or line.startswith(("\\begin", "\\end")) for line in lines)


def test_latex__says_when_names_need_another_font(comparison):
    named = replace(comparison, systems=(comparison.systems[0], replace(comparison.systems[1], title="Матвей")))
    assert "LuaLaTeX" in comparison_latex(named)
    assert "LuaLaTeX" not in comparison_latex(comparison)


def test_latex_text__makes_no_command_of_anything():
    assert latex_text(r"\input{x} $y$ a_b^c ~ #1 & 5%") == (
        r"\textbackslash{}input\{x\} \$y\$ a\_b\textasciicircum{}c \textasciitilde{} \#1 \& 5\%"
    )
    assert "\n" not in latex_text("a\n% b")
    assert latex_text("a--b `c` *") == r"a-{}-b \textasciigrave{}c\textasciigrave{} {*}"


def test_terminal__shows_both_tables_and_takes_names_as_text(comparison):
    systems = (comparison.systems[0], replace(comparison.systems[1], title="[red]x[/red]"))
    file = io.StringIO()
    for table in comparison_tables(replace(comparison, systems=systems)):
        Console(file=file, width=80, color_system=None).print(table)
    text = file.getvalue()
    for part in (
        "[red]x[/red]",
        "10.00",
        "[9.00, 12.00]",
        "−2.00",
        "0.062",
        "< 0.002",
        "In brackets the 95 % interval",
    ):
        assert part in text


def test_tables__mark_a_figure_that_one_system_lacks(comparison):
    less = replace(comparison.systems[0], figures=comparison.systems[0].figures[:1])
    text = comparison_markdown(replace(comparison, systems=(less, comparison.systems[1])))
    assert "| AM-Softmax | 10.00 [9.00, 12.00] | – |" in text


@pytest.mark.parametrize(
    ("p", "resamples", "text"),
    [(0.5, 1000, "0.500"), (0.0015, 1000, "< 0.002"), (0.0015, 9999, "0.002"), (0.01, 9, "< 0.200")],
)
def test_p__is_never_smaller_than_the_resamples_can_tell(p, resamples, text):
    assert p_text(p, resamples) == text


def test_many_systems__are_warned_of_many_tests(comparison):
    assert "p is of each alone" not in comparison_markdown(comparison)
    third = replace(comparison.systems[1], title="third")
    more = replace(comparison, systems=(*comparison.systems, third))
    assert "2 systems are tested, p is of each alone" in comparison_markdown(more)
