"""The bench file: which settings are trained, on which seeds, from which recipe, and what they are measured by."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, ValidationError

from curvox.bench.record import TEST
from curvox.errors import CurvoxError, RecipeError, nearest, require_name
from curvox.training import Recipe, Section, laid_over, load_tree, override, read_tree, recipe_from

_KEY = re.compile(r"\w+(\.\w+)*")

Named = tuple[str, str, dict[str, Any]]
"""Name, title and whole recipe of a setting, as plain values."""


def expand_grid(
    name: str, title: str, recipe: Mapping[str, Any], vary: Mapping[str, Sequence[Any]], base: Mapping[str, Any]
) -> list[Named]:
    """Return a setting for each combination of values, with its whole recipe; the last key varies fastest.

    Args:
        name: of the grid; those of its settings begin with it: ``ham-c_0.5-lift_clip``.
        title: of the grid; those of its settings go on from it: ``HAM-Softmax, c = 0.5, lift = clip``.
        recipe: what all of them change of the base.
        vary: values, of any kind, by dotted key of the recipe, such as ``loss.space.c``; a number enters a list.
        base: the recipe below.

    Raises:
        RecipeError: a key that is not dotted words or leads into a single value, or values that no name tells apart.
    """
    for key in vary:
        if not _KEY.fullmatch(key):
            raise RecipeError(f'a key of vary must be dotted words, such as loss.space.c, got "{key}"')
    short = _short_names(list(vary))
    settings: list[Named] = []
    as_yaml = partial(yaml.safe_dump, default_flow_style=True, width=10**6, allow_unicode=True)
    for values in itertools.product(*vary.values()):
        chosen = list(zip(vary, values, strict=True))
        whole = override(laid_over(base, recipe), [f"{key}={as_yaml(value)}" for key, value in chosen])
        parts = [f"{short[key]}_{_word(value)}" for key, value in chosen]
        words = [f"{short[key]} = {_words(value)}" for key, value in chosen]
        settings.append(("-".join([name, *parts]), ", ".join([title, *words]), whole))
    if twice := _twice(settings):
        raise RecipeError(f'two combinations would both be called "{twice[0]}": every value may come once')
    return settings


def _twice(settings: Sequence[Named]) -> list[str]:
    """Return the names that several settings have."""
    names = [name for name, _, _ in settings]
    return [name for name in dict.fromkeys(names) if names.count(name) > 1]


def _short_names(keys: Sequence[str]) -> dict[str, str]:
    """Return the last parts of each key, as many as tell them apart."""
    split = {key: key.split(".") for key in keys}
    for parts in range(1, max(map(len, split.values())) + 1):
        short = {key: ".".join(words[-parts:]) for key, words in split.items()}
        if len(set(short.values())) == len(keys):
            return short
    return {key: key for key in keys}


def _word(value: Any) -> str:
    """Return a value as a part of a folder's name."""
    if isinstance(value, Mapping):
        own = [_word(value["name"])] if "name" in value else []
        text = "_".join(own + [f"{key}_{_word(item)}" for key, item in value.items() if key != "name"])
    elif isinstance(value, (list, tuple)):
        text = "_".join(_word(item) for item in value)
    else:
        text = _words(value)
    return re.sub(r"[^\w.\-]+", "_", text)


def _words(value: Any) -> str:
    """Return a value for people."""
    if isinstance(value, Mapping):
        rest = ", ".join(f"{key} {_words(item)}" for key, item in value.items() if key != "name")
        own = str(value.get("name", ""))
        return f"{own} ({rest})" if own and rest else own or rest
    if isinstance(value, (list, tuple)):
        return " ".join(_words(item) for item in value)
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


Name = Annotated[str, Field(pattern=r"^\w[\w.\-]*$")]
Seeds = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]


class SettingSection(Section):
    """One setting: its title for people, and what it changes of the base."""

    title: Annotated[str, Field(min_length=1)]
    recipe: dict[str, Any] = Field(default_factory=dict)


