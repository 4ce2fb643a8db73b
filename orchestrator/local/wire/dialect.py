"""What one api-version calls things: bodies are read from it, and answers written to it.

The service keeps everything in the newest version's shape. A dialect holds the changes that lead from there
to another version, or to another case; where there are none, a body passes as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol

from orchestrator.local.wire.api_error import unsupported_property

_ANYTHING: Final = object()
_EACH: Final = "*"

Object = Mapping[str, Any]


class Change(Protocol):
    """One difference of one member. Both ways take the object that has the member."""

    @property
    def path(self) -> str:
        """Names from the body down to the member, with slashes; `*` is every element of a list."""

    def show(self, holder: Object, name: str) -> Object:
        """Write the answer's object."""

    def read(self, holder: Object, name: str) -> Object:
        """Read the request's object."""


@dataclass(frozen=True, slots=True)
class Renamed:
    """A member that has another name.

    Args:
        path: to the member, by its newest name.
        to: its name in this dialect.
    """

    path: str
    to: str

    def show(self, holder: Object, name: str) -> Object:
        """Write the other name, in the same place."""
        return {self.to if key == name else key: value for key, value in holder.items()}

    def read(self, holder: Object, name: str) -> Object:
        """Take the other name, and the newest one not.

        Raises:
            ApiError: UnsupportedProperty.
        """
        if name in holder:
            raise unsupported_property(name)
        return {name if key == self.to else key: value for key, value in holder.items()}


@dataclass(frozen=True, slots=True)
class Absent:
    """A member that is not there.

    Args:
        path: to the member.
        value: that it has to have; by default any.
        refused: whether a request that has it is refused.
    """

    path: str
    value: Any = _ANYTHING
    refused: bool = True

    def show(self, holder: Object, name: str) -> Object:
        """Leave it out."""
        if name not in holder or self.value not in (_ANYTHING, holder[name]):
            return holder
        return {key: value for key, value in holder.items() if key != name}

    def read(self, holder: Object, name: str) -> Object:
        """Refuse it.

        Raises:
            ApiError: UnsupportedProperty.
        """
        if self.refused and name in holder:
            raise unsupported_property(name)
        return holder


@dataclass(frozen=True, slots=True)
class Spelled:
    """A word that is written in another case.

    Args:
        path: to the member.
        spell: from the word that is kept to the one that goes out.
    """

    path: str
    spell: Callable[[str], str]

    def show(self, holder: Object, name: str) -> Object:
        """Write the word so."""
        if name not in holder:
            return holder
        return {key: self.spell(value) if key == name else value for key, value in holder.items()}

    def read(self, holder: Object, name: str) -> Object:
        """Take it as it is: requests are read without case."""
        return holder


@dataclass(frozen=True, slots=True)
class Filled:
    """A member with another default.

    Args:
        path: to the member.
        value: where a request does not have it.
    """

    path: str
    value: Any

    def show(self, holder: Object, name: str) -> Object:
        """Write what is kept."""
        return holder

    def read(self, holder: Object, name: str) -> Object:
        """Fill it in."""
        return holder if holder.get(name) is not None else {**holder, name: self.value}


class Dialect:
    """What a request is read from and its answer written to.

    Args:
        version: the api-version.
        changes: by resource: what comes first in `odata.metadata`, or the kind of a request's body.
        bodies: kind of the request's body, by operation.
    """

    __slots__ = ("_bodies", "_changes", "version")

    def __init__(
        self, version: str, changes: Mapping[str, Iterable[Change]], bodies: Mapping[str, str]
    ) -> None:
        self.version = version
        self._changes = {resource: tuple(some) for resource, some in changes.items()}
        self._bodies = bodies

    def show(self, resource: str, wire: Object) -> Object:
        """Write one resource.

        Args:
            resource: of `odata.metadata`; what follows a slash does not count.
            wire: in the newest shape; it is not changed.
        """
        for change in self._changes.get(resource.partition("/")[0], ()):
            *down, name = change.path.split("/")
            wire = _at(wire, down, partial(change.show, name=name))
        return wire

    def read(self, operation: str, body: dict[str, Any]) -> dict[str, Any]:
        """Read a request's body.

        Args:
            operation: its name.
            body: as decoded; it is not changed.

        Returns:
            The body in the newest shape.

        Raises:
            ApiError: UnsupportedProperty for a member that this version does not have.
        """
        read: Any = body
        for change in self._changes.get(self._bodies.get(operation, ""), ()):
            *down, name = change.path.split("/")
            read = _at(read, down, partial(change.read, name=name))
        return dict(read)

    def select(self, resource: str, stated: str | None) -> str | None:
        """Read `$select`, whose names are those of the dialect.

        Args:
            resource: of `odata.metadata`.
            stated: the parameter.
        """
        if stated is None:
            return None
        names = {
            change.to: change.path
            for change in self._changes.get(resource.partition("/")[0], ())
            if isinstance(change, Renamed) and "/" not in change.path
        }
        return (
            ",".join(names.get(name.strip(), name.strip()) for name in stated.split(",")) if names else stated
        )


def _at(value: Any, path: list[str], change: Callable[[Object], Object]) -> Any:
    # What is not of the expected kind stays: its reader will say so.
    if not path:
        return change(value) if isinstance(value, Mapping) else value
    head, *rest = path
    if head == _EACH:
        return [_at(one, rest, change) for one in value] if isinstance(value, list | tuple) else value
    if not isinstance(value, Mapping) or value.get(head) is None:
        return value
    return {**value, head: _at(value[head], rest, change)}
