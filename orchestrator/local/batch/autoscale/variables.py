"""The variables of a formula: the pool's, what is sampled, what can't be known here, and the formula's own.

Source of facts: the autoscale page (tables of variables, aliases, the four deallocation options, the
dollar sign being optional for the formula's own). `results` begins with the three variables that can be
set (recorded); the formula's own follow in the order of their characters, so that `$b` comes before `a`
(published answers of the real service; example on the page). Names differ in case.

Targets are cut to whole numbers (Azure/Batch#151: 2.9 became 2; MicrosoftDocs/azure-docs#95350: 0.5
became 0). That a negative target is an error is a guess.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from orchestrator.local.batch.autoscale.errors import CannotEvaluateError, Position
from orchestrator.local.batch.autoscale.values import INTERVALS, Value, render, type_name

DEDICATED: Final = "$TargetDedicatedNodes"
LOW_PRIORITY: Final = "$TargetLowPriorityNodes"
DEALLOCATION: Final = "$NodeDeallocationOption"
OPTIONS: Final = ("requeue", "terminate", "taskcompletion", "retaineddata")
_SHORT: Final = {DEDICATED: "$TargetDedicated", LOW_PRIORITY: "$TargetLowPriority"}

SAMPLED: Final = frozenset(
    {
        "$ActiveTasks",
        "$CurrentDedicatedNodes",
        "$CurrentLowPriorityNodes",
        "$FailedTasks",
        "$PendingTasks",
        "$PreemptedNodeCount",
        "$RunningTasks",
        "$SampleNodeCount",
        "$SucceededTasks",
        "$TaskSlotsPerNode",
        "$UsableNodeCount",
    }
)
"""What the local service can record."""

UNKNOWABLE: Final = frozenset(
    {
        "$CPUPercent",
        "$DiskBytes",
        "$DiskReadBytes",
        "$DiskReadOps",
        "$DiskWriteBytes",
        "$DiskWriteOps",
        "$MemoryBytes",
        "$NetworkInBytes",
        "$NetworkOutBytes",
        "$WallClockSeconds",
    }
)
"""What the real service samples on machines, which this one has not; an error, never a silent 0."""

READ_ONLY: Final = SAMPLED | UNKNOWABLE | frozenset(INTERVALS) | frozenset(OPTIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """The pool when the formula runs.

    Args:
        target_dedicated: what `$TargetDedicatedNodes` is before the formula sets it.
        target_low_priority: what `$TargetLowPriorityNodes` is before the formula sets it.
        dedicated: `$CurrentDedicatedNodes`.
        low_priority: `$CurrentLowPriorityNodes`, preempted nodes included.
        task_slots_per_node: `$TaskSlotsPerNode`.
    """

    target_dedicated: int
    target_low_priority: int
    dedicated: int
    low_priority: int
    task_slots_per_node: int = 1


_NOW: Final[Mapping[str, Callable[[Current], int]]] = {
    "$CurrentDedicatedNodes": lambda current: current.dedicated,
    "$CurrentLowPriorityNodes": lambda current: current.low_priority,
    "$TaskSlotsPerNode": lambda current: current.task_slots_per_node,
}
"""The sampled variables that the autoscale page also uses as numbers; the others have methods only."""

_MOST_NODES: Final = 2**31 - 1


class Scope:
    """The values of a formula's variables while it runs.

    Args:
        current: the pool.
    """

    def __init__(self, current: Current) -> None:
        self._current = current
        self._targets = {DEDICATED: current.target_dedicated, LOW_PRIORITY: current.target_low_priority}
        self._assigned: dict[str, Value] = {}
        self._places: dict[str, Position] = {}

    def read(self, name: str) -> Value | None:
        """Read a variable or a constant.

        Args:
            name: as written.

        Returns:
            Its value, or None when nothing has this name.

        Raises:
            CannotEvaluateError: the name has samples, but no value of its own.
        """
        if name in self._assigned:
            return self._assigned[name]
        for full, short in _SHORT.items():
            if name in {full, short}:
                return self._target(full)[1]
        if name == DEALLOCATION:
            return OPTIONS[0]
        if name in _NOW:
            return float(_NOW[name](self._current))
        if name in OPTIONS:
            return name
        if name in SAMPLED:
            raise CannotEvaluateError(
                f"{name} is a set of samples: use one of its methods, such as GetSample"
            )
        if name in UNKNOWABLE:
            raise unknowable(name)
        return INTERVALS.get(name)

    def assign(self, name: str, value: Value, position: Position) -> None:
        """Set a variable.

        Args:
            name: as written.
            value: the new one.
            position: of the assignment.

        Raises:
            CannotEvaluateError: the name can't be set, or not to such a value.
        """
        if name in READ_ONLY:
            raise CannotEvaluateError(f"{name} can't be set")
        if name == DEALLOCATION and value not in OPTIONS:
            raise CannotEvaluateError(f"{name} must be one of {', '.join(OPTIONS)}")
        if (name in _SHORT or name in _SHORT.values()) and not isinstance(value, float):
            raise CannotEvaluateError(f"{name} must be a double, not a {type_name(value)}")
        self._assigned[name] = value
        self._places[name] = position

    def target(self, full: str) -> int:
        """Settle a target when the formula has run.

        Args:
            full: DEDICATED or LOW_PRIORITY.

        Returns:
            The number of nodes, cut to a whole number.

        Raises:
            FormulaError: it is negative or too large.
        """
        name, value = self._target(full)
        nodes = int(value)
        if not 0 <= nodes <= _MOST_NODES:
            reason = f"{name} must be a number of nodes, not {render(value)}"
            raise CannotEvaluateError(reason).at(self._places.get(name, Position(1, 1)))
        return nodes

    def option(self) -> str:
        """Tell what happens to the tasks of nodes that go.

        Returns:
            One of OPTIONS.
        """
        return str(self._assigned.get(DEALLOCATION, OPTIONS[0]))

    def results(self) -> str:
        """Write all variables.

        Returns:
            As in `AutoScaleRun.results`, the service's three first.

        Raises:
            FormulaError: as of `target`.
        """
        first = {DEDICATED: self.target(DEDICATED), LOW_PRIORITY: self.target(LOW_PRIORITY)}
        texts = [f"{name}={nodes}" for name, nodes in first.items()]
        texts.append(f"{DEALLOCATION}={self.option()}")
        own = self._assigned.keys() - {DEDICATED, LOW_PRIORITY, DEALLOCATION, *_SHORT.values()}
        texts.extend(f"{name}={render(self._assigned[name])}" for name in sorted(own))
        return ";".join(texts)

    def _target(self, full: str) -> tuple[str, float]:
        # The full name wins over the short one, in whichever order they were set (the autoscale page).
        for name in (full, _SHORT[full]):
            value = self._assigned.get(name)
            if isinstance(value, float):
                return name, value
        return full, float(self._targets[full])


def unknowable(name: str) -> CannotEvaluateError:
    """Report a variable that this service can't know.

    Args:
        name: with its dollar sign.

    Returns:
        The error to raise.
    """
    return CannotEvaluateError(f"The local service has no samples of {name}: its nodes are not machines")
