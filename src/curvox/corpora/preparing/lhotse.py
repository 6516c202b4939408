"""Prepare corpora by the recipes of lhotse: ``curvox data prepare lhotse:NAME``.

The recipes are the functions ``prepare_NAME`` that :mod:`lhotse.recipes` offers, found in a table of these alone. A
recipe that asks for more than the folder of its corpus is refused, and so is one whose code may fetch files or start
programs.

lhotse names the parts of a corpus as its publishers do, "train-clean-100" or "read". Where every name holds exactly one
of the words train, dev and test, and no speaker is in two of them, these are the splits; otherwise there are none. A
name that is not just the split stands in a column ``part``.
"""

from __future__ import annotations

import inspect
import logging
import os
import re
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

from curvox.corpora.corpus import COLUMNS, Utterance
from curvox.corpora.formats.folders import SUFFIXES
from curvox.corpora.formats.lhotse import add_cut, add_supervision, require_lhotse
from curvox.corpora.preparing.preparation import GENDERS, Preparation, Work
from curvox.corpora.problems import Draft
from curvox.errors import CorpusError, InputError, UnknownNameError, nearest

if TYPE_CHECKING:
    from lhotse import SupervisionSegment

PREFIX = "lhotse:"
_STEM = "prepare_"
_FOLDER = ("_dir", "_root")
_OUTPUTS = ("output_dir", "manifest_dir")
# What code names that goes to the network, or starts a program.
_REACHES_OUT = {
    *("resumable_download", "urlopen", "urlretrieve", "requests", "gdown", "snapshot_download", "load_dataset"),
    *("subprocess", "system", "popen"),
}
SPLITS = ("train", "dev", "test")
_WARNINGS = 3
_NAMED = 5


@dataclass(frozen=True)
class LhotseRecipe:
    """A recipe of lhotse. ``refusal`` says why it cannot be used here, '' where it can."""

    name: str
    function: FunctionType
    refusal: str


def lhotse_recipes() -> Mapping[str, LhotseRecipe]:
    """Return the recipes of the installed lhotse by their names, sorted, those that are refused too."""
    require_lhotse()
    from lhotse import recipes

    found = {name.removeprefix(_STEM): thing for name, thing in sorted(vars(recipes).items()) if name.startswith(_STEM)}
    return {
        name: LhotseRecipe(name, function, _refusal(function))
        for name, function in found.items()
        if inspect.isfunction(function)
    }


def usable_recipe(name: str) -> LhotseRecipe:
    """Return the recipe of this name, if it can be used here.

    Raises:
        UnknownNameError: lhotse has no such recipe; the message lists the nearest, or all for the name "list".
        InputError: it needs more than the folder of the corpus, or reaches out of it.
    """
    known = lhotse_recipes()
    if name in ("", "list"):
        usable = [recipe for recipe, found in known.items() if not found.refusal]
        raise UnknownNameError(f"expected {PREFIX}NAME; the names are {', '.join(usable)}")
    if name not in known:
        hint = nearest(name, known)
        hint = hint if hint.startswith("did") else "no name is near"
        raise UnknownNameError(f'lhotse has no recipe "{name}": {hint} (curvox data lhotse-recipes lists all)')
    recipe = known[name]
    if recipe.refusal:
        raise InputError(
            f"{PREFIX}{name} cannot be used here, for it {recipe.refusal}; run lhotse's own command "
            "(lhotse prepare --help lists them), and then: curvox data check MANIFESTS --audio-root FOLDER"
        )
    return recipe


def run_recipe(recipe: LhotseRecipe, folder: Path, output: Path) -> tuple[Any, tuple[str, ...]]:
    """Return what a recipe makes of a folder, and the warnings that it logs. ``output`` gets lhotse's manifests."""
    known = {**dict.fromkeys(_OUTPUTS, output), "absolute_paths": True}
    arguments = {name: known[name] for name in inspect.signature(recipe.function).parameters if name in known}
    heard = _Warnings()
    logging.getLogger().addHandler(heard)
    try:
        return recipe.function(folder, **arguments), tuple(heard.messages)
    except Exception as error:  # a recipe raises whatever a layout it does not expect makes it stumble over
        raise CorpusError(
            f'lhotse\'s recipe "{recipe.name}" cannot read {folder}: {_words(error)}; lay the folder out as the recipe '
            f"expects it (its source: {inspect.getsourcefile(recipe.function)})"
        ) from error
    finally:
        logging.getLogger().removeHandler(heard)


