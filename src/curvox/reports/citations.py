"""Papers as people read them: whole entries to cite, and "Wang et al. 2018" to point at them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from curvox.errors import require_name

# The papers behind the parts of curvox, as BibTeX: ``papers.bib`` beside this file.

_KEY = re.compile(r"@\w+\{([^,\s]+),")

BIBTEX: dict[str, str] = {
    _KEY.findall(entry)[0]: entry
    for entry in Path(__file__).with_name("papers.bib").read_text(encoding="utf-8").strip().split("\n\n")
}
"""Entries by their keys, in alphabetical order."""

_ACCENTS = {"'": "\u0301", "`": "\u0300", '"': "\u0308", "^": "\u0302", "~": "\u0303", "v": "\u030c"}


class Paper(NamedTuple):
    """A paper in words: "Wang et al. 2018", its title, and where it is, e.g. "arXiv:1801.05599" ("" if unknown)."""

    short: str
    title: str
    place: str


def paper_of(key: str) -> Paper:
    """Return the paper of a BibTeX key in words.

    Raises:
        UnknownNameError: a key without an entry.
    """
    require_name(key, BIBTEX, "citation key")
    surnames = [author.split(",")[0].strip() for author in _field(key, "author").split(" and ")]
    who = f"{surnames[0]} et al." if len(surnames) > 2 else " and ".join(surnames)
    eprint, doi = _field(key, "eprint"), _field(key, "doi")
    place = f"arXiv:{eprint}" if eprint else f"doi:{doi}" if doi else ""
    return Paper(f"{who} {_field(key, 'year')}", _field(key, "title"), place)


def citations_for(keys: Iterable[str]) -> str:
    """Return the BibTeX of these keys, each once, in this order; an empty key (a part without a paper) is skipped.

    Raises:
        UnknownNameError: a key without an entry.
    """
    wanted = [key for key in dict.fromkeys(keys) if key]
    for key in wanted:
        require_name(key, BIBTEX, "citation key")
    return "".join(f"{BIBTEX[key]}\n\n" for key in wanted).rstrip("\n") + ("\n" if wanted else "")


def _field(key: str, name: str) -> str:
    """Return a field of an entry as plain text, "" if it has none."""
    found = re.search(rf"^  {name} += \{{(.*?)\}},$", BIBTEX[key], flags=re.MULTILINE | re.DOTALL)
    return _plain(" ".join(found[1].split())) if found else ""


def _plain(tex: str) -> str:
    """Turn TeX's accents into letters and drop its braces."""
    text = re.sub(r"\\(['`\"^~]|v(?=\{))\{?(\w)", lambda found: found[2] + _ACCENTS[found[1]], tex)
    return unicodedata.normalize("NFC", text.replace("{", "").replace("}", ""))
