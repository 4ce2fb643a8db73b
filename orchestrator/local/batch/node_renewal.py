"""Nodes that lose their files and come back: reimaged, or deallocated and started.

Sources of facts: recorded (a deallocating node is disabled for scheduling, and its stateTransitionTime stays
when it is deallocated; a started one is enabled again); the REST pages of the operations.
"""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.local.batch.allocation import Allocation
from orchestrator.local.batch.background import Background
from orchestrator.local.batch.preparation import forget_files
from orchestrator.local.batch.runtime import JobRuntime, Machine
from orchestrator.local.batch.store.states import NodeState
from orchestrator.local.wire import times


class NodeRenewal:
    """Takes nodes down and up.

    Args:
        background: where it goes on.
        allocation: ends and boots nodes.
        jobs: by key; those that are prepared on the node are no longer.
    """

    def __init__(
        self, background: Background, allocation: Allocation, jobs: Mapping[str, JobRuntime]
    ) -> None:
        self._background = background
        self._allocation = allocation
        self._jobs = jobs

    def reimage(self, machine: Machine, option: str) -> None:
        """Install a node anew: its files go, it boots as if it were new.

        Args:
            machine: not on its way anywhere.
            option: what becomes of its tasks.
        """
        self._take_down(machine, NodeState.REIMAGING)
        self._background.spawn(self._reimage, machine, option)

    async def _reimage(self, machine: Machine, option: str) -> None:
        self._allocation.stop_tasks(machine, option)
        await self._allocation.vacate(machine, wipe=True)
        if machine.record.state is NodeState.REIMAGING:  # and not removed meanwhile
            await self._allocation.boot_again(machine)

    def deallocate(self, machine: Machine, option: str) -> None:
        """Give a node's machine back; the node stays in its pool.

        Args:
            machine: not on its way anywhere.
            option: what becomes of its tasks.
        """
        machine.record.scheduling = False
        self._take_down(machine, NodeState.DEALLOCATING)
        self._background.spawn(self._deallocate, machine, option)

    async def _deallocate(self, machine: Machine, option: str) -> None:
        self._allocation.stop_tasks(machine, option)
        await self._allocation.vacate(machine, wipe=True)
        record = machine.record
        if record.state is NodeState.DEALLOCATING:
            record.move(NodeState.DEALLOCATED, record.state_since)

    def start(self, machine: Machine) -> None:
        """Get a machine again for a node that gave its back.

        Args:
            machine: deallocated.
        """
        machine.record.scheduling = True
        machine.record.move(NodeState.STARTING, times.now())
        self._background.spawn(self._allocation.boot_again, machine)

    def _take_down(self, machine: Machine, state: NodeState) -> None:
        machine.record.move(state, times.now())
        machine.pool.slots.close(machine.key)
        machine.leaving.set()
        forget_files(self._jobs.values(), machine)
