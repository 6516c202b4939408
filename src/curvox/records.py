"""Write records as JSON or YAML and read them back, always validated, never executed.

A record is a frozen dataclass. `to_plain` turns it into a tree of mappings, lists, texts and numbers, `from_plain`
makes the same record of such a tree, or says which part of it was expected to be what. Nothing is guessed or converted:
every key must be there, no other may be, and every value must have the type of its field.
"""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from curvox.errors import CheckpointError, CurvoxError, InputError, nearest
from curvox.files import read_bytes, replace_text

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails, SchemaValidator

T = TypeVar("T")

NO_WORDS: Mapping[str, float] = {}
INFINITIES: Mapping[str, float] = {"inf": math.inf, "-inf": -math.inf}
NUMBERS: Mapping[str, float] = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""Words that stand for numbers that JSON has none for; which of them a kind of record uses, its file has always had."""

LARGEST_BYTES = 1 << 26
_SHOWN = 80
_HEAD = (("format",), ("version",))


def write_record(path: Path, record: Any, *, words: Mapping[str, float] = NO_WORDS) -> None:
    """Write a record as a JSON file, whole or not at all.

    Raises:
        CheckpointError: the disk is full or cannot be written.
    """
    replace_text(path, to_json(to_plain(record, words=words)))


def read_record(
    path: Path,
    kind: type[T],
    *,
    what: str,
    again: str,
    error: type[CurvoxError] = CheckpointError,
    words: Mapping[str, float] = NO_WORDS,
    optional: bool = False,
    others: bool = False,
    limit_bytes: int = LARGEST_BYTES,
) -> T:
    """Read a record from a JSON file, or from a YAML file by the ending of its name.

    Args:
        path: the file.
        kind: a dataclass.
        what, again, error, words, optional, others: see `from_plain`.
        limit_bytes: a larger file is refused.

    Raises:
        CurvoxError: the file is missing, damaged or another one; of the kind ``error``. The message names it, the place
            in it, what was expected, what came, and ``again``.
    """
    tree = read_tree(path, what=what, again=again, error=error, limit_bytes=limit_bytes)
    settings = _Settings(tuple(words.items()), optional, others)
    return _validated(kind, tree, f"{path} is not {what}", again, error, settings)


def read_tree(
    path: Path,
    *,
    what: str,
    again: str,
    error: type[CurvoxError] = CheckpointError,
    limit_bytes: int = LARGEST_BYTES,
) -> Any:
    """Read the plain tree of a JSON or YAML file, whose values are still to be validated; see `read_record`."""
    try:
        text = read_bytes(path, limit_bytes=limit_bytes).decode()
        if path.suffix == ".yaml":
            return parse_yaml(text)
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (OSError, ValueError, RecursionError) as raised:
        said = "it is nested too deeply" if isinstance(raised, RecursionError) else " ".join(str(raised).split())
        raise error(f"{path} cannot be read as {what}: {said}; {again}") from raised


def from_plain(
    kind: type[T],
    tree: Any,
    *,
    what: str,
    again: str = "",
    error: type[CurvoxError] = InputError,
    words: Mapping[str, float] = NO_WORDS,
    optional: bool = False,
    others: bool = False,
) -> T:
    """Return the record that `to_plain` turned into ``tree``.

    Args:
        kind: a dataclass.
        tree: plain values.
        what: the kind of record in words, with its article.
        again: how to repair what is refused.
        error: what is raised.
        words: texts that stand for numbers; all other numbers must be finite.
        optional: whether fields with a default may be missing.
        others: whether there may be keys that are no field; they are left out.

    Raises:
        CurvoxError: something else; of the kind ``error``.
    """
    return _validated(kind, tree, f"not {what}", again, error, _Settings(tuple(words.items()), optional, others))


def to_plain(value: Any, *, words: Mapping[str, float] = NO_WORDS) -> Any:
    """Return a record, or a value in one, as mappings, lists, texts and numbers; ``words`` as in `from_plain`."""
    if is_dataclass(value):
        return {field.name: to_plain(getattr(value, field.name), words=words) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_plain(of, words=words) for key, of in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(of, words=words) for of in value]
    if words and isinstance(value, float) and not math.isfinite(value):
        return next((word for word, number in words.items() if repr(number) == repr(float(value))), value)
    return value


def to_json(tree: Any) -> str:
    """Return a plain tree as JSON that every reader takes: no NaN, no infinity."""
    return json.dumps(tree, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def parse_yaml(text: str) -> Any:
    """Parse YAML of plain values in which no key comes twice; no aliases, a few of which can fill the memory.

    Raises:
        InputError: it is none.
    """
    import yaml

    class UniqueKeys(yaml.SafeLoader):
        def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
            if self.check_event(yaml.AliasEvent):
                mark = self.peek_event().start_mark
                raise yaml.constructor.ConstructorError(None, None, "aliases are not allowed", mark)
            return super().compose_node(parent, index)

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
            seen: set[Any] = set()
            for key, _ in node.value:
                name = self.construct_object(key, deep=True)
                if isinstance(name, Hashable) and name in seen:
                    raise yaml.constructor.ConstructorError(None, None, f'the key "{name}" comes twice', key.start_mark)
                seen.add(name)
            return super().construct_mapping(node, deep)

    try:
        return yaml.load(text, Loader=UniqueKeys)  # a SafeLoader
    except yaml.YAMLError as error:
        raise InputError(str(error)) from error


class _Settings(NamedTuple):
    """How a tree is read; see `from_plain`."""

    words: tuple[tuple[str, float], ...]
    optional: bool
    others: bool


def _validated(kind: type[T], tree: Any, told: str, again: str, error: type[CurvoxError], settings: _Settings) -> T:
    from pydantic_core import ValidationError

    try:
        # In a list of one: a dataclass takes the settings of what it stands in.
        return _validator(kind, settings).validate_python([tree])[0]
    except (ValidationError, RecursionError) as raised:
        said = _explained(raised, kind) if isinstance(raised, ValidationError) else "it is nested too deeply"
        raise error(f"{told}: {said}{f'; {again}' if again else ''}") from raised


@cache
def _validator(kind: type, settings: _Settings) -> SchemaValidator:
    from pydantic import ConfigDict, TypeAdapter
    from pydantic_core import SchemaValidator

    config = ConfigDict(strict=True, extra="ignore" if settings.others else "forbid", allow_inf_nan=False)
    schema = TypeAdapter[Any](list[kind], config=config).core_schema  # pyright: ignore[reportInvalidTypeForm]
    return SchemaValidator(_tightened(schema, dict(settings.words), settings.optional))


def _tightened(schema: Any, words: Mapping[str, float], optional: bool) -> Any:
    """Adapt a schema of pydantic to plain trees: mappings for records, lists for tuples, words for numbers.

    No key may be missing, also where its field has a default, unless ``optional`` says so.
    """
    from pydantic_core import core_schema

    if isinstance(schema, (list, tuple)):
        return type(schema)(_tightened(part, words, optional) for part in schema)
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "default" and not optional:
        return _tightened(schema["schema"], words, optional)
    if schema.get("type") == "float" and words:
        return core_schema.no_info_wrap_validator_function(
            lambda value, check: words[value] if isinstance(value, str) and value in words else check(value),
            cast("core_schema.CoreSchema", schema),
        )
    if schema.get("type") == "literal" and all(isinstance(one, int) for one in schema["expected"]):
        # True equals 1, and is not a version.
        return core_schema.chain_schema([core_schema.int_schema(strict=True), cast("core_schema.CoreSchema", schema)])
    tightened = {key: _tightened(part, words, optional) for key, part in schema.items()}
    return tightened | {"strict": False} if schema.get("type") in ("dataclass", "tuple") else tightened


def _explained(error: Any, kind: type) -> str:
    """Say the first thing that is wrong, or that the format or version is another, which explains all the rest."""
    found: list[ErrorDetails] = error.errors(include_url=False)
    first = next((one for one in found if one["loc"][1:] in _HEAD), found[0])
    place = first["loc"][1:]
    where = ".".join(str(part) for part in place)
    if first["type"] in ("missing", "missing_argument", "missing_keyword_only_argument"):
        return f'missing key "{where}"'
    if first["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        known = [field.name for field in fields(kind)] if len(place) == 1 else []
        return f'unknown key "{where}"' + (f": {nearest(where, known)}" if known else "")
    came = repr(first["input"])
    came = came if len(came) <= _SHOWN else f"{came[:_SHOWN]}…"
    if place in _HEAD and first["type"] == "literal_error":
        return f"it has {where} {came}, this curvox reads {where} {first.get('ctx', {}).get('expected')}"
    said = first["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    said = said.replace("a valid integer", "an integer").replace("a valid ", "a ")
    if first["type"] == "dataclass_type":
        said = "expected a mapping"
    named = f"{where}: {said}" if where else said
    return named if first["type"] == "value_error" else f"{named}, got {came}"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in pairs:
        if name in made:
            raise InputError(f'the key "{name}" comes twice')
        made[name] = value
    return made


def _no_constant(name: str) -> Any:
    raise InputError(f"{name} is not a number")
