"""Places in a job file, written as its messages name them: `tasks[3].command_line`, `pool.vm_size`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TypeAlias

import msgspec

from orchestrator.errors import SpecError
from orchestrator.spec.frozen import FrozenMapping, no_content
from orchestrator.spec.secret import SecretReference

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_NO_LEAVES = frozenset({type(None), bool, int, float})
_EMPTY = no_content()
_IN_JOB_TABLE = re.compile(r"(preparation|release)\b")

Leaf: TypeAlias = str | SecretReference


class Fault(msgspec.Struct, frozen=True):
    """Something that can't be right, and where."""

    place: str
    message: str


def at_key(place: str, key: str) -> str:
    """The place of a key below a place; `""` is the whole file."""
    shown = key if _BARE.fullmatch(key) else json.dumps(key, ensure_ascii=True)
    return f"{place}.{shown}" if place else shown


def at_index(place: str, index: int) -> str:
    """The place of an element of a list."""
    return f"{place}[{index}]"


def spec_error(source: str, place: str, message: str) -> SpecError:
    """The error for a place, beginning with the job file's name where there is one.

    The job's hooks are fields of the job, but stand in the file's `[job]` table.
    """
    shown = _IN_JOB_TABLE.sub(r"job.\1", place, count=1) if _IN_JOB_TABLE.match(place) else place
    return SpecError(message, where=": ".join(part for part in (source, shown) if part))


def leaves(value: object, place: str = "") -> Iterator[tuple[str, Leaf]]:
    """Every text and every secret reference of a spec, with its place; keys of mappings count as text."""
    if isinstance(value, str | SecretReference):
        yield place, value
    elif value is None or isinstance(value, int | float):
        return
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            item = getattr(value, name)
            # Most members of most tasks are none, and a job may have many tasks.
            kind = type(item)
            if kind in _NO_LEAVES or item is _EMPTY or (kind is tuple and not item):
                continue
            there = f"{place}.{name}" if place else name
            if kind is str:
                yield there, item
            else:
                yield from leaves(item, there)
    elif isinstance(value, FrozenMapping):
        for key, item in value.items():
            yield at_key(place, key), key
            yield from leaves(item, at_key(place, key))
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from leaves(item, at_index(place, index))
