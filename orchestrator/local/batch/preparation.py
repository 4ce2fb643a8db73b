"""Job preparation and release tasks: on each node before the job's first task there, and after its last.

Source of facts: the product page "Job preparation and release tasks".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import anyio

from orchestrator.local.batch.background import Background
from orchestrator.local.batch.command_runs import run_command, stop_commands
from orchestrator.local.batch.execution import Execution
from orchestrator.local.batch.executions import Executions
from orchestrator.local.batch.runtime import JobRuntime, Machine, PoolRuntime
from orchestrator.local.batch.store.records import CommandRun
from orchestrator.local.wire import times

_PREPARATION = "jobPreparationTask"
_RELEASE = "jobReleaseTask"


class Preparations:
    """Runs them.

    Args:
        background: where they run.
        executions: makes what nodes are told.
    """

    def __init__(self, background: Background, executions: Executions) -> None:
        self._background = background
        self._executions = executions

    def needed(self, job: JobRuntime, machine: Machine) -> bool:
        """Tell whether a task has to wait for its job's preparation on a node.

        Args:
            job: of the task.
            machine: where it is to run.
        """
        spec = job.record.spec.get(_PREPARATION)
        if spec is None:
            return False
        run = job.record.preparations.get(_place(machine))
        return run is None or not (run.succeeded or not spec["waitForSuccess"])

    async def ensure(self, job: JobRuntime, machine: Machine) -> bool:
        """See to it that a job is prepared on a node.

        Args:
            job: that has a preparation task.
            machine: where.

        Returns:
            Whether tasks may run there. If the task need not succeed, it is only begun.
        """
        spec = job.record.spec[_PREPARATION]
        place = _place(machine)
        if machine.key not in job.preparing and place not in job.record.preparations:
            job.preparing[machine.key] = anyio.Event()
            job.record.preparations[place] = CommandRun(started=times.now())
            job.record.touch()
            self._background.spawn(self._prepare, job, machine)
        if not spec["waitForSuccess"]:
            return True
        going_on = job.preparing.get(machine.key)
        if going_on is not None:
            await going_on.wait()
        run = job.record.preparations.get(place)
        return run is not None and run.succeeded

    @staticmethod
    def failed(job: JobRuntime, machine: Machine) -> bool:
        """Tell whether a job's preparation ended badly on a node, and was not just broken off.

        Args:
            job: that has a preparation task.
            machine: where.
        """
        run = job.record.preparations.get(_place(machine))
        return run is not None and bool(run.ended) and not run.succeeded

    async def _prepare(self, job: JobRuntime, machine: Machine) -> None:
        place = _place(machine)
        run = job.record.preparations[place]
        try:
            await run_command(
                machine,
                run,
                self._maker(job, machine, _PREPARATION),
                most_retries=job.record.spec[_PREPARATION]["constraints"]["maxTaskRetryCount"],
                job_key=job.key,
            )
        finally:
            if not run.ended:
                # The node went away under it: whoever comes to the node next prepares it anew.
                job.record.preparations.pop(place, None)
            job.record.touch()
            job.preparing.pop(machine.key).set()
            job.changed.tell()

    async def stop(self, job: JobRuntime, pools: dict[str, PoolRuntime]) -> None:
        """Stop a job's preparation tasks wherever they run.

        Args:
            job: that ends.
            pools: where its nodes are.
        """
        for pool in list(pools.values()):
            for machine in list(pool.machines.values()):
                await stop_commands(machine, job.key)

    async def release(self, job: JobRuntime, pools: dict[str, PoolRuntime]) -> None:
        """Run a job's release task on each node where its preparation was run.

        Args:
            job: nothing of it runs any more.
            pools: where its nodes are.
        """
        if _RELEASE not in job.record.spec:
            return
        async with anyio.create_task_group() as group:
            for pool_id, node_id in list(job.record.preparations):
                pool = pools.get(pool_id.lower())
                machine = pool.machines.get(node_id) if pool is not None else None
                over = job.record.releases.get((pool_id, node_id))
                if over is not None and over.ended:  # before the service was restarted
                    continue
                if machine is not None and machine.node is not None:
                    group.start_soon(self._release, job, machine)

    async def _release(self, job: JobRuntime, machine: Machine) -> None:
        run = CommandRun(started=times.now())
        job.record.releases[_place(machine)] = run
        job.record.touch()
        maker = self._maker(job, machine, _RELEASE)
        await run_command(machine, run, maker, most_retries=0, job_key=job.key)
        run.ended = run.ended or times.now()
        job.record.touch()

    def _maker(self, job: JobRuntime, machine: Machine, member: str) -> Callable[[str], Execution]:
        def make(execution_id: str) -> Execution:
            return self._executions.of_job_command(machine, job.record, member, execution_id)

        return make

    @staticmethod
    def after_reboot(job: JobRuntime, machine: Machine) -> None:
        """Forget a preparation that a reboot makes void.

        Args:
            job: that may have been prepared there.
            machine: that boots again.
        """
        spec = job.record.spec.get(_PREPARATION)
        run = job.record.preparations.get(_place(machine))
        if (
            spec is not None
            and run is not None
            and (spec["rerunOnNodeRebootAfterSuccess"] or not run.succeeded)
        ):
            job.record.preparations.pop(_place(machine))
            job.queue.barred.discard(machine.key)
            job.record.touch()

    @staticmethod
    def after_restart(job: JobRuntime, pools: Mapping[str, PoolRuntime]) -> None:
        """Forget what a restart of the service broke off or makes void.

        Args:
            job: nothing of which runs yet.
            pools: with the machines that boot again.
        """
        record = job.record
        record.releases = {place: run for place, run in record.releases.items() if run.ended}
        record.preparations = {place: run for place, run in record.preparations.items() if run.ended}
        if record.open:
            for pool in pools.values():
                for machine in pool.machines.values():
                    Preparations.after_reboot(job, machine)


def forget_files(jobs: Iterable[JobRuntime], machine: Machine) -> None:
    """Forget what jobs did on a node, whose files go.

    Args:
        jobs: all there are.
        machine: that comes back empty.
    """
    for job in jobs:
        job.queue.barred.discard(machine.key)
        if job.record.preparations.pop(_place(machine), None) is not None:
            job.record.touch()


def _place(machine: Machine) -> tuple[str, str]:
    return machine.record.pool_id, machine.record.id