class _Warnings(logging.Handler):
    """Keeps the warnings of a recipe, each once."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: dict[str, None] = {}

    def emit(self, record: logging.LogRecord) -> None:
        self.messages[" ".join(record.getMessage().split())] = None


def _words(error: Exception) -> str:
    """Return what an error says; recipes assert much without a word, then it is the line of the recipe."""
    if text := " ".join(str(error).split()):
        return f"{type(error).__name__}: {text}"
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if "recipes" in Path(frame.filename).parts]
    place = f' in line {lines[-1].lineno}, "{lines[-1].line}"' if lines else ""
    return f"{type(error).__name__}{place}"


def _refusal(function: FunctionType) -> str:
    parameters = inspect.signature(function).parameters.values()
    required = [p.name for p in parameters if p.default is p.empty and p.name not in _OUTPUTS]
    if len(required) != 1 or not required[0].endswith(_FOLDER):
        folders = [p.name for p in parameters if p.name.endswith(_FOLDER) and p.name not in _OUTPUTS]
        return f"asks for {', '.join(required or folders)}"
    reaching = sorted(name for name in _reached(function) if name in _REACHES_OUT or name.startswith("download"))
    return f"may fetch files or start programs ({', '.join(reaching)})" if reaching else ""


def _reached(function: FunctionType) -> set[str]:
    """Return the names in the code of a function, and of all functions and classes of lhotse's recipes it names."""
    names: set[str] = set()
    known, waiting = {function}, [function]
    while waiting:
        here = waiting.pop()
        found = set(_names(here.__code__))
        names |= found
        fresh = {f for name in found for f in _functions(here.__globals__.get(name))} - known
        known |= fresh
        waiting += fresh
    return names


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _functions(thing: Any) -> list[FunctionType]:
    if not getattr(thing, "__module__", "").startswith("lhotse.recipes"):
        return []
    inside: list[Any] = list(vars(thing).values()) if inspect.isclass(thing) else [thing]
    return [entry for entry in inside if inspect.isfunction(entry)]


@dataclass(frozen=True)
class Part:
    """A part of a corpus as lhotse has it: recordings and supervisions, or cuts. ``name`` is '' for the whole."""

    name: str
    recordings: Any = None
    supervisions: Any = None
    cuts: Any = None


@dataclass
class _Found:
    """Utterances with the names of their parts, and what was left out."""

    utterances: list[tuple[Utterance, str]] = field(default_factory=list)
    speakerless: Counter[str] = field(default_factory=Counter)
    genders: Counter[str] = field(default_factory=Counter)
    looked_at: int = 0


def lhotse_preparation(name: str) -> Preparation:
    """Return the preparation by the recipe of this name; refuse it as :func:`usable_recipe` does."""
    recipe = usable_recipe(name)

    def read(work: Work) -> None:
        # Some recipes return manifests that are read from their output as they are asked for.
        with TemporaryDirectory() as output:
            written = Path(output).resolve()
            returned, warnings = run_recipe(recipe, work.folder, written)
            add_parts(work, parts_of(returned, work.title), written)
        work.notes += [f"lhotse warns: {warning}" for warning in warnings[:_WARNINGS]]
        if len(warnings) > _WARNINGS:
            work.notes.append(f"lhotse warns of {len(warnings) - _WARNINGS} things more")

    return Preparation(f'lhotse\'s recipe "{name}"', "what the recipe reads", (), read)


def parts_of(returned: Any, title: str) -> list[Part]:
    """Return the parts in a recipe's result: manifests in a tuple, or in mappings by part, nested or not.

    Manifests are told by their type, not by their keys, which one recipe has exchanged. All that is not a manifest of
    recordings, supervisions or cuts is passed over.

    Raises:
        CorpusError: there is none, or a part holds several manifests of a kind.
    """
    parts = list(_parts(returned, (), title))
    if not parts:
        raise CorpusError(f"{title}: expected recordings and supervisions, it returned {type(returned).__name__}")
    return parts


def _parts(returned: Any, names: tuple[str, ...], title: str) -> Iterator[Part]:
    from lhotse import CutSet, RecordingSet, SupervisionSet

    kinds = {RecordingSet: "recordings", SupervisionSet: "supervisions", CutSet: "cuts"}
    keyed = isinstance(returned, Mapping)
    entries = list(returned.items()) if keyed else [("", e) for e in (returned if isinstance(returned, tuple) else ())]
    here: dict[str, Any] = {}
    for key, entry in entries:
        kind = kinds.get(type(entry))
        if kind is None:
            yield from _parts(entry, (*names, str(key)) if keyed else names, title)
        elif kind in here:
            place = "/".join(names) or "the whole"
            raise CorpusError(
                f"{title}: expected one manifest of {kind} for {place}, got several; run lhotse's own command, and "
                "then: curvox data check MANIFESTS --audio-root FOLDER"
            )
        else:
            here[kind] = entry
    if here:
        yield Part("/".join(names), **here)


