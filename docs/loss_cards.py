"""For mkdocstrings: the sections of a loss's card as headings, its formula as code, lines and spaces as written."""

import inspect
import re

import griffe

SECTION = re.compile(r"^(Formula|Published|When|What goes wrong):\n((?:[ \t]+\S.*\n?|[ \t]*\n)+)", flags=re.MULTILINE)


class LossCards(griffe.Extension):
    """Rewrites the docstrings that have a formula."""

    def on_class_instance(self, *, cls, **_):
        if cls.docstring is not None and "\nFormula:\n" in cls.docstring.value:
            cls.docstring.value = SECTION.sub(_as_markdown, cls.docstring.value)


def _as_markdown(found):
    block = inspect.cleandoc("\n" + found[2])
    return f"**{found[1]}**\n\n" + (f"```text\n{block}\n```\n\n" if found[1] == "Formula" else f"{block}\n\n")
