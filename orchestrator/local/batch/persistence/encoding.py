"""Changes as rows, and rows as records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import Any, Final

import msgspec

from orchestrator.local.batch.store.changes import Changes, ChangeSet, JobChanges, TaskKey, Tracked

_ABSENT: Final = object()


Row = tuple[str, str | int, bytes]
"""The two parts of a key, and the record."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """A transaction. What is dropped goes first.

    Args:
        dropped_resources: kind and name.
        dropped_tasks: job, first and last sequence.
        resources: to put down.
        tasks: to put down.
        satisfied: job and task.
    """

    dropped_resources: tuple[tuple[str, str], ...] = ()
    dropped_tasks: tuple[tuple[str, int, int], ...] = ()
    resources: tuple[Row, ...] = ()
    tasks: tuple[Row, ...] = ()
    satisfied: tuple[tuple[str, str], ...] = ()


def encode(changes: ChangeSet) -> Batch:
    """Make the rows of what changed, as the records are now.

    Args:
        changes: that were taken.
    """
    resources: list[Row] = []
    tasks: list[Row] = []
    for record in changes.changed:
        first, second = key = record.key
        (tasks if isinstance(key, TaskKey) else resources).append((first, second, pack(record)))
    return Batch(
        dropped_resources=tuple(key for key in changes.removed if not isinstance(key, TaskKey)),
        dropped_tasks=_stretches(key for key in changes.removed if isinstance(key, TaskKey)),
        resources=tuple(resources),
        tasks=tuple(tasks),
        satisfied=changes.satisfied,
    )


def _stretches(keys: Iterable[TaskKey]) -> tuple[tuple[str, int, int], ...]:
    """Gather neighbours: a job's tasks mostly go together."""
    found: list[tuple[str, int, int]] = []
    for job, sequence in sorted(keys):
        if found and found[-1][0] == job and found[-1][2] == sequence - 1:
            found[-1] = (job, found[-1][1], sequence)
        else:
            found.append((job, sequence, sequence))
    return tuple(found)


def pack(record: Tracked) -> bytes:
    """Write a record: the members that are kept and not at their defaults.

    Args:
        record: of the store.
    """
    if not record.live:
        return _encode(record)  # tasks, the many ones: five times as fast
    names, values, defaults = _members(type(record))
    return _encode(
        {
            name: value
            for name, value, default in zip(names, values(record), defaults, strict=True)
            if value is not default
        }
    )


def _without_notes(value: object) -> None:
    if not isinstance(value, Changes | JobChanges):
        raise NotImplementedError(f"a record holds a {type(value).__name__}")


_encode: Final = msgspec.msgpack.Encoder(enc_hook=_without_notes).encode

_Members = tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]], tuple[Any, ...]]
"""Names, what gets their values, and their defaults."""


@cache
def _members(kind: type[Tracked]) -> _Members:
    kept: Mapping[str, Any] = {
        field.name: field.default if field.default is not msgspec.NODEFAULT else _ABSENT
        for field in msgspec.structs.fields(kind)
        if field.name not in kind.live and field.name != "notes"
    }
    return tuple(kept), attrgetter(*kept), tuple(kept.values())
