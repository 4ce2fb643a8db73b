"""Brings pools to the size that is asked of them: nodes come, boot, and go.

Source of facts: recorded (a pool is steady when its machines exist, not when they are ready); the product
page "Nodes and pools".
"""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path

import anyio
import anyio.lowlevel
import structlog

from orchestrator.local.batch.background import Background
from orchestrator.local.batch.command_runs import run_command, stop_commands
from orchestrator.local.batch.delays import Pace
from orchestrator.local.batch.dispatch import Dispatch
from orchestrator.local.batch.execution import Node
from orchestrator.local.batch.executions import Executions
from orchestrator.local.batch.interference import Interference
from orchestrator.local.batch.runtime import Attempt, JobRuntime, Machine, PoolRuntime
from orchestrator.local.batch.simulated_node import Alarms, SimulatedNode
from orchestrator.local.batch.simulation import is_simulated
from orchestrator.local.batch.store.outcomes import Ending
from orchestrator.local.batch.store.records import CommandRun
from orchestrator.local.batch.store.resizing import make_node, missing_nodes, stopped_errors
from orchestrator.local.batch.store.states import NODE_MOVES, AllocationState, NodeState, PoolState
from orchestrator.local.wire import times

StartNode = Callable[[Path], Awaitable[Node]]

log = structlog.get_logger("orchestrator.local.batch")

_WAITING_OPTIONS = frozenset({"taskcompletion", "retaineddata"})
_ENDINGS = {"requeue": Ending.REQUEUED, "terminate": Ending.TERMINATED}


