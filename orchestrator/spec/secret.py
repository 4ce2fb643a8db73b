"""Values that must never be written down: kept in memory, shown as `***`, named by a reference in files."""

from __future__ import annotations

from typing import Annotated

import msgspec

from orchestrator.spec.frozen import FrozenMapping


class SecretText:
    """A string that shows itself as `***` wherever it is printed; `reveal()` gives it to who must have it.

    SAS addresses, keys and tokens travel in this wrapper, so that a log line, an event or an error text that
    takes one by mistake shows nothing.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself: only for the request that needs it."""
        return self._value

    def __eq__(self, other: object) -> bool:
        return self._value == other._value if isinstance(other, SecretText) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "SecretText(***)"

    def __str__(self) -> str:
        return "***"


class SecretReference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`{ secret = "env:NAME" }` in a job file: where the value is, instead of the value.

    Args:
        secret: `env:NAME` for an environment variable, `file:PATH` for the stripped content of a file.
    """

    secret: str


Environment = Annotated[
    FrozenMapping[str | SecretReference],
    msgspec.Meta(
        extra_json_schema={
            "type": "object",
            "additionalProperties": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/SecretReference"}]},
        }
    ),
]
"""Environment settings: a name's value, or where it is."""
