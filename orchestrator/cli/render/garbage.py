"""Shows what `orchestrator gc` has found, with its cost, and what became of it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from orchestrator.cli.render.escape import shown
from orchestrator.cli.render.status import length
from orchestrator.events import utc_now
from orchestrator.runtime.garbage_collection import Collected, Running
from orchestrator.spec.prices import Prices
from orchestrator.tracker.garbage import Garbage


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Something that has expired, with what it costs.

    Args:
        garbage: what it is.
        running: the nodes of a pool; None of anything else.
        prices: of the user.
    """

    garbage: Garbage
    running: Running | None
    prices: Prices

    @property
    def hours(self) -> float:
        """Node-hours of the nodes that are there now."""
        return self.running.dedicated_hours + self.running.low_priority_hours if self.running else 0.0

    @property
    def cost(self) -> float | None:
        """Of these node-hours; None without a price for them."""
        if self.running is None:
            return None
        return self.prices.cost(
            self.running.vm_size,
            dedicated_hours=self.running.dedicated_hours,
            low_priority_hours=self.running.low_priority_hours,
        )


class GarbageRenderer(Protocol):
    """Shows it."""

    def found(self, found: Sequence[Found]) -> None:
        """Show what has expired."""

    def collected(self, collected: Sequence[Collected]) -> None:
        """Show what became of it."""


def renderer_for(output: str) -> GarbageRenderer:
    """The renderer for an output.

    Args:
        output: `text` or `json`.
    """
    return JsonGarbage() if output == "json" else TextGarbage()


class TextGarbage:
    """Lines for a person."""

    def found(self, found: Sequence[Found]) -> None:
        """A line a thing, and the sum."""
        now = utc_now()
        for one in found:
            print(shown(_line(one, now)))
        if not found:
            print("nothing has expired")
            return
        nodes = sum(_nodes(one.running) for one in found)
        hours = sum(one.hours for one in found)
        print(f"{len(found)} expired; {nodes} node(s) running, {hours:.1f} node-hours so far{_sum(found)}")
        sys.stdout.flush()

    def collected(self, collected: Sequence[Collected]) -> None:
        """A line a thing."""
        for one in collected:
            reason = f": {one.reason}" if one.reason else ""
            print(shown(f"{one.fate.value:8} {one.garbage.kind.value} {one.garbage.id}{reason}"))


class JsonGarbage:
    """A JSON object a line, for a program."""

    def found(self, found: Sequence[Found]) -> None:
        """An object a thing."""
        for one in found:
            told: dict[str, Any] = {"found": msgspec.to_builtins(one.garbage)}
            if one.running is not None:
                told["running"] = {
                    **msgspec.to_builtins(one.running),
                    "cost": one.cost,
                    "currency": one.prices.currency,
                }
            _write(told)

    def collected(self, collected: Sequence[Collected]) -> None:
        """An object a thing."""
        for one in collected:
            _write(
                {
                    "collected": {
                        "kind": one.garbage.kind.value,
                        "id": one.garbage.id,
                        "fate": one.fate.value,
                        "reason": one.reason,
                    }
                }
            )


def _write(told: dict[str, Any]) -> None:
    print(msgspec.json.encode(told).decode(), flush=True)


def _line(one: Found, now: datetime) -> str:
    garbage = one.garbage
    since = length(now - garbage.expired_at)
    told = f"{garbage.kind.value} {garbage.id}: expired {since} ago; run {garbage.run_id} of {garbage.owner}"
    if one.running is not None:
        kind = one.running.vm_size or "unknown size"
        told += f"; {_nodes(one.running)} node(s) {kind}, {one.hours:.1f} node-hours so far{_sum([one])}"
    return told + (f"; stays: {garbage.needed_by} needs it" if garbage.needed_by else "")


def _nodes(running: Running | None) -> int:
    return running.dedicated_nodes + running.low_priority_nodes if running else 0


def _sum(found: Sequence[Found]) -> str:
    """What it costs, where there is a price for all of it that runs; no price is no sum."""
    costs = [one.cost for one in found if one.hours]
    if not costs or any(cost is None for cost in costs):
        return ""
    return f", {sum(cost or 0.0 for cost in costs):.2f} {found[0].prices.currency}".rstrip()
