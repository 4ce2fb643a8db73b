"""Goes on where an earlier run of the service ended, in order or not.

A restart is to pools and jobs what a lost node is to its tasks: what ran is over, and begins anew without a
trace in the counters. Only what a user had ordered to stop stops as ordered.
"""

from __future__ import annotations

from typing import Final

from orchestrator.local.batch.account import Account
from orchestrator.local.batch.execution import Outcome
from orchestrator.local.batch.persistence.loader import Loaded
from orchestrator.local.batch.runtime import JobRuntime, Machine, PoolRuntime
from orchestrator.local.batch.schedule_runs import ScheduleRuntime
from orchestrator.local.batch.scheduler import Fill, JobQueue, PoolSlots
from orchestrator.local.batch.store.outcomes import TASK_ENDED, Verdict, judge
from orchestrator.local.batch.store.records import JobRecord, PoolRecord, TaskRecord
from orchestrator.local.batch.store.states import AllocationState, JobState, NodeState, PoolState, TaskState
from orchestrator.local.wire import times

_NODE_STATES: Final = {
    NodeState.CREATING: NodeState.CREATING,
    NodeState.REIMAGING: NodeState.REIMAGING,
    NodeState.DEALLOCATING: NodeState.DEALLOCATED,
    NodeState.DEALLOCATED: NodeState.DEALLOCATED,
    NodeState.PREEMPTED: NodeState.CREATING,
    NodeState.LEAVING_POOL: NodeState.LEAVING_POOL,
}
"""How nodes are found again, where not `rebooting`. That is no move of the table: it is the service that was
away, not the node."""

_DOWN: Final = frozenset({NodeState.DEALLOCATED, NodeState.LEAVING_POOL})


def folders_to_keep(loaded: Loaded) -> frozenset[str]:
    """Tell which nodes of an earlier run have files that are still theirs.

    Args:
        loaded: records of that run.

    Returns:
        Names of the folders.
    """
    nodes = (node for pool in loaded.pools for node in pool.nodes)
    return frozenset(node.id for node in nodes if node.state not in _NODE_STATES)


def recover(account: Account, loaded: Loaded) -> None:
    """Put the records of an earlier run into an account, and let everything go on.

    Args:
        account: started and empty.
        loaded: that nobody has changed since it was read.
    """
    pools = [_place_pool(account, record) for record in loaded.pools]
    jobs = [_place_job(account, record) for record in sorted(loaded.jobs, key=lambda one: one.sequence)]
    by_key = {pool.key: pool for pool in pools}
    at = times.now()
    for job in jobs:
        account.preparations.after_restart(job, by_key)
        for task in [one for one in job.record.tasks if one.busy]:
            _take_back(account, job, task, at)
        for task in job.record.tasks:
            account.retention.watch(job, task)
        if job.record.state is not JobState.COMPLETED:
            for task in job.record.tasks:
                if task.state is TaskState.ACTIVE:
                    account.dispatch.enqueue(job, task)
    for pool in pools:
        _continue_pool(account, pool, at)
    for job in jobs:
        account.endings.resume(job)
    for schedule in loaded.schedules:
        account.restore_schedule(ScheduleRuntime(schedule))


def _place_pool(account: Account, record: PoolRecord) -> PoolRuntime:
    pool = PoolRuntime(record, PoolSlots(Fill(record.spec["taskSchedulingPolicy"]["nodeFillType"])))
    for node in record.nodes:
        pool.machines[node.id] = Machine(node, pool)
        pool.slots.add(node.id, node.slots)
    account.restore_pool(pool)
    return pool


def _place_job(account: Account, record: JobRecord) -> JobRuntime:
    queue = JobQueue(
        record.id.lower(),
        record.sequence,
        priority=record.spec["priority"],
        most_parallel=record.spec["maxParallelTasks"],
        open=record.state is JobState.ACTIVE,
    )
    job = JobRuntime(record, queue)
    account.restore_job(job)
    return job


def _take_back(account: Account, job: JobRuntime, task: TaskRecord, at: int) -> None:
    """Deal with a task whose attempt the end of the service ended, as with one whose node was lost."""
    now = times.to_datetime(at)
    verdict = judge(
        Outcome(exit_code=None, failure=None, started_at=now, ended_at=now, lost=True),
        ending=task.ending,
        retries=task.retry_count,
        most_retries=task.spec["constraints"]["maxTaskRetryCount"],
    )
    task.ending = None
    if verdict is Verdict.DROP:
        job.record.remove_task(task)
        return
    if verdict is Verdict.COMPLETE:
        task.ended, task.exit_code = at, None
        job.record.move_task(task, TaskState.COMPLETED, at, failure=TASK_ENDED)
        account.dispatch.conclude(job, task)
        return
    if verdict is Verdict.REQUEUE:
        task.requeue_count += 1
        task.last_requeue = at
    job.record.move_task(task, TaskState.ACTIVE, at)
    task.forget_run()


def _continue_pool(account: Account, pool: PoolRuntime, at: int) -> None:
    record = pool.record
    leaving = []
    for machine in pool.machines.values():
        node = machine.record
        if node.doomed or node.state is NodeState.LEAVING_POOL:
            leaving.append(machine)
        found = _NODE_STATES.get(node.state, NodeState.REBOOTING)
        if found is not node.state:
            node.state, node.state_since = found, at
        boots = found not in _DOWN and machine not in leaving and record.state is PoolState.ACTIVE
        account.allocation.resume(machine, boot=boots)
    if record.state is PoolState.DELETING:
        account.allocation.begin_deletion(pool)
    elif leaving or record.allocation is not AllocationState.STEADY:
        account.allocation.begin_resize(pool, "requeue", leaving)
        if record.allocation is AllocationState.STOPPING and pool.resize is not None:
            pool.resize.cancel()