class GridSection(SettingSection):
    """Settings that come of a product: each key of ``vary``, a dotted key of the recipe, takes each of its values."""

    vary: Annotated[dict[str, Annotated[list[Any], Field(min_length=1)]], Field(min_length=1)]


class BenchSection(Section):
    """The whole file."""

    name: Name
    base: str
    """Path of the recipe that every setting is laid over, in the folder of the bench file or below."""
    seeds: Seeds
    trials: dict[Name, str]
    """Trial lists by name, relative to the folder of the corpus; settings are ranked on "test"."""
    levels: list[str] = Field(default_factory=list)
    """Columns of the manifest that span the label tree, from the root down; none: the tree is not measured."""
    rival: str | None = None
    """The setting that all others are tested against; None: the one that is best on the dev trials."""
    against: dict[Name, Annotated[list[str], Field(min_length=1)]] = Field(default_factory=dict)
    """Further tests: for a setting, those that it is tested against beside the rival."""
    settings: dict[Name, SettingSection] = Field(default_factory=dict)
    grids: dict[Name, GridSection] = Field(default_factory=dict)


@dataclass(frozen=True)
class Setting:
    """One row of a bench: a name, a title for people, and the recipe as a tree of plain values."""

    name: str
    title: str
    tree: Mapping[str, Any]


@dataclass(frozen=True)
class Bench:
    """What a bench file says, grids multiplied out, every setting laid over the base.

    Attributes:
        name: of the bench, and of its folder among the runs.
        seeds: each setting is trained from each of them.
        trials: path of each trial list below the folder of the corpus, by its name.
        levels: columns that span the label tree, from the root down; empty: it is not measured.
        rival: name of the setting that the others are tested against, or None.
        against: further settings that a setting is tested against, by its name.
        settings: in the order of the file, grids behind.
        data_path: the corpus that the base names, if it names one.
        source: names of the files, for messages.
    """

    name: str
    seeds: tuple[int, ...]
    trials: Mapping[str, str]
    levels: tuple[str, ...]
    rival: str | None
    settings: tuple[Setting, ...]
    against: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    data_path: str | None = None
    source: str = "bench"

    def setting(self, name: str) -> Setting:
        """Return a setting by name.

        Raises:
            UnknownNameError: there is none; the nearest names are listed.
        """
        require_name(name, [setting.name for setting in self.settings], f"setting of the bench {self.name}")
        return next(setting for setting in self.settings if setting.name == name)


def read_bench(path: str | Path) -> Bench:
    """Read a bench file, multiply its grids out and check the recipe of every setting.

    Raises:
        RecipeError: not YAML, an unknown key (with the nearest ones), a value of the wrong type, a base that cannot be
            read, or faults in the recipes of settings: all of them, each with the name of its setting.
    """
    path = Path(path)
    section = _checked(load_tree(path, "a bench file"), path)
    base_path = path.parent / section.base
    if Path(section.base).is_absolute() or not base_path.resolve().is_relative_to(path.parent.resolve()):
        raise RecipeError(f"{path}: base must lie in the folder of the bench file or below it, got {section.base}")
    base, base_source = read_tree(base_path)
    settings = _settings(section, base, path)
    _check_tests(section, [setting.name for setting in settings], path)
    data = base.get("data")
    return Bench(
        name=section.name,
        seeds=tuple(section.seeds),
        trials=dict(section.trials),
        levels=tuple(section.levels),
        rival=section.rival,
        settings=settings,
        against={name: tuple(others) for name, others in section.against.items()},
        data_path=data.get("path") if isinstance(data, Mapping) else None,
        source=f"{path} on {base_source}",
    )


def recipe_of(setting: Setting, seed: int) -> Recipe:
    """Return the recipe of a setting from one seed; its name, that of the run's folder, is ``<setting>-seed_<seed>``.

    Raises:
        RecipeError: what `curvox.training.recipe_from` refuses.
    """
    tree = {**setting.tree, "name": run_name(setting.name, seed), "seed": seed}
    return recipe_from(tree, source=f'setting "{setting.name}"')


