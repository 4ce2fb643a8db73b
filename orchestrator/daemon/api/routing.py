"""What a route is: what the application serves, and what the description says of it, in one value."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import msgspec
from aiohttp import web

from orchestrator.daemon.service import DaemonService
from orchestrator.daemon.tokens import Scope

Handler: TypeAlias = Callable[[web.Request, DaemonService], Awaitable[web.StreamResponse]]

SERVICE: web.AppKey[DaemonService] = web.AppKey("orchestrator.daemon", DaemonService)
"""Where an application keeps its daemon."""


class Kind(enum.StrEnum):
    """The type of a parameter in the query."""

    TEXT = "string"
    NUMBER = "integer"
    FLAG = "boolean"


class Parameter(msgspec.Struct, frozen=True):
    """A parameter in the query or a header.

    Args:
        place: `query` or `header`.
        least: the smallest number, or the shortest text.
        most: the largest number, or the longest text.
    """

    name: str
    told: str
    kind: Kind = Kind.TEXT
    place: str = "query"
    values: tuple[str, ...] = ()
    least: int | None = None
    most: int | None = None


class Answer(msgspec.Struct, frozen=True):
    """A way in which a request may be answered.

    Args:
        content: media type.
        schema: the class whose JSON it is; None where it is no JSON.
    """

    status: int
    told: str
    content: str = "application/json"
    schema: type | None = None


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One operation.

    Args:
        scope: what the token must allow; None where none is asked for.
        problems: statuses of refusals, besides those that any request may get.
        takes: media types of the body, with their schemas as JSON Schema values.
    """

    method: str
    path: str
    name: str
    told: str
    handler: Handler
    scope: Scope | None
    answers: tuple[Answer, ...]
    parameters: tuple[Parameter, ...] = ()
    problems: tuple[int, ...] = ()
    takes: tuple[str, ...] = ()
