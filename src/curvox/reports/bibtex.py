"""The papers behind the parts of curvox, as BibTeX: ``papers.bib`` beside this file."""

import re
from pathlib import Path

_KEY = re.compile(r"@\w+\{([^,\s]+),")

BIBTEX: dict[str, str] = {
    _KEY.findall(entry)[0]: entry
    for entry in Path(__file__).with_name("papers.bib").read_text(encoding="utf-8").strip().split("\n\n")
}
"""Entries by their keys, in alphabetical order."""
