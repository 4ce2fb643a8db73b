"""Events and results as JSON and back, many at a time."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath
from typing import Any, Union

import msgspec

from orchestrator import events as _events
from orchestrator.events import Event, all_event_types
from orchestrator.results import TaskResult


def encode(values: Sequence[object]) -> str:
    """Values as one JSON array.

    Text that is no Unicode (a half of a surrogate pair, out of a file name or somebody's error message) is
    written with backslashes, since JSON has no other place for it; in a path it comes back as it was.

    Args:
        values: events, results, or rows of plain values.
    """
    try:
        return _ENCODER.encode(values).decode()
    except UnicodeEncodeError:
        plain = msgspec.to_builtins(values, enc_hook=_plain)
        return _ENCODER.encode(_sanitized(plain)).decode()


def decode_events(bodies: str) -> list[Event]:
    """A JSON array of events as events.

    Raises:
        msgspec.MsgspecError: one of them is of a class that this version does not know.
    """
    return _EVENT_DECODER.decode(bodies)


def decode_results(bodies: str) -> list[tuple[int, TaskResult]]:
    """A JSON array of pairs of a number and a result."""
    return _RESULT_DECODER.decode(bodies)


@functools.cache
def names(types: tuple[type[Event], ...]) -> tuple[str, ...]:
    """The names under which events of these classes and those below them are written."""
    return tuple(each.__name__ for each in _event_types() if issubclass(each, types))


def _event_types() -> Iterable[type[Event]]:
    # A class that somebody else derived can be told, but only this package's can be relied on to come back.
    return (each for each in all_event_types() if each.__module__.startswith(f"{_events.__name__}."))


def _plain(value: object) -> object:
    if isinstance(value, PurePath):
        text = str(value)
        try:
            text.encode()
        except UnicodeEncodeError:
            return [os.fsencode(text).hex()]
        return text
    raise NotImplementedError(f"an event holds a {type(value).__name__}, which has no JSON form")


def _rich(kind: type[Any], value: object) -> object:
    if issubclass(kind, PurePath):
        return Path(os.fsdecode(bytes.fromhex(value[0])) if isinstance(value, list) else str(value))
    raise NotImplementedError(f"an event holds a {kind.__name__}, which has no JSON form")


def _sanitized(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case dict():
            return {_sanitized(key): _sanitized(item) for key, item in value.items()}
        case list() | tuple():
            return [_sanitized(item) for item in value]
    return value


def _event_decoder() -> msgspec.json.Decoder[list[Event]]:
    any_event: Any = Union[tuple(_event_types())]  # noqa: UP007 - made at run time
    return msgspec.json.Decoder(list[any_event], dec_hook=_rich)


_ENCODER = msgspec.json.Encoder(enc_hook=_plain)
# Here, and not at the first event: see orchestrator/spec/convert.py on threads.
_EVENT_DECODER = _event_decoder()
_RESULT_DECODER = msgspec.json.Decoder(list[tuple[int, TaskResult]], dec_hook=_rich)
