"""From a method and a raw path to an operation.

The path is matched as it stands on the request line: a file's path arrives with `%2F`, which a decoded path
could not tell from a slash of the URL itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.parse import unquote

from orchestrator.local.wire.api_error import resource_not_found, unsupported_verb
from orchestrator.local.wire.call import Call, Reply

S = TypeVar("S")
Handler = Callable[[S, Call], Awaitable[Reply]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation(Generic[S]):
    """One line of an endpoint's table.

    Args:
        name: as the SDK has it.
        method: upper case.
        path: template; `{name}` is a segment, `{name*}` the rest.
        handler: None when it is refused by name.
        query: parameters it takes besides api-version and timeOut.
    """

    name: str
    method: str
    path: str
    handler: Handler[S] | None = None
    query: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Branch(Generic[S]):
    literals: dict[str, _Branch[S]] = field(default_factory=dict)
    variable: _Branch[S] | None = None
    takes_rest: bool = False
    operations: dict[str, tuple[Operation[S], tuple[str, ...]]] = field(default_factory=dict)


class Router(Generic[S]):
    """Finds the operation of a request.

    Args:
        operations: the endpoint's table.
    """

    def __init__(self, operations: Iterable[Operation[S]]) -> None:
        self._root: _Branch[S] = _Branch()
        for operation in operations:
            self._add(operation)

    def _add(self, operation: Operation[S]) -> None:
        branch = self._root
        names: list[str] = []
        for segment in operation.path.strip("/").split("/"):
            if segment.startswith("{"):
                names.append(segment.strip("{}*"))
                if branch.variable is None:
                    branch.variable = _Branch()
                branch = branch.variable
                branch.takes_rest = branch.takes_rest or segment.endswith("*}")
            else:
                branch = branch.literals.setdefault(segment, _Branch())
        branch.operations[operation.method] = (operation, tuple(names))

    def find(self, method: str, raw_path: str) -> tuple[Operation[S], dict[str, str]]:
        """Look a request up.

        Args:
            method: upper case.
            raw_path: as on the request line, without the query.

        Returns:
            The operation, and the variable parts of the path, decoded.

        Raises:
            ApiError: ResourceNotFound for no such path, UnsupportedHttpVerb for no such method there.
        """
        branch = self._root
        values: list[str] = []
        segments = raw_path.strip("/").split("/")
        for position, segment in enumerate(segments):
            literal = branch.literals.get(segment.lower())
            if literal is not None:
                branch = literal
                continue
            if branch.variable is None or not segment:
                raise resource_not_found()
            branch = branch.variable
            if branch.takes_rest:
                values.append(unquote("/".join(segments[position:])))
                break
            values.append(unquote(segment))
        if not branch.operations:
            raise resource_not_found()
        found = branch.operations.get(method)
        if found is None:
            raise unsupported_verb(method)
        operation, names = found
        return operation, dict(zip(names, values, strict=True))