def add_parts(work: Work, parts: Iterable[Part], output: Path) -> None:
    """Add the utterances of all parts that name a speaker; count the others in notes."""
    found = _Found()
    for part in parts:
        _read_part(work, part, found, output)
    left_out = found.speakerless.total()
    if left_out == found.looked_at:
        raise CorpusError(
            f"{work.title}: none of {left_out} supervisions names a speaker; no model of speakers can learn from it"
        )
    for name, count in sorted(found.speakerless.items()):
        where = f"{name}: " if name else ""
        work.notes.append(f"{where}{count} supervisions name no speaker and were left out")
    if found.genders:
        named = ", ".join(f'"{gender}"' for gender, _ in found.genders.most_common(_NAMED))
        count = found.genders.total()
        work.notes.append(f"{count} supervisions have a gender that is not f or m, see gender_as_given: {named}")
    splits = _splits(work, found.utterances)
    # Recipes walk folders in any order.
    for utterance, name in sorted(found.utterances, key=lambda pair: (pair[0].path, pair[0].start_s)):
        work.add(_labelled(utterance, name, splits.get(name, "")))
    _note_unnamed(work, {utterance.path for utterance, _ in found.utterances})


def _read_part(work: Work, part: Part, found: _Found, output: Path) -> None:
    draft = Draft(work.folder, work.draft.name)
    if part.cuts is None and (part.supervisions is None or part.recordings is None):
        work.notes.append(f"{part.name or 'the whole'}: there are no supervisions of recordings, it was left out")
        return
    recordings = {recording.id: recording for recording in part.recordings or ()}
    for number, item in enumerate(part.supervisions if part.cuts is None else part.cuts, start=1):
        found.looked_at += 1
        if not any(_has_speaker(segment) for segment in ([item] if part.cuts is None else item.supervisions)):
            found.speakerless[part.name] += 1
        elif part.cuts is None:
            file = f"{part.name or 'supervisions'}: {item.id}"
            add_supervision(draft, item, recordings, file, number, work.folder)
        else:
            add_cut(draft, item, f"{part.name or 'cuts'}: {item.id}", number, work.folder)
    _refuse_written(draft, output)
    work.draft.problems += [replace(problem, line=None) for problem in draft.problems]
    for utterance in draft.rows.utterances:
        found.utterances.append((_with_gender(utterance, found), part.name))


def _has_speaker(segment: SupervisionSegment) -> bool:
    # Some recipes give speakers as numbers, 0 among them.
    return segment.speaker is not None and bool(str(segment.speaker).strip())


def _refuse_written(draft: Draft, output: Path) -> None:
    """Refuse a recipe that wrote recordings of its own, which are about to be deleted."""
    if any(f'"{output}' in problem.message for problem in draft.problems):
        raise CorpusError(
            f"lhotse's recipe \"{draft.name}\" writes recordings of its own; run lhotse's own command, so that they "
            "stay, and then: curvox data check MANIFESTS --audio-root FOLDER"
        )


def _with_gender(utterance: Utterance, found: _Found) -> Utterance:
    gender = GENDERS.get(utterance.gender.lower(), "")
    if utterance.gender and not gender:
        found.genders[utterance.gender] += 1
        return replace(utterance, gender="", extra={**utterance.extra, "gender_as_given": utterance.gender})
    return replace(utterance, gender=gender)


def split_of(name: str) -> str:
    """Return the one word in the name of a part that is train, dev or test, or ''."""
    words = set(re.findall(r"[a-z]+", name.lower())) & set(SPLITS)
    return words.pop() if len(words) == 1 else ""


def _splits(work: Work, utterances: list[tuple[Utterance, str]]) -> dict[str, str]:
    """Return the split of each part by its name; none, with a note, where names or speakers do not allow it."""
    splits = {name: split_of(name) for name in dict.fromkeys(name for _, name in utterances)}
    if not any(splits.values()):
        return {}
    if unsaid := [name for name, split in splits.items() if not split]:
        named = ", ".join(f'"{name}"' for name in unsaid[:_NAMED])
        work.notes.append(f"no splits: {named} is none of train, dev and test by its name; see the column part")
        return {}
    of_speaker: dict[str, set[str]] = {}
    for utterance, name in utterances:
        of_speaker.setdefault(utterance.speaker, set()).add(splits[name])
    shared = sorted(speaker for speaker, places in of_speaker.items() if len(places) > 1)
    if shared:
        work.notes.append(
            f"no splits: {len(shared)} of {len(of_speaker)} speakers are in several parts of train, dev and test, as "
            f'"{shared[0]}" is; see the column part'
        )
        return {}
    return splits


def _note_unnamed(work: Work, taken: set[str]) -> None:
    """Count the recordings in the folder that the recipe passed over, for it may do so without a word."""
    there = {
        Path(place, name).relative_to(work.folder).as_posix()
        for place, _, names in os.walk(work.folder)
        for name in names
        if os.path.splitext(name)[1].lower() in SUFFIXES
    }
    if left_out := len(there - taken):
        work.notes.append(f"{left_out} of {len(there)} recordings in the folder are not in the manifest")


def _labelled(utterance: Utterance, part: str, split: str) -> Utterance:
    # Custom fields may have the names of our columns and another meaning.
    extra = {f"{name}_as_given" if name in COLUMNS else name: text for name, text in utterance.extra.items()}
    if utterance.split:
        extra["split_as_given"] = utterance.split
    if part and part != split:
        extra["part"] = part
    return replace(utterance, split=split, extra=extra)
