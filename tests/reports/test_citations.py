"""Every part that names a paper has its BibTeX."""

import ast
import re
from pathlib import Path

import pytest

import curvox
from curvox.errors import UnknownNameError
from curvox.reports import BIBTEX, citations, citations_for, paper_of


def keys_in_tables():
    """Read every ``Entry(module, attribute, summary, paper)`` from the source, so that no table can be forgotten."""
    keys = set()
    for file in Path(curvox.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Entry":
                papers = node.args[3:4] + [word.value for word in node.keywords if word.arg == "paper"]
                keys |= {paper.value for paper in papers if isinstance(paper, ast.Constant)}
    return keys - {""}


def fields_of(entry):
    """Parse one entry by its braces: kind, key, {field: value}."""
    head = re.match(r"@(\w+)\{([^,\s]+),\n", entry)
    assert head
    body, depth, fields, start = entry[head.end() : -1], 0, {}, 0
    for i, letter in enumerate(body):
        depth += {"{": 1, "}": -1}.get(letter, 0)
        assert depth >= 0
        if letter == "," and depth == 0:
            name, _, value = body[start:i].partition("=")
            value = value.strip()
            assert value[0] + value[-1] == "{}"
            fields[name.strip()] = " ".join(value[1:-1].split())
            start = i + 1
    assert depth == 0
    assert body[start:].strip() == ""
    assert entry[-1] == "}"
    return head[1], head[2], fields


def test_citations__know_every_key_of_every_table():
    keys = keys_in_tables()
    assert {"fang2026ham", "desplanques2020ecapa", "nickel2017poincare", "matejka2017asnorm", "kenny2010snorm"} <= keys
    assert keys <= set(BIBTEX)


def test_citations__are_the_whole_file_in_the_order_of_their_keys():
    text = Path(citations.__file__).with_name("papers.bib").read_text(encoding="utf-8")
    assert text == "\n\n".join(BIBTEX.values()) + "\n"
    assert list(BIBTEX) == sorted(set(re.findall(r"^@\w+\{(\w+),$", text, flags=re.MULTILINE)))
    assert text.isascii()


@pytest.mark.parametrize("key", sorted(BIBTEX))
def test_citations__are_whole_bibtex(key):
    kind, name, fields = fields_of(BIBTEX[key])
    assert name == key
    assert {"title", "author", "year"} <= set(fields)
    assert {"article": "journal", "inproceedings": "booktitle", "misc": "eprint"}[kind] in fields
    surname = re.sub(r"\\v|\W", "", fields["author"].split(",")[0]).lower()
    assert key.startswith(surname + fields["year"])


def test_citations_for__gives_each_once_in_order():
    text = citations_for(["wang2018amsoftmax", "", "fang2026ham", "wang2018amsoftmax"])
    assert re.findall(r"@\w+\{(\w+),", text) == ["wang2018amsoftmax", "fang2026ham"]
    assert citations_for([""]) == ""


def test_citations_for__refuses_an_unknown_key():
    with pytest.raises(UnknownNameError, match="fang2026ham"):
        citations_for(["fang2026hma"])


@pytest.mark.parametrize(
    ("key", "short", "place"),
    [
        ("kullback1951information", "Kullback and Leibler 1951", "doi:10.1214/aoms/1177729694"),
        ("wang2018amsoftmax", "Wang et al. 2018", "doi:10.1109/LSP.2018.2822810"),
        ("becigneul2019riemannian", "Bécigneul and Ganea 2019", "arXiv:1810.00760"),
        ("martin1997det", "Martin et al. 1997", ""),
        ("matejka2017asnorm", "Matějka et al. 2017", "doi:10.21437/Interspeech.2017-803"),
        ("brummer2006evaluation", "Brümmer and du Preez 2006", "doi:10.1016/j.csl.2005.08.001"),
    ],
)
def test_paper_of__names_authors_year_and_place(key, short, place):
    paper = paper_of(key)
    assert (paper.short, paper.place) == (short, place)


@pytest.mark.parametrize("key", sorted(BIBTEX))
def test_paper_of__reads_every_entry_as_plain_words(key):
    paper = paper_of(key)
    assert re.fullmatch(r"[^\W\d_][\w -]+( and [\w -]+| et al\.)? \d{4}", paper.short)
    assert paper.title
    assert not set('{}\\"') & set(paper.title + paper.short)


def test_paper_of__refuses_an_unknown_key():
    with pytest.raises(UnknownNameError, match="wan2018ge2e"):
        paper_of("wan2018g2e")
