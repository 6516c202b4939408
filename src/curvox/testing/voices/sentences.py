"""Random English sentences from a small grammar, so that no two utterances of a corpus share their text."""

from __future__ import annotations

import numpy as np

from curvox.errors import InputError

_TIMES = """
yesterday; this morning; before dinner; after the storm; on sunday; every evening; at midnight; last winter; during
the meeting; by noon; in early june; long ago; once a week; around sunset; some days later; all summer
"""
_DETERMINERS = "the; a; my; our; her; his; their; this; that; every; another; one; the other; some"
_ADJECTIVES = """
quiet; yellow; frozen; clever; broken; gentle; purple; hungry; ancient; narrow; honest; bitter; shiny; wooden;
famous; lazy; empty; proud; silver; hollow; careful; strange; golden; humble; windy; polite; rusty; tender; noisy;
royal; green; tall; heavy; curious; modern; thirsty; fragile; distant; cheerful; muddy; sudden; private; orange;
brave; tiny; smooth
"""
_NOUNS = """
farmer; river; lantern; teacher; window; garden; engine; pilot; kitchen; violin; mountain; doctor; basket; sailor;
ladder; village; tiger; pocket; captain; bridge; blanket; painter; island; candle; neighbour; jacket; forest;
hammer; singer; market; bottle; donkey; harbour; mirror; uncle; pumpkin; railway; spider; carpet; judge; feather;
museum; rabbit; shovel; station; thunder; pepper; visitor; wagon; zebra; author; beach; chapel; dragon; elbow;
finger; goose; hotel; insect; jungle; kettle; lemon; magnet; needle; orchard; parrot; queen; robot; saddle; temple;
umbrella; valley; whistle; yard; actor; balloon; camera; desert; eagle; fountain; guitar; helmet; iron; jewel;
knight; lake; monkey; notebook; onion; piano; rocket; salad; tower
"""
_VERBS = """
carried; painted; followed; borrowed; opened; noticed; repaired; counted; crossed; forgot; visited; measured;
ignored; bought; lifted; hid; described; cleaned; chased; welcomed; sold; watched; covered; divided; found; guarded;
heard; invited; joined; kept; loved; moved; needed; ordered; photographed; questioned; reached; shook; touched;
understood; wanted; admired; broke
"""
_PLACES = """
near; behind; across; under; above; beside; through; along; beyond; inside; outside; around; against; between the
hills and; opposite; at the edge of; on top of; in front of; close to; far from
"""
_ADVERBS = """
slowly; gladly; twice; never; almost; quietly; often; suddenly; carefully; bravely; politely; rarely; quickly; at
last; without a word; by mistake; for nothing; in a hurry; with great care; again
"""
_LINKS = "and; but; while; because; so; until; although; whenever; as soon as; and then"


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.replace("\n", " ").split(";"))


_TABLES = {
    "time": _words(_TIMES),
    "determiner": _words(_DETERMINERS),
    "adjective": _words(_ADJECTIVES),
    "noun": _words(_NOUNS),
    "verb": _words(_VERBS),
    "place": _words(_PLACES),
    "adverb": _words(_ADVERBS),
    "link": _words(_LINKS),
}
_PATTERNS = (
    "determiner noun verb determiner adjective noun",
    "determiner adjective noun verb determiner noun place determiner noun",
    "time determiner noun adverb verb determiner noun",
    "determiner noun place determiner adjective noun verb determiner noun adverb",
    "time determiner adjective noun verb determiner adjective noun",
    "determiner noun adverb verb determiner noun place determiner adjective noun",
)


def draw_sentence(rng: np.random.Generator, *, words: int = 12) -> str:
    """Return a random English sentence of at least ``words`` words (about a third of a second each when spoken).

    It is a chain of clauses, each a random pattern filled from the vocabulary: grammatical, without meaning.
    """
    if words < 1:
        raise InputError(f"a sentence needs at least 1 word, got words={words}; ask for more")
    spoken: list[str] = []
    while len(spoken) < words:
        if spoken:
            spoken.extend(_pick(rng, "link").split())
        for part in _PATTERNS[rng.integers(len(_PATTERNS))].split():
            spoken.extend(_pick(rng, part).split())
    text = " ".join(spoken)
    return text[0].upper() + text[1:] + "."


def _pick(rng: np.random.Generator, part: str) -> str:
    table = _TABLES[part]
    return table[rng.integers(len(table))]
