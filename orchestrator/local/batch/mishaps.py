"""What happens to machines: one dies, one is taken away for a while, one becomes unusable.

Source of facts: the product pages "Pool and node error checking" and "Spot VMs": the tasks go back to the
queue without a trace in their counters; a preempted node comes back with its id and without its files.
"""

from __future__ import annotations

from collections.abc import Mapping

import anyio
import structlog

from orchestrator.local.batch.allocation import Allocation
from orchestrator.local.batch.background import Background
from orchestrator.local.batch.command_runs import stop_commands
from orchestrator.local.batch.dispatch import Dispatch
from orchestrator.local.batch.preparation import forget_files
from orchestrator.local.batch.runtime import JobRuntime, Machine
from orchestrator.local.batch.store.outcomes import Ending
from orchestrator.local.batch.store.states import NODE_MOVES, NodeState
from orchestrator.local.wire import times

log = structlog.get_logger("orchestrator.local.batch")


class Mishaps:
    """Lets them happen.

    Args:
        background: where what follows goes on.
        dispatch: takes tasks off.
        allocation: boots nodes again.
        jobs: by key; those that are prepared on a node that loses its files are no longer.
    """

    def __init__(
        self,
        background: Background,
        dispatch: Dispatch,
        allocation: Allocation,
        jobs: Mapping[str, JobRuntime],
    ) -> None:
        self._background = background
        self._dispatch = dispatch
        self._allocation = allocation
        self._jobs = jobs

    def lose(self, machine: Machine) -> bool:
        """Kill a node's agent with everything on it; the node is noticed to be lost and boots again.

        Args:
            machine: any.

        Returns:
            Whether there was something to kill.
        """
        if machine.node is None:
            return False
        log.info("mishap.node_lost", pool=machine.record.pool_id, node=machine.record.id)
        machine.node.lose()
        if not machine.attempts and not machine.commands and self._may(machine, NodeState.REBOOTING):
            # It would be noticed in a moment, but who asked for it should see it at once.
            self._allocation.recover(machine)
        return True

    def make_unusable(self, machine: Machine) -> bool:
        """Make a node unusable; it stays so until it is rebooted or removed.

        Args:
            machine: any.

        Returns:
            Whether its state allowed it.
        """
        if not self._take_out(machine, NodeState.UNUSABLE):
            return False
        log.info("mishap.node_unusable", pool=machine.record.pool_id, node=machine.record.id)
        # Its process stays, idle, until the reboot or the removal that may come any moment.
        self._background.spawn(stop_commands, machine, "")
        return True

    def preempt(self, machine: Machine, seconds: float) -> bool:
        """Take a low-priority node away for a while.

        Args:
            machine: any.
            seconds: until it comes back.

        Returns:
            Whether it is of the kind that can be taken, and its state allowed it.
        """
        if machine.record.dedicated or not self._take_out(machine, NodeState.PREEMPTED):
            return False
        forget_files(self._jobs.values(), machine)
        log.info("mishap.node_preempted", pool=machine.record.pool_id, node=machine.record.id)
        self._background.spawn(self._come_back, machine, seconds)
        return True

    def later(self, seconds: float, machine: Machine, happen: str, away: float = 0.0) -> None:
        """Let something happen in a while, unless the node is gone by then.

        Args:
            seconds: from now; 0 lets what goes on now come first.
            machine: to which.
            happen: `lose`, `preempt` or `unusable`.
            away: seconds that a preempted node stays away.
        """
        self._background.spawn(self._later, seconds, machine, happen, away)

    async def _later(self, seconds: float, machine: Machine, happen: str, away: float) -> None:
        await anyio.sleep(seconds)
        if happen == "preempt":
            self.preempt(machine, away)
        elif happen == "unusable":
            self.make_unusable(machine)
        else:
            self.lose(machine)

    def _take_out(self, machine: Machine, state: NodeState) -> bool:
        if not self._may(machine, state):
            return False
        machine.record.move(state, times.now())
        machine.pool.slots.close(machine.key)
        machine.leaving.set()
        for attempt in list(machine.attempts.values()):
            if attempt.ending is None:
                self._dispatch.stop(attempt, Ending.LOST)
        return True

    @staticmethod
    def _may(machine: Machine, state: NodeState) -> bool:
        return state in NODE_MOVES[machine.record.state]

    async def _come_back(self, machine: Machine, seconds: float) -> None:
        back = anyio.current_time() + seconds
        await self._allocation.vacate(machine, wipe=True)
        await anyio.sleep_until(back)
        if machine.record.state is NodeState.PREEMPTED:
            machine.record.move(NodeState.CREATING, times.now())
            await self._allocation.boot_again(machine)
