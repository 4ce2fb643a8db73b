"""Where somebody may step in on purpose: the few places at which the service can be made to fail.

The service itself knows only this. What steps in, and when, is decided elsewhere
(`orchestrator.local.faults`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from orchestrator.local.batch.execution import Execution
from orchestrator.local.batch.runtime import Machine, PoolRuntime
from orchestrator.local.wire.app import Answer
from orchestrator.local.wire.call import Call, Reply

Wire = Mapping[str, Any]


class Mishaps(Protocol):
    """What may happen to a machine."""

    def later(self, seconds: float, machine: Machine, happen: str, away: float = 0.0) -> None:
        """Let it be lost, preempted or become unusable in a while."""


class Interference(Protocol):
    """What steps in."""

    def attach(self, mishaps: Mishaps) -> None:
        """Learn, before all else, how to let something happen to a machine."""

    async def around(self, call: Call, answer: Answer) -> Reply:
        """Answer a request, by its handler or otherwise."""

    def allocation(self, pool: PoolRuntime) -> tuple[int, Wire] | None:
        """Tell how a resize that begins will fail: how many nodes it adds all the same, and the error."""

    def boot(self, machine: Machine) -> bool:
        """Tell whether a node that boots becomes unusable."""

    def execution(self, machine: Machine, execution: Execution) -> Execution:
        """Change what a node is told to run, or let something happen to the node meanwhile."""

    def lingering(self, *, pool: str = "", job: str = "") -> float:
        """Tell how many seconds longer a pool or job that is being deleted stays."""


class NoInterference:
    """Nobody steps in."""

    def attach(self, mishaps: Mishaps) -> None:
        """Not needed."""

    async def around(self, call: Call, answer: Answer) -> Reply:
        """Let the handler answer."""
        return await answer(call)

    def allocation(self, pool: PoolRuntime) -> tuple[int, Wire] | None:
        """Let it succeed."""
        return None

    def boot(self, machine: Machine) -> bool:
        """Let it boot."""
        return False

    def execution(self, machine: Machine, execution: Execution) -> Execution:
        """Leave it."""
        return execution

    def lingering(self, *, pool: str = "", job: str = "") -> float:
        """No longer than usual."""
        return 0.0


NO_INTERFERENCE: Final = NoInterference()
