"""The text of a job file to plain values: TOML or JSON, with the line and column of what is wrong."""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, Final, NoReturn, cast

from orchestrator.errors import SpecError
from orchestrator.spec.place import Fault, at_index, at_key

_TOML_PLACE = re.compile(
    r"(?P<what>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)", re.DOTALL
)

_JSON: Final = frozenset({str, int, bool, type(None)})


def read_toml(text: str, where: str) -> dict[str, Any]:
    """The values of a TOML document.

    Raises:
        SpecError: it is none; `.where` has line and column.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        match = _TOML_PLACE.fullmatch(str(error))
        if match is None:
            raise SpecError(str(error), where=where) from error
        at = (
            f"line {match['line']}, column {match['column']}" if match["line"] else _place_of(text, len(text))
        )
        raise SpecError(match["what"], where=f"{where}: {at}") from error
    except RecursionError as error:
        raise SpecError("is nested too deeply", where=where) from error


def read_json(text: str, where: str) -> Any:
    """The values of a JSON document.

    Raises:
        SpecError: it is none, or gives a key twice.
    """
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise SpecError(error.msg, where=f"{where}: line {error.lineno}, column {error.colno}") from error
    except ValueError as error:
        raise SpecError(str(error), where=where) from error
    except RecursionError as error:
        raise SpecError("is nested too deeply", where=where) from error


def decode_text(data: bytes, where: str) -> str:
    """The text of a file; a byte order mark is not part of it.

    Raises:
        SpecError: it is not UTF-8; `.where` has line and column.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        raise SpecError("is not UTF-8", where=f"{where}: {_place_of(before, len(before))}") from error


def value_faults(value: object, place: str = "") -> Iterator[Fault]:
    """What TOML can say and JSON, which the service speaks, can't: dates, and numbers without end."""
    if not _is_json(value):
        yield from _value_faults(value, place)


def _value_faults(value: object, place: str) -> Iterator[Fault]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if isinstance(key, str):
                yield from _value_faults(item, at_key(place, key))
            else:
                yield Fault(place, f"the key {key!r} is not text")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _value_faults(item, at_index(place, index))
    elif isinstance(value, float) and not math.isfinite(value):
        yield Fault(place, f"{value} is not a number that JSON can write")
    elif value is not None and not isinstance(value, str | int | float):
        yield Fault(place, f"a {type(value).__name__} is not JSON; write it in quotes")


def _is_json(value: object) -> bool:
    """Whether there is nothing else in it: a quick look, since hardly ever there is."""
    kind = type(value)
    if kind is dict:
        found = cast("dict[object, object]", value)
        return all(type(key) is str for key in found) and all(map(_is_json, found.values()))
    if kind is list:
        return all(map(_is_json, cast("list[object]", value)))
    return kind in _JSON or (kind is float and math.isfinite(cast("float", value)))


def _place_of(text: str, offset: int) -> str:
    line = text.count("\n", 0, offset) + 1
    column = offset - (text.rfind("\n", 0, offset) + 1) + 1
    return f"line {line}, column {column}"


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f'the key "{key}" is given twice in one object')
        found[key] = value
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
