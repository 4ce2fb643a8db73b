"""Carries out the scheduler's decisions and takes what comes of them.

Everything between two awaits is one step of the one event loop: a placement, the end of an attempt, an
order to stop. A step leaves the records consistent, so no lock is needed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

import anyio
import structlog

from orchestrator.local.batch.background import Background
from orchestrator.local.batch.delays import Pace
from orchestrator.local.batch.execution import Outcome
from orchestrator.local.batch.executions import Executions, unknown_user
from orchestrator.local.batch.preparation import Preparations
from orchestrator.local.batch.runtime import Attempt, JobRuntime, Machine, PoolRuntime
from orchestrator.local.batch.scheduler import Placement, assign
from orchestrator.local.batch.simulated_node import SimulatedNode
from orchestrator.local.batch.store.outcomes import (
    TASK_ENDED,
    Ending,
    JobAction,
    Verdict,
    dependents_satisfied,
    exit_options,
    job_action,
    judge,
)
from orchestrator.local.batch.store.records import TaskRecord
from orchestrator.local.batch.store.sorted_index import key_of
from orchestrator.local.batch.store.states import NodeState, TaskState
from orchestrator.local.wire import times

log = structlog.get_logger("orchestrator.local.batch")

_MOST_RECENT = 10


class Consequences(Protocol):
    """Whoever acts on what a task's end means for its job and its node."""

    def act_on_failure(self, job: JobRuntime, action: JobAction) -> None:
        """Disable or terminate a job, as exitConditions say."""

    def finish(self, job: JobRuntime, reason: str) -> None:
        """End a job that goes on."""

    def check_complete(self, job: JobRuntime) -> None:
        """End a job whose tasks are all complete, if it asks for that."""

    def recover(self, machine: Machine) -> None:
        """Start a node again whose process died."""

    def watch_files(self, job: JobRuntime, task: TaskRecord) -> None:
        """Remove the files of a task that ran when their time is over."""


