"""A rule: which fault, where, and how often. Pure values."""

from __future__ import annotations

from typing import Final

import msgspec

from orchestrator.local.faults.kinds import ANY_OPERATION, HAPPENINGS, Fault

EVERY_OPERATION: Final = "*"


class FaultScriptError(ValueError):
    """A script of faults, or one of its rules, can't be used.

    Args:
        where: the place, such as `rules[2].fault.status`.
        why: what is wrong there.
    """

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}" if where else why)
        self.where = where
        self.why = why


class Match(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose requests and happenings: ids as shell patterns, without regard to case.

    Args:
        pool: of the request or the node.
        job: of the request or the task.
        task: likewise; of a collection, one of its tasks.
        node: id.
        node_number: its number in its pool, from 0, in the order in which they were made.
    """

    pool: str = "*"
    job: str = "*"
    task: str = "*"
    node: str = "*"
    node_number: int | None = None


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a fault happens.

    Args:
        fault: what happens.
        name: by which it is counted; given by position if left out.
        on: operations of the routes table, `*` for all of them, or happenings; every place that the fault
            knows if left out.
        match: whose.
        after: matching occasions that pass unharmed first.
        count: times that it happens at most; None for any number.
        probability: of each further occasion.
        seed: of the chances; that of the script if left out.
    """

    fault: Fault
    name: str = ""
    on: tuple[str, ...] = ()
    match: Match = Match()
    after: int = 0
    count: int | None = None
    probability: float = 1.0
    seed: int | None = None

    def looks_at(self, place: str) -> bool:
        """Tell whether it may happen at a place.

        Args:
            place: operation or happening.
        """
        if self.on and EVERY_OPERATION not in self.on:
            return place in self.on
        if self.fault.places is ANY_OPERATION:
            return place not in HAPPENINGS
        return place in self.fault.places


class Script(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rules, of which the first that wants to has its way.

    Args:
        seed: of every rule that has none of its own.
        rules: in order.
    """

    seed: int = 0
    rules: tuple[Rule, ...] = ()
