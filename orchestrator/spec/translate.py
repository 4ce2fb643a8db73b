"""What msgspec says about a file, in the file's own terms: the place, and what is wrong there."""

from __future__ import annotations

import difflib
import functools
import re
from typing import TypeVar

import msgspec
import msgspec.inspect

from orchestrator.spec.frozen import KeyedError
from orchestrator.spec.job import JobSpec
from orchestrator.spec.place import Fault, at_index, at_key
from orchestrator.spec.secret import SecretReference

_Kind = TypeVar("_Kind", bound=msgspec.inspect.Type)

SET_BY_LOADING = frozenset({"base_dir", "source"})
"""Fields of a job, or of a configuration, that are no keys of its file."""

_PLACED = re.compile(r"(?P<message>.*) - at `\$(?P<path>[^`]*)`", re.DOTALL)
_TOKEN = re.compile(r"\.(?P<key>[^.\[\]]+)|\[(?P<index>\d+)\]")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<key>.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<key>.*)`")
_EXPECTED = re.compile(r"Expected `(?P<wanted>[^`]+)`, got `(?P<got>[^`]+)`")
_ENUM = re.compile(r"Invalid enum value (?P<value>.*)", re.DOTALL)
_WORDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "nothing",
}


def translate(error: msgspec.ValidationError, root: type[msgspec.Struct] = JobSpec) -> Fault:
    """The place and the message of an error that `to_job` or `msgspec.convert` raised.

    Args:
        error: as it was raised.
        root: what the file is read as.
    """
    placed = _PLACED.fullmatch(str(error))
    message = placed["message"] if placed else str(error)
    tokens: list[str | int] = []
    place = ""
    for token in _TOKEN.finditer(placed["path"] if placed else ""):
        if token["key"] is not None:
            tokens.append(token["key"])
            place = at_key(place, token["key"])
        else:
            tokens.append(int(token["index"]))
            place = at_index(place, int(token["index"]))
    if isinstance(error.__cause__, KeyedError):
        inner = error.__cause__
        place = at_key(place, inner.key)
        message = (_PLACED.fullmatch(str(inner.error)) or {"message": str(inner.error)})["message"]
        if _UNKNOWN.fullmatch(message) or _MISSING.fullmatch(message):
            return Fault(place, 'is text, or { secret = "env:NAME" }')
    return _explain(message, place, _type_at(tuple(tokens), root))


def _explain(message: str, place: str, wanted: msgspec.inspect.Type | None) -> Fault:
    if match := _UNKNOWN.fullmatch(message):
        return _unknown(match["key"], place, wanted)
    if match := _MISSING.fullmatch(message):
        return Fault(at_key(place, match["key"]), "is missing")
    if match := _EXPECTED.fullmatch(message):
        if _is_secret(wanted) and "str" not in match["wanted"]:
            return Fault(place, 'give it as { secret = "env:NAME" } or { secret = "file:PATH" }')
        return Fault(place, f"expected {_in_words(match['wanted'])}, got {_in_words(match['got'])}")
    if match := _ENUM.fullmatch(message):
        allowed = _allowed(wanted)
        return Fault(place, f"{match['value']} is not one of {', '.join(allowed)}" if allowed else message)
    return Fault(place, message)


def _unknown(key: str, place: str, wanted: msgspec.inspect.Type | None) -> Fault:
    struct = _member(wanted, msgspec.inspect.StructType)
    known = [field.encode_name for field in struct.fields] if struct else []
    if not place:
        known = [name for name in known if name not in SET_BY_LOADING]
    if struct is not None and struct.cls is JobSpec:
        known.append("job")
    near = difflib.get_close_matches(key, known, n=1)
    hint = f'did you mean "{near[0]}"?' if near else f"known are {', '.join(sorted(known))}"
    return Fault(at_key(place, key), f"unknown key; {hint}" if known else "unknown key")


def unknown_key(key: str) -> Fault:
    """The fault of a key at the top of the file that is a field of a job, but no key of a job file."""
    return _unknown(key, "", _type_at((), JobSpec))


def _in_words(names: str) -> str:
    words = [_WORDS.get(name.strip(), name.strip()) for name in names.split("|")]
    return " or ".join(word for word in words if word != "nothing" or len(words) == 1)


def _allowed(wanted: msgspec.inspect.Type | None) -> list[str]:
    found = _member(wanted, msgspec.inspect.EnumType)
    return [str(member.value) for member in found.cls] if found else []


def _is_secret(wanted: msgspec.inspect.Type | None) -> bool:
    struct = _member(wanted, msgspec.inspect.StructType)
    return struct is not None and struct.cls is SecretReference


@functools.cache
def _information(root: type[msgspec.Struct]) -> msgspec.inspect.Type:
    return msgspec.inspect.type_info(root)


def _type_at(tokens: tuple[str | int, ...], root: type[msgspec.Struct]) -> msgspec.inspect.Type | None:
    current: msgspec.inspect.Type | None = _information(root)
    for token in tokens:
        if isinstance(token, int):
            array = _member(current, msgspec.inspect.VarTupleType)
            current = array.item_type if array else None
        else:
            struct = _member(current, msgspec.inspect.StructType)
            found = [field.type for field in struct.fields if field.encode_name == token] if struct else []
            current = found[0] if found else None
    return current


def _member(found: msgspec.inspect.Type | None, kind: type[_Kind]) -> _Kind | None:
    members = found.types if isinstance(found, msgspec.inspect.UnionType) else (found,)
    return next((member for member in members if isinstance(member, kind)), None)
