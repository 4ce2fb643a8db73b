"""A mapping that can't change, so that what is wanted can be kept, compared and hashed."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from operator import attrgetter
from typing import Annotated, Any, Final, TypeVar, cast, get_args, get_origin

import msgspec

V_co = TypeVar("V_co", covariant=True)


class FrozenMapping(Mapping[str, V_co]):
    """A mapping whose content is fixed and hashable; mappings and lists inside are frozen too.

    Specs take a plain dict wherever they hold one of these. Type-checked code writes
    `environment=FrozenMapping({"NAME": "value"})`.

    Args:
        content: plain JSON values, or secret references.

    Raises:
        TypeError: a key is not a string, or a value is neither JSON nor a spec's own value.
        ValueError: a number is not finite, which JSON can't write.
    """

    __slots__ = ("_content", "_hash")

    def __init__(self, content: Mapping[str, V_co] | None = None) -> None:
        for key in content or {}:
            if not isinstance(key, str):
                raise TypeError(f"the key {key!r} is not text")
        self._content: dict[str, V_co] = {key: _freeze(value, key) for key, value in (content or {}).items()}
        self._hash: int | None = None

    def plain(self) -> dict[str, V_co]:
        """The same as a dict, but for what is inside: a copy."""
        return self._content.copy()

    def thaw(self) -> dict[str, Any]:
        """The same as plain dicts and lists: a copy that the caller may change."""
        return {key: _thaw(value) for key, value in self._content.items()}

    def __getitem__(self, key: str) -> V_co:
        return self._content[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._content)

    def __len__(self) -> int:
        return len(self._content)

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(frozenset(self._content.items()))
        return self._hash

    def __repr__(self) -> str:
        return f"FrozenMapping({self._content!r})"


_EMPTY: Final[FrozenMapping[Any]] = FrozenMapping()


def no_content() -> FrozenMapping[Any]:
    """The empty mapping, which all that are empty share: most tasks have two, and a job many tasks."""
    return _EMPTY


Rest = Annotated[FrozenMapping[Any], msgspec.Meta(extra_json_schema={"type": "object"})]
"""What is merged as it stands into a body sent to the service."""


class KeyedError(ValueError):
    """One value of a mapping can't be right: `.key` names it, `.error` says why."""

    def __init__(self, key: str, error: msgspec.ValidationError) -> None:
        self.key = key
        self.error = error
        super().__init__(f"{key}: {error}")


def freeze_fields(struct: msgspec.Struct) -> None:
    """Replace the dicts and lists that code gave to a frozen struct; for its `__post_init__`.

    Raises:
        TypeError: a mapping holds what JSON can't.
        ValueError: as `FrozenMapping` raises it.
    """
    # Those that come from a file have nothing to replace, and there may be many.
    if not any(map(_can_change, map(type, _values(type(struct))(struct)))):
        return
    for name in struct.__struct_fields__:
        value = getattr(struct, name)
        if isinstance(value, dict):
            frozen = FrozenMapping(value) if value else no_content()
            msgspec.structs.force_setattr(struct, name, frozen)
        elif isinstance(value, list):
            msgspec.structs.force_setattr(struct, name, tuple(value))


@functools.cache
def _values(struct: type[msgspec.Struct]) -> Callable[[msgspec.Struct], tuple[object, ...]]:
    """What gives the values of the fields."""
    first, *others = struct.__struct_fields__
    return attrgetter(first, first, *others)  # of one name alone it would give no tuple


@functools.cache
def _can_change(kind: type) -> bool:
    return issubclass(kind, dict | list)


def decode_mapping(wanted: Any, value: object) -> FrozenMapping[Any]:
    """Make the mapping of a field from what the file has: the part of a `dec_hook` that is about mappings.

    Args:
        wanted: the field's type, such as `FrozenMapping[str]`; its argument is what each value must be.
        value: from the file.

    Raises:
        KeyedError: a value is not of its type.
        TypeError: it is not a mapping, or holds what JSON can't.
    """
    if not isinstance(value, Mapping):
        raise TypeError(f"expected a table, got {type(value).__name__}")
    if not value:
        return no_content()
    (inner,) = get_args(wanted) if get_origin(wanted) else (Any,)
    checked: dict[str, Any] = {}
    for key, item in value.items():
        try:
            checked[key] = msgspec.convert(item, inner)
        except msgspec.ValidationError as error:
            raise KeyedError(str(key), error) from None
    return FrozenMapping(checked)


def _freeze(value: object, key: str) -> Any:
    if value is None or isinstance(value, str | bool | int | FrozenMapping):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{key}: {value} is not a number that JSON can write")
        return value
    if isinstance(value, Mapping):
        return FrozenMapping(cast("Mapping[str, Any]", value))
    if isinstance(value, list | tuple):
        return tuple(_freeze(item, key) for item in value)
    if isinstance(value, msgspec.Struct) and value.__struct_config__.frozen:
        return value
    raise TypeError(f"{key}: a {type(value).__name__} is not JSON")


def _thaw(value: object) -> Any:
    if isinstance(value, FrozenMapping):
        return value.thaw()
    if isinstance(value, tuple):
        return [_thaw(item) for item in value]
    return value
