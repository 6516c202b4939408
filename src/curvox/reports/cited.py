"""The papers behind a recipe or a run, as BibTeX keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Others that import this package print a citation and need no torch, which these tables bring with them.
if TYPE_CHECKING:
    from curvox.evaluating import EvaluationReport
    from curvox.training import Recipe, TrainingRecipe

OF_OPTIONS: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    ("sub_centres", lambda count: count != 1, "deng2020subcenter"),
    ("top_k", lambda count: count != 0, "zhao2022intertopk"),
    ("centres", lambda kind: kind == "riemannian", "becigneul2019riemannian"),
    ("mining", lambda name: name == "distance_weighted", "wu2017sampling"),
)
"""Options of a loss that are methods of their own: key, the values that use the method, its paper."""

OF_STAGES: Mapping[str, tuple[str, ...]] = {
    "rooms": ("ko2017reverberant",),
    "recorded_noise": ("snyder2018xvectors", "snyder2015musan"),
    "waveforms": ("snyder2018xvectors",),
    "clipping": (),
    "telephone": (),
    "codecs": (),
    "features": ("park2019specaugment",),
}
"""Papers behind the stages of augmentation; rooms that are simulated have two of their own."""

OF_SIMULATED_ROOMS = ("allen1979image", "scheibler2018pyroomacoustics")
OF_SPEEDS = ("ko2015audio", "yamamoto2019speaker")

OF_ENROLMENTS: Mapping[str, tuple[str, ...]] = {"frechet_mean": ("afsari2011mean", "lou2020frechet")}
"""Papers behind a way of enrolment beside its own: on the sphere, and in a ball."""


def papers_behind(source: str | Path) -> tuple[str, ...]:
    """Return the papers of the methods that a recipe uses, or a run: its training, scoring and evaluations.

    Args:
        source: a recipe file, or the folder of a run.

    Returns:
        BibTeX keys, each once, for `citations_for`.

    Raises:
        RecipeError: the recipe cannot be read.
        UnknownNameError: the recipe names something that is in no table.
    """
    from curvox.training import read_recipe

    source = Path(source)
    recipe = read_recipe(source / "recipe.yaml" if source.is_dir() else source)
    keys = [*_papers(recipe.encoder, "encoder"), *_papers(recipe.loss, "loss")]
    keys += [*_of_changed_sound(recipe), *_of_training(recipe.training)]
    if source.is_dir():
        keys += [*_of_cards(source), *_of_evaluations(source)]
    return tuple(dict.fromkeys(keys))


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


def _of_changed_sound(recipe: Recipe) -> Iterator[str]:
    """Yield the papers of what a recipe changes in its recordings: speeds and augmentation."""
    if len(recipe.data.speeds) > 1:
        yield from OF_SPEEDS
    for stage, papers in OF_STAGES.items():
        options = recipe.augmentation.get(stage)
        if options is not None:
            yield from papers
            if stage == "rooms" and "path" not in options:
                yield from OF_SIMULATED_ROOMS


def _of_training(training: TrainingRecipe) -> Iterator[str]:
    """Yield the papers of how a recipe trains."""
    if training.average_last is not None:
        yield "izmailov2018averaging"
    if training.margin_warmup.shape == "exponential" and training.margin_warmup.end_epoch > 0:
        yield "wang2023wespeaker"


def _of_cards(run: Path) -> Iterator[str]:
    """Yield the papers of the decision cards of a run: how scores are made and calibrated."""
    from curvox.embedder import CHECKPOINTS, read_card
    from curvox.scoring import BACK_ENDS, CALIBRATIONS

    for name in CHECKPOINTS:
        card = read_card(run / name)
        if card is not None:
            yield BACK_ENDS[card.back_end["name"]].paper
            yield CALIBRATIONS[card.calibration["name"]].paper


def _of_evaluations(run: Path) -> Iterator[str]:
    """Yield the papers of the evaluations that stand in a run: back ends, enrolment, and what the figures are."""
    from curvox.evaluating import read_report

    for path in sorted(run.glob("eval/*/evaluation.json")):
        yield from _of_report(read_report(path))


def _of_report(report: EvaluationReport) -> Iterator[str]:
    from curvox.scoring import BACK_ENDS, ENROLMENTS

    if report.scoring.back_end in BACK_ENDS:
        yield BACK_ENDS[report.scoring.back_end].paper
    way = report.scoring.settings.get("enrolment", "")
    if way in ENROLMENTS:
        yield from (ENROLMENTS[way].paper, *OF_ENROLMENTS.get(way, ()))
    evaluation = report.evaluation
    if evaluation.det is not None:
        yield "martin1997det"
    if evaluation.resamples:
        yield "bisani2004bootstrap"
    if evaluation.llrs:
        yield "brummer2006evaluation"