def run_name(setting: str, seed: int) -> str:
    """Return the name of the run of a setting from a seed."""
    return f"{setting}-seed_{seed}"


def _checked(tree: Mapping[str, Any], path: Path) -> BenchSection:
    try:
        section = BenchSection.model_validate(dict(tree))
    except ValidationError as error:
        raise RecipeError(f"{path}: " + "; ".join(_explain(e) for e in error.errors())) from error
    faults = []
    if len(set(section.seeds)) < len(section.seeds):
        faults.append(f"seeds must differ from each other, got {section.seeds}")
    if TEST not in section.trials:
        faults.append(f'trials must name the list "{TEST}", on which settings are ranked, got {list(section.trials)}')
    if not section.settings and not section.grids:
        faults.append("there must be settings or grids, got neither")
    if faults:
        raise RecipeError(f"{path}: " + "; ".join(faults))
    return section


def _settings(section: BenchSection, base: Mapping[str, Any], path: Path) -> tuple[Setting, ...]:
    """Return all settings; all faults of all of them are told at once."""
    faults = [f'setting "{name}": {fault}' for name, own in section.settings.items() for fault in _own_faults(own)]
    faults += [f'grid "{name}": {fault}' for name, own in section.grids.items() for fault in _own_faults(own)]
    named = [(name, own.title, laid_over(base, own.recipe)) for name, own in section.settings.items()]
    for name, grid in section.grids.items():
        try:
            named += expand_grid(name, grid.title, grid.recipe, grid.vary, base)
        except CurvoxError as error:
            faults.append(f'grid "{name}": {error}')
    faults += [f'two settings are called "{name}"' for name in _twice(named)]
    settings = tuple(Setting(*each) for each in named)
    for setting in settings:
        try:
            recipe_of(setting, section.seeds[0])
        except RecipeError as error:
            faults.append(str(error))
    if faults:
        raise RecipeError(f"{path}: {len(faults)} fault{'s' * (len(faults) > 1)}:\n  " + "\n  ".join(faults))
    return settings


def _check_tests(section: BenchSection, settings: Sequence[str], path: Path) -> None:
    """Refuse tests that name a setting which is not there, or one and the same setting twice."""
    named = [] if section.rival is None else [("rival", section.rival)]
    for name, others in section.against.items():
        named += [("against", name), *((f"against.{name}", other) for other in others)]
    unknown = [(key, name) for key, name in named if name not in settings]
    faults = [f'{key}: "{name}" is no setting of this bench: {nearest(name, settings)}' for key, name in unknown]
    own = [name for name, others in section.against.items() if name in others]
    faults += [f"against.{name}: a setting cannot be tested against itself" for name in own]
    if faults:
        raise RecipeError(f"{path}: " + "; ".join(faults))


def _own_faults(own: SettingSection) -> list[str]:
    """Return what a setting may not change: what the bench itself sets, and the corpus, the same for all."""
    varied = own.vary if isinstance(own, GridSection) else {}
    faults = [f"{key} is set by the bench, leave it out" for key in ("name", "seed") if key in {*own.recipe, *varied}]
    data = own.recipe.get("data")
    if (isinstance(data, Mapping) and "path" in data) or "data.path" in varied:
        faults.append("data.path belongs to the base or to --data, for all settings are trained on one corpus")
    return faults


def _explain(error: Any) -> str:
    """Turn one pydantic error into a sentence that says where, what was expected, what came."""
    location = error["loc"]
    where = ".".join(str(part) for part in location)
    if error["type"] == "extra_forbidden":
        return f'unknown key "{where}": {nearest(str(location[-1]), _keys_at(location[:-1]))}'
    if error["type"] == "missing":
        return f'missing key "{where}"'
    return f"{where or 'bench'}: {error['msg'][0].lower()}{error['msg'][1:]}, got {error['input']!r}"


def _keys_at(location: Sequence[Any]) -> list[str]:
    sections: Mapping[str, type[Section]] = {"settings": SettingSection, "grids": GridSection}
    section = sections[location[0]] if location else BenchSection
    return list(section.model_fields)