class Allocation:
    """Makes, boots and removes nodes.

    Args:
        background: where it goes on.
        dispatch: puts tasks on nodes.
        executions: makes what nodes are told.
        pace: delays to take.
        interference: may step in.
        start_node: starts a node's process with that root.
        nodes_dir: below which the roots are.
        pools: by key; a deleted pool is taken out at the end.
        jobs: by key.
    """

    def __init__(
        self,
        *,
        background: Background,
        dispatch: Dispatch,
        executions: Executions,
        pace: Pace,
        interference: Interference,
        start_node: StartNode,
        nodes_dir: Path,
        pools: dict[str, PoolRuntime],
        jobs: dict[str, JobRuntime],
        forget: Callable[[PoolRuntime], None],
        after_reboot: Callable[[JobRuntime, Machine], None],
    ) -> None:
        self._background = background
        self._dispatch = dispatch
        self._executions = executions
        self._pace = pace
        self._interference = interference
        self._start_node = start_node
        self._nodes_dir = nodes_dir
        self._pools = pools
        self._jobs = jobs
        self._forget = forget
        self._after_reboot = after_reboot
        self._alarms = Alarms()

    def begin_resize(self, pool: PoolRuntime, option: str, victims: Iterable[Machine] = ()) -> None:
        """Bring a pool to its targets on the side.

        Args:
            pool: resizing.
            option: node deallocation option.
            victims: nodes that must go.
        """
        victims = list(victims)
        for machine in victims:
            machine.record.doomed = True
        pool.resize = anyio.CancelScope()
        self._background.spawn(self._resize, pool, option, victims, pool.resize)

    async def _resize(
        self, pool: PoolRuntime, option: str, victims: list[Machine], scope: anyio.CancelScope
    ) -> None:
        with scope:
            await anyio.sleep(self._pace.now.allocation)
            spec = pool.record.spec
            room = self._room(pool)
            for dedicated, target in (
                (True, spec["targetDedicatedNodes"]),
                (False, spec["targetLowPriorityNodes"]),
            ):
                leaving = [one for one in victims if one.record.dedicated is dedicated]
                present = [
                    m for m in pool.machines.values() if m.record.dedicated is dedicated and m not in leaving
                ]
                leaving += sorted(present, key=_worth)[: max(0, len(present) - target)]
                for _ in range(min(room, target - len(present))):
                    self._add(pool, dedicated=dedicated)
                    room -= 1
                await self._remove_all(leaving, option)
        if pool.record.state is PoolState.ACTIVE and pool.record.allocation is not AllocationState.STEADY:
            if pool.record.allocation is AllocationState.STOPPING:
                pool.record.resize_errors = stopped_errors(pool.record)
            pool.record.allocate(AllocationState.STEADY, times.now())
            log.info("pool.steady", pool=pool.record.id, nodes=len(pool.machines))
        pool.resize = None

    def _room(self, pool: PoolRuntime) -> int:
        # How many nodes may come: all that are missing, unless somebody steps in.
        missing = missing_nodes(pool.record)
        trouble = self._interference.allocation(pool) if missing else None
        if trouble is None:
            return missing
        nodes, error = trouble
        pool.record.resize_errors = [error]
        return nodes

    def _add(self, pool: PoolRuntime, *, dedicated: bool) -> None:
        record = make_node(pool.record, dedicated=dedicated, at=times.now())
        machine = Machine(record, pool)
        pool.record.add_node(record)
        pool.machines[record.id] = machine
        pool.slots.add(machine.key, record.slots)
        self._background.spawn(self._boot, machine, self._pace.now.node_creation)

    async def _boot(self, machine: Machine, pause: float) -> None:
        record = machine.record
        try:
            if await self._pause(machine, pause):
                return
            if record.state is not NodeState.STARTING:  # a deallocated node is so from the order on
                record.move(NodeState.STARTING, times.now())
            if self._interference.boot(machine):
                record.move(NodeState.UNUSABLE, times.now())
                return
            try:
                # Half a process is nobody's: a start that was begun ends, and close finds the node.
                with anyio.CancelScope(shield=True):
                    node = machine.node = await self._start(machine)
            except Exception:  # the border to the machine: a node that can't start is unusable, and says so
                log.exception("node.unusable", pool=record.pool_id, node=record.id)
                if record.state is NodeState.STARTING:
                    record.move(NodeState.UNUSABLE, times.now())
                return
            self._background.spawn(self._watch, machine, node)
            if await self._pause(machine, self._pace.now.node_start):
                return
            record.booted = times.now()
            await self._run_start_task(machine)
        finally:
            machine.boot_over.set()

    async def _watch(self, machine: Machine, node: Node) -> None:
        if not await node.died() or machine.node is not node:
            return
        machine.pool.slots.close(machine.key)
        await machine.boot_over.wait()
        while machine.attempts and machine.node is node:
            # They go back to the queue without a trace, before the reboot would send them there with one.
            await machine.changed.wait()
        if machine.node is node and NodeState.REBOOTING in NODE_MOVES[machine.record.state]:
            self.recover(machine)

    async def _start(self, machine: Machine) -> Node:
        root = self._nodes_dir / machine.record.id
        if not is_simulated(machine.pool.record.spec):
            return await self._start_node(root)
        await anyio.to_thread.run_sync(partial(root.mkdir, parents=True, exist_ok=True))
        return SimulatedNode(root, self._alarms)

    async def _run_start_task(self, machine: Machine) -> None:
        record = machine.record
        spec = record.start_task = machine.pool.record.spec.get("startTask")
        if spec is None:
            self._dispatch.open(machine)
            return
        run = record.start_run = CommandRun(started=times.now())
        if spec["waitForSuccess"]:
            record.move(NodeState.WAITING_FOR_START_TASK, times.now())
        else:
            self._dispatch.open(machine)
        succeeded = await run_command(
            machine,
            run,
            lambda execution_id: self._executions.of_start_task(machine, spec, execution_id),
            most_retries=spec["maxTaskRetryCount"],
        )
        if machine.leaving.is_set() or not spec["waitForSuccess"]:
            return
        if succeeded:
            self._dispatch.open(machine)
        elif not run.ended:
            self.recover(machine)
        else:
            record.move(NodeState.START_TASK_FAILED, times.now())
            log.info("node.start_task_failed", pool=record.pool_id, node=record.id, exit_code=run.exit_code)

    @staticmethod
    async def _pause(machine: Machine, seconds: float) -> bool:
        """Wait, but not for a machine that is to go away.

        Returns:
            Whether it is to go away.
        """
        await anyio.lowlevel.checkpoint()
        with anyio.move_on_after(seconds):
            await machine.leaving.wait()
        return machine.leaving.is_set()

    def reboot(self, machine: Machine, option: str) -> None:
        """Boot a node again; its files stay.

        Args:
            machine: not on its way out.
            option: what becomes of its tasks.
        """
        machine.record.move(NodeState.REBOOTING, times.now())
        machine.pool.slots.close(machine.key)
        machine.leaving.set()
        last_boot, machine.boot_over = machine.boot_over, anyio.Event()
        for job in self._jobs.values():
            self._after_reboot(job, machine)
        self._background.spawn(self._reboot, machine, option, last_boot)

    def recover(self, machine: Machine) -> None:
        """Start a node again whose process died.

        Args:
            machine: whose process is gone.
        """
        if not machine.leaving.is_set() and machine.record.state is not NodeState.REBOOTING:
            log.warning("node.lost", pool=machine.record.pool_id, node=machine.record.id)
            if machine.record.state is NodeState.WAITING_FOR_START_TASK:
                machine.record.move(NodeState.UNUSABLE, times.now())
            self.reboot(machine, "requeue")

    def resume(self, machine: Machine, *, boot: bool) -> None:
        """Go on with a node after a restart of the service.

        Args:
            machine: without a process.
            boot: whether it is to have one again; otherwise it stays down, or is about to be removed.
        """
        if not boot:
            machine.boot_over.set()
            return
        now = self._pace.now
        creating = machine.record.state is NodeState.CREATING
        self._background.spawn(self._boot, machine, now.node_creation if creating else now.node_reboot)

    async def _reboot(self, machine: Machine, option: str, last_boot: anyio.Event) -> None:
        await self._empty(machine, option)
        await last_boot.wait()
        await self._end_process(machine)
        if machine.record.state is NodeState.REBOOTING:
            machine.leaving = anyio.Event()
            await self._boot(machine, self._pace.now.node_reboot)
        else:  # removed meanwhile
            machine.boot_over.set()

    async def vacate(self, machine: Machine, *, wipe: bool = False) -> None:
        """Wait until nothing goes on on a node, and end its process.

        Args:
            machine: leaving; its tasks were told to stop.
            wipe: whether its files go, too.
        """
        await self._empty(machine, "")
        await machine.boot_over.wait()
        await self._end_process(machine)
        if wipe:
            await anyio.to_thread.run_sync(_remove_tree, self._nodes_dir / machine.record.id)

    async def boot_again(self, machine: Machine) -> None:
        """Boot a node that stayed in its pool without a process.

        Args:
            machine: vacated.
        """
        machine.leaving, machine.boot_over = anyio.Event(), anyio.Event()
        now = self._pace.now
        creating = machine.record.state is NodeState.CREATING
        await self._boot(machine, now.node_creation if creating else now.node_reboot)

    def stop_tasks(self, machine: Machine, option: str) -> None:
        """Deal with a node's tasks before something happens to it.

        Args:
            machine: to be emptied.
            option: node deallocation option.
        """
        ending = _ENDINGS.get(option)
        if ending is not None:
            for attempt in list(machine.attempts.values()):
                self._stop(attempt, ending)

    def _stop(self, attempt: Attempt, ending: Ending) -> None:
        if attempt.ending is None:
            self._dispatch.stop(attempt, ending)

    async def _empty(self, machine: Machine, option: str) -> None:
        self.stop_tasks(machine, option)
        while machine.attempts:
            await machine.changed.wait()
        await stop_commands(machine, "")

    async def _end_process(self, machine: Machine) -> None:
        # Taken out only afterwards: if this is cancelled, the endpoint's close comes here again.
        node = machine.node
        if node is not None:
            await node.close()
            if machine.node is node:
                machine.node = None

    async def _remove_all(self, machines: list[Machine], option: str) -> None:
        # A removal goes on by itself: whoever waits for it may be told to stop, half a node helps nobody.
        removals = []
        for machine in machines:
            machine.pool.slots.close(machine.key)
            removals.append(anyio.Event())
            self._background.spawn(self._remove, machine, option, removals[-1])
        for over in removals:
            await over.wait()

    async def _remove(self, machine: Machine, option: str, over: anyio.Event) -> None:
        pool, record = machine.pool, machine.record
        try:
            while option in _WAITING_OPTIONS and machine.attempts:
                await machine.changed.wait()
            machine.leaving.set()
            if record.state is not NodeState.LEAVING_POOL:
                record.move(NodeState.LEAVING_POOL, times.now())
            await self._empty(machine, option)
            await machine.boot_over.wait()
            await self._end_process(machine)
            await anyio.sleep(self._pace.now.node_removal)
            await anyio.to_thread.run_sync(_remove_tree, self._nodes_dir / record.id)
            pool.slots.remove(machine.key)
            pool.machines.pop(record.id, None)
            pool.record.remove_node(record)
        finally:
            over.set()

    def begin_deletion(self, pool: PoolRuntime) -> None:
        """Delete a pool on the side.

        Args:
            pool: deleting.
        """
        if pool.resize is not None:
            pool.resize.cancel()
        for machine in pool.machines.values():
            pool.slots.close(machine.key)
        self._background.spawn(self._delete, pool)

    async def _delete(self, pool: PoolRuntime) -> None:
        await anyio.lowlevel.checkpoint()
        await self._remove_all(list(pool.machines.values()), "requeue")
        await anyio.sleep(self._pace.now.pool_deletion + self._interference.lingering(pool=pool.record.id))
        self._forget(pool)
        log.info("pool.deleted", pool=pool.record.id)

    async def close(self) -> None:
        """End every node's process. The background is closed before."""
        async with anyio.create_task_group() as group:
            for pool in self._pools.values():
                for machine in pool.machines.values():
                    group.start_soon(self._end_process, machine)


def _worth(machine: Machine) -> tuple[bool, int]:
    # Idle nodes go first, of those the youngest.
    return bool(machine.attempts), -machine.record.allocated


def _remove_tree(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
