"""Every loss has a card: its class docstring, whole enough to be printed and to be a page."""

import ast
import inspect
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from curvox.errors import InputError
from curvox.losses import LOSSES, LossCard, read_loss_card
from curvox.losses.card import SECTIONS, parse_card
from curvox.tables import Entry


@pytest.fixture(params=LOSSES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def docstring_of(name: str) -> str:
    entry = LOSSES[name]
    spec = find_spec(entry.module)
    assert spec is not None
    assert spec.origin is not None
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    found = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == entry.attribute]
    return ast.get_docstring(found[0]) or ""


def test_card__has_every_section_in_order(name: str) -> None:
    headings = re.findall(r"^(\w[\w ]*):$", docstring_of(name), flags=re.MULTILINE)
    assert [heading for heading in headings if heading in SECTIONS] == list(SECTIONS)
    card = read_loss_card(LOSSES[name])
    for part in (card.title, card.formula, card.published, card.when, card.what_goes_wrong):
        assert part.strip()


def test_card__explains_every_argument_and_no_other(name: str) -> None:
    card = read_loss_card(LOSSES[name])
    assert [argument.name for argument in card.arguments] == list(card.constructor)
    for argument in card.arguments:
        assert len(argument.text) >= 3, argument.name


def test_card__shows_the_defaults_of_the_class_itself(name: str) -> None:
    card = read_loss_card(LOSSES[name])
    for key, parameter in inspect.signature(LOSSES.load(name)).parameters.items():
        shown = card.constructor[key]
        assert shown == "" if parameter.default is parameter.empty else ast.literal_eval(shown) == parameter.default


def test_card__formula_fits_and_prose_holds_no_section(name: str) -> None:
    card = read_loss_card(LOSSES[name])
    assert max(map(len, card.formula.splitlines())) <= 110
    assert not any(re.match(r"\w[\w ]*:$", paragraph) for paragraph in card.prose)


def test_card__names_the_paper_of_the_table(name: str) -> None:
    from curvox.reports import paper_of

    if LOSSES[name].paper:
        year = paper_of(LOSSES[name].paper).short.split()[-1]
        assert year in docstring_of(name)


CARD = """Name: an idea
    that takes two lines (Author 2000).

Formula:
        a   = 1
          b = 2

First words,
second line.

More words.

Args:
    dim: D, of the embeddings.
    margin: m, in radians,
        in [0, π).

Published:
    none.

When:
    always.

What goes wrong:
    nothing, they say:
    nothing at all.
"""


def parsed(code: str = "") -> LossCard:
    node = ast.parse(code).body[0] if code else None
    return parse_card(CARD, node.args if isinstance(node, ast.FunctionDef) else None)


def test_parse_card__takes_a_card_apart() -> None:
    card = parsed("def __init__(self, dim: int, *, margin: float = 0.2): ...")
    assert card.title == "Name: an idea that takes two lines (Author 2000)."
    assert card.formula == "a   = 1\n  b = 2"
    assert card.prose == ("First words, second line.", "More words.")
    assert [(a.name, a.default, a.text) for a in card.arguments] == [
        ("dim", "", "D, of the embeddings."),
        ("margin", "0.2", "m, in radians, in [0, π)."),
    ]
    assert (card.published, card.when) == ("none.", "always.")
    assert card.what_goes_wrong == "nothing, they say: nothing at all."


@pytest.mark.parametrize(
    ("argument", "asked"), [("speakers: int", "needed"), ("speakers: int | None", "optional"), ("dim: int", "no")]
)
def test_parse_card__sees_whether_speakers_are_asked_for(argument: str, asked: str) -> None:
    assert parsed(f"def __init__(self, {argument}): ...").speakers == asked


def test_parse_card__leaves_what_is_missing_empty() -> None:
    card = parse_card("Only a title.")
    assert (card.title, card.formula, card.prose, card.arguments, card.when) == ("Only a title.", "", (), (), "")


def test_read_card__refuses_what_has_no_source() -> None:
    with pytest.raises(InputError, match="not installed"):
        read_loss_card(Entry("curvox.losses.nothing", "Nothing", ""))
    with pytest.raises(InputError, match="holds no class Nothing"):
        read_loss_card(Entry("curvox.losses.pairs.triplet", "Nothing", ""))
