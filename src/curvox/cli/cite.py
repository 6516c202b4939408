"""``curvox cite``: the papers behind a recipe or a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

OF_OPTIONS: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    ("sub_centres", lambda count: count != 1, "deng2020subcenter"),
    ("top_k", lambda count: count != 0, "zhao2022intertopk"),
    ("centres", lambda kind: kind == "riemannian", "becigneul2019riemannian"),
    ("mining", lambda name: name == "distance_weighted", "wu2017sampling"),
)
"""Options of a loss that are methods of their own: key, the values that use the method, its paper."""


def cite(
    source: Annotated[Path, typer.Argument(help="A recipe, or a run folder.")],
) -> None:
    """Print the BibTeX entries of the methods that a recipe or a run uses."""
    from curvox.reports import citations_for
    from curvox.training import read_recipe

    recipe = read_recipe(source / "recipe.yaml" if source.is_dir() else source)
    keys = dict.fromkeys([*_papers(recipe.encoder, "encoder"), *_papers(recipe.loss, "loss")])
    print(citations_for(list(keys)))


def _papers(options: Mapping[str, Any], what: str) -> Iterator[str]:
    """Yield the BibTeX keys of a named thing and of the named things in its options; a bad name is refused."""
    from curvox.encoders import ENCODERS
    from curvox.geometry import LIFTS, SPACES
    from curvox.losses import LOSSES

    tables = {"encoder": ENCODERS, "loss": LOSSES, "space": SPACES, "lift": LIFTS}
    if isinstance(options.get("name"), str) and (paper := tables[what][options["name"]].paper):
        yield paper
    if what == "loss":
        yield from (paper for key, uses, paper in OF_OPTIONS if key in options and uses(options[key]))
    for key in ("space", "lift"):
        inner = options.get(key)
        if inner is not None:
            yield from _papers({"name": inner} if isinstance(inner, str) else inner, key)
    for part in options.get("parts") or []:
        yield from _papers(part, "loss")