class Dispatch:
    """Puts tasks on nodes and takes them off.

    Args:
        background: runs the attempts.
        executions: makes what nodes are told.
        preparations: runs job preparation tasks.
        pools: by key.
        jobs: by key.
        pace: delays to take.
    """

    def __init__(
        self,
        background: Background,
        executions: Executions,
        preparations: Preparations,
        pools: Mapping[str, PoolRuntime],
        jobs: Mapping[str, JobRuntime],
        *,
        pace: Pace,
    ) -> None:
        self._background = background
        self._executions = executions
        self._preparations = preparations
        self._pools = pools
        self._jobs = jobs
        self._pace = pace
        self._by_pool: dict[str, dict[str, JobRuntime]] = {}
        self._attempts = itertools.count(1)
        self.consequences: Consequences | None = None

    def bind(self, job: JobRuntime) -> None:
        """Let a job's tasks go to its pool.

        Args:
            job: new, or bound to another pool now.
        """
        self.unbind(job)
        self._by_pool.setdefault(job.record.pool_id.lower(), {})[job.key] = job
        self.schedule(job.record.pool_id)

    def unbind(self, job: JobRuntime) -> None:
        """Let no more of a job's tasks go anywhere.

        Args:
            job: that goes away or changes its pool.
        """
        for jobs in self._by_pool.values():
            jobs.pop(job.key, None)

    def admit(self, job: JobRuntime, tasks: Sequence[TaskRecord]) -> None:
        """Let new tasks run, as soon as the service's pace lets them.

        Args:
            job: of the tasks.
            tasks: just added.
        """
        pause = self._pace.task_start()
        if pause:
            self._background.spawn(self._admit, job, tasks, pause)
            return
        for task in tasks:
            self.enqueue(job, task)
        self.schedule(job.record.pool_id)

    async def _admit(self, job: JobRuntime, tasks: Sequence[TaskRecord], pause: float) -> None:
        await anyio.sleep(pause)
        for task in tasks:
            # It may have ended or gone meanwhile, and a dependent may even run.
            if task.state is TaskState.ACTIVE and job.record.tasks.get(task.id) is task:
                self.enqueue(job, task)
        self.schedule(job.record.pool_id)

    def jobs_on(self, pool_key: str) -> Iterable[JobRuntime]:
        """Tell which jobs are bound to a pool.

        Args:
            pool_key: lower-cased id.
        """
        return self._by_pool.get(pool_key, {}).values()

    def enqueue(self, job: JobRuntime, task: TaskRecord) -> None:
        """Let a task wait for a slot, unless it waits for other tasks first.

        Args:
            job: of the task.
            task: active.
        """
        if job.record.dependencies.waits(task.id):
            return
        wish: str | None = None
        affinity: str | None = task.spec.get("affinityInfo", {}).get("affinityId")
        if affinity is not None:
            wish = affinity.removeprefix("TVM:")
        slots = task.slots
        pool = self._pools.get(job.record.pool_id.lower())
        if pool is not None and job.record.wants_whole_node(task):
            slots = max(slots, pool.record.spec["taskSlotsPerNode"])
        job.queue.ready.push(key_of(task.id), sequence=task.sequence, slots=slots, node=wish)

    def schedule(self, pool_id: str) -> None:
        """Place what can be placed on a pool.

        Args:
            pool_id: in any case; it need not exist.
        """
        key = pool_id.lower()
        pool = self._pools.get(key)
        jobs = self._by_pool.get(key)
        if pool is None or not jobs:
            return
        for placement in assign([job.queue for job in jobs.values()], pool.slots):
            self._begin(placement, pool)

    def stop(self, attempt: Attempt, ending: Ending) -> None:
        """Order an attempt to end; its end is taken when it comes.

        Args:
            attempt: running.
            ending: why. A later order overrides an earlier one.
        """
        attempt.ending = attempt.task.ending = ending
        if attempt.executing:
            self._background.spawn(self._kill, attempt)
        elif not attempt.settled.is_set():
            # Its job's preparation still runs, maybe for other tasks too: nothing to kill.
            self._settle(attempt, _never_started())

    def open(self, machine: Machine) -> None:
        """Let tasks come to a node that can take them.

        Args:
            machine: booted, its start task over or not waited for.
        """
        to = NodeState.IDLE if machine.record.scheduling else NodeState.OFFLINE
        machine.record.move(to, times.now())
        if machine.record.scheduling:
            machine.pool.slots.open(machine.key)
            self.schedule(machine.pool.key)

    def _begin(self, placement: Placement, pool: PoolRuntime) -> None:
        job = self._jobs[placement.job]
        task = job.record.tasks.get(placement.task)
        machine = pool.machines[placement.node]
        if task is None:
            raise RuntimeError(f"task {placement.job}/{placement.task} was placed but does not exist")
        at = times.now()
        attempt = Attempt(f"task-{next(self._attempts)}", job, task, machine, placement.slots)
        job.attempts[placement.task] = attempt
        machine.attempts[attempt.execution_id] = attempt
        if machine.record.state is NodeState.IDLE:
            machine.record.move(NodeState.RUNNING, at)
        task.forget_run()
        task.pool_id, task.node_id = pool.record.id, machine.record.id
        must_prepare = self._preparations.needed(job, machine)
        if must_prepare:
            job.record.move_task(task, TaskState.PREPARING, at)
        else:
            self._enter_running(attempt, at)
        named = "username" in task.spec["userIdentity"]  # who has to be looked up
        if isinstance(machine.node, SimulatedNode) and not must_prepare and not named:
            self._pretend(attempt, machine.node)
        else:
            self._background.spawn(self._run, attempt, must_prepare)

    def _pretend(self, attempt: Attempt, node: SimulatedNode) -> None:
        # Without a task of the event loop's: there may be tens of thousands at once.
        attempt.executing = True
        node.begin(self._executions.of_task(attempt), partial(self._settle, attempt))

    @staticmethod
    def _enter_running(attempt: Attempt, at: int) -> None:
        attempt.job.record.move_task(attempt.task, TaskState.RUNNING, at)
        # A running task always has a startTime; the node tells the true one shortly after.
        attempt.task.started = at - at % 10

    async def _run(self, attempt: Attempt, must_prepare: bool) -> None:
        job, task, machine = attempt.job, attempt.task, attempt.machine
        if attempt.settled.is_set():  # stopped before this began
            return
        if must_prepare:
            prepared = await self._preparations.ensure(job, machine)
            if attempt.settled.is_set():
                return
            if not prepared:
                if self._preparations.failed(job, machine):
                    job.queue.barred.add(machine.key)
                self._settle(attempt, _never_started())
                return
            self._enter_running(attempt, times.now())
        missing_user = unknown_user(task.spec["userIdentity"], machine)
        if missing_user is not None:
            self._settle(attempt, _no_such_user(missing_user))
            return
        attempt.executing = True
        try:
            if machine.node is None:
                outcome = _never_started()
            else:
                outcome = await machine.node.execute(
                    self._executions.of_task(attempt),
                    on_started=lambda at: setattr(task, "started", times.to_ticks(at)),
                )
        except Exception:  # the border to the node: the task goes back to the queue, the node boots again
            log.exception("batch.attempt.broken", job=job.record.id, task=task.id, node=machine.record.id)
            outcome = _never_started()
        self._settle(attempt, outcome)

    async def _kill(self, attempt: Attempt) -> None:
        if attempt.machine.node is not None and not attempt.settled.is_set():
            await attempt.machine.node.kill(
                attempt.execution_id, code=TASK_ENDED["code"], message=TASK_ENDED["message"]
            )

    def _settle(self, attempt: Attempt, outcome: Outcome) -> None:
        job, task, machine = attempt.job, attempt.task, attempt.machine
        key = task.id.lower()
        at = times.now()
        attempt.settled.set()
        if task.ending is not None:
            task.ending = None
        del job.attempts[key], machine.attempts[attempt.execution_id]
        job.queue.running -= 1
        machine.pool.slots.release(machine.key, attempt.slots)
        verdict = judge(
            outcome,
            ending=attempt.ending,
            retries=task.retry_count,
            most_retries=task.spec["constraints"]["maxTaskRetryCount"],
        )
        if verdict is Verdict.COMPLETE:
            self._complete(attempt, outcome, at)
        elif verdict is not Verdict.DROP:
            if verdict is Verdict.RETRY:
                task.retry_count += 1
                task.last_retry = at
            elif verdict is Verdict.REQUEUE:
                task.requeue_count += 1
                task.last_requeue = at
            job.record.move_task(task, TaskState.ACTIVE, at)
            if verdict is not Verdict.RETRY:
                task.forget_run()
            self.enqueue(job, task)
        self._rest(machine, at)
        if outcome.lost and attempt.ending is None and attempt.executing and self.consequences is not None:
            self.consequences.recover(machine)
        job.changed.tell()
        machine.changed.tell()
        self.schedule(machine.pool.key)

    def _complete(self, attempt: Attempt, outcome: Outcome, at: int) -> None:
        job, task, node = attempt.job, attempt.task, attempt.machine.record
        failure = outcome.failure
        if failure is None and outcome.lost:
            failure = TASK_ENDED
        if attempt.executing:
            task.started = times.to_ticks(outcome.started_at)
            task.ended = times.to_ticks(outcome.ended_at)
            node.total_tasks += 1
            node.succeeded_tasks += failure is None
        else:
            task.ended = at
        task.exit_code = outcome.exit_code
        job.record.move_task(task, TaskState.COMPLETED, task.ended, failure=failure)
        if task in node.recent:
            node.recent.remove(task)
        node.recent = [task, *node.recent][:_MOST_RECENT]
        if self.consequences is not None:
            self.consequences.watch_files(job, task)
        self.conclude(job, task)

    def conclude(self, job: JobRuntime, task: TaskRecord) -> None:
        """Act on a task that has just been completed, however that came about.

        Args:
            job: of the task.
            task: completed.
        """
        options: Mapping[str, Any] | None = None
        if "exitConditions" in task.spec:
            options = exit_options(task.spec["exitConditions"], task.exit_code, task.failure)
        if dependents_satisfied(options, task.failure):
            for key in job.record.satisfy(task.id):
                freed = job.record.tasks.get(key)
                if freed is not None and freed.state is TaskState.ACTIVE:
                    self.enqueue(job, freed)
        if self.consequences is None:
            return
        # A task that a user ended before it ran does not end its job (recorded).
        ended_unrun = task.failure == TASK_ENDED and task.exit_code is None
        if job.record.spec["onTaskFailure"] == "performexitoptionsjobaction" and not ended_unrun:
            action = job_action(options, task.failure)
            if action is not JobAction.NONE:
                self.consequences.act_on_failure(job, action)
        if job.record.kills_with(task):
            self.consequences.finish(job, "JMComplete")
        self.consequences.check_complete(job)

    @staticmethod
    def _rest(machine: Machine, at: int) -> None:
        if machine.attempts or machine.record.state is not NodeState.RUNNING:
            return
        machine.record.move(NodeState.IDLE if machine.record.scheduling else NodeState.OFFLINE, at)


def _never_started() -> Outcome:
    at = datetime.now(UTC)
    return Outcome(exit_code=None, failure=None, started_at=at, ended_at=at, lost=True)


def _no_such_user(name: str) -> Outcome:
    at = datetime.now(UTC)
    sentence = f"The user account {name} does not exist on the node"
    failure = {
        "category": "UserError",
        "code": "CommandLaunchFailed",
        "message": "The task could not be started as the user it names",
        "details": [{"name": "Message", "value": sentence}],
    }
    return Outcome(exit_code=None, failure=failure, started_at=at, ended_at=at)
