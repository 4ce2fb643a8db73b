"""Checks rules when they are made known: a mistake is named with its place."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from orchestrator.local.batch.routes import OPERATIONS
from orchestrator.local.faults.kinds import (
    ANY_OPERATION,
    HAPPENINGS,
    FailAllocation,
    FailStartTask,
    Fault,
    PartialCollection,
    Refuse,
)
from orchestrator.local.faults.rule import EVERY_OPERATION, FaultScriptError, Rule, Script

SERVED: Final = frozenset(operation.name for operation in OPERATIONS)
"""Names of the operations of the Batch API."""

_STATUS: Final = range(400, 600)


def make_rule(value: Rule | Mapping[str, Any]) -> Rule:
    """Make a rule from what a script says.

    Args:
        value: a rule, or its members.

    Returns:
        The rule, checked.

    Raises:
        FaultScriptError: if it makes no sense.
    """
    rule = value if isinstance(value, Rule) else convert(value, Rule)
    check_rule(rule, "")
    return rule


def settle(script: Script) -> Script:
    """Check a script, and give every rule its name and its seed.

    Args:
        script: as read.

    Raises:
        FaultScriptError: naming the place.
    """
    rules = []
    names: set[str] = set()
    for position, rule in enumerate(script.rules):
        where = f"rules[{position}]"
        check_rule(rule, f"{where}.")
        name = rule.name or f"rule-{position}"
        if name in names:
            raise FaultScriptError(f"{where}.name", f"{name!r} is the name of another rule")
        names.add(name)
        seed = script.seed if rule.seed is None else rule.seed
        rules.append(msgspec.structs.replace(rule, name=name, seed=seed))
    return Script(seed=script.seed, rules=tuple(rules))


def convert(value: object, kind: type[Any]) -> Any:
    """Turn plain values into ours.

    Raises:
        FaultScriptError: naming the place.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise mistake(error) from None


def mistake(error: msgspec.ValidationError) -> FaultScriptError:
    """Tell where msgspec found something wrong."""
    why, _, path = str(error).partition(" - at ")
    return FaultScriptError(path.strip("`").removeprefix("$").removeprefix("."), why)


def check_rule(rule: Rule, before: str) -> None:
    """Refuse a rule that could never mean what it says.

    Args:
        rule: to check.
        before: what stands before its members' names in a place.

    Raises:
        FaultScriptError: naming the place.
    """
    for place, why in _mistakes(rule):
        raise FaultScriptError(before + place, why)


def _mistakes(rule: Rule) -> Iterator[tuple[str, str]]:
    yield from _wrong_places(rule)
    if not 0 <= rule.probability <= 1:
        yield "probability", "is from 0 to 1"
    if rule.after < 0:
        yield "after", "is 0 or more"
    if rule.count is not None and rule.count < 0:
        yield "count", "is 0 or more"
    yield from _wrong_numbers(rule.fault)


def _wrong_places(rule: Rule) -> Iterator[tuple[str, str]]:
    fault = rule.fault
    for position, name in enumerate(rule.on):
        place = f"on[{position}]"
        if name != EVERY_OPERATION and name not in SERVED and name not in HAPPENINGS:
            yield place, f"there is no operation or happening {name!r}"
        if fault.places is ANY_OPERATION and name in HAPPENINGS:
            yield place, f"{_kind(rule)} happens to requests, not to {name}"
        if fault.places is not ANY_OPERATION and name not in fault.places:
            yield place, f"{_kind(rule)} happens on {', '.join(sorted(fault.places))} only"


def _wrong_numbers(fault: Fault) -> Iterator[tuple[str, str]]:
    for name in ("seconds", "away", "nodes", "retry_after"):
        number = getattr(fault, name, None)
        if number is not None and (number < 0 or not math.isfinite(number)):
            yield f"fault.{name}", "is 0 or more"
    if isinstance(fault, Refuse) and fault.status is not None and fault.status not in _STATUS:
        yield "fault.status", "is from 400 to 599"
    if isinstance(fault, PartialCollection) and not 0 < fault.share <= 1:
        yield "fault.share", "is more than 0 and at most 1"
    if isinstance(fault, FailStartTask) and not 0 < fault.exit_code < 256:  # noqa: PLR2004  # a byte
        yield "fault.exit_code", "is from 1 to 255"
    if isinstance(fault, FailAllocation) and not fault.code:
        yield "fault.code", "is empty"


def _kind(rule: Rule) -> str:
    return str(rule.fault.__struct_config__.tag)
