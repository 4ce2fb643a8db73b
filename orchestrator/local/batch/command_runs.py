"""Runs start, preparation and release tasks: once, and again while retries are left."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from orchestrator.local.batch.execution import Execution
from orchestrator.local.batch.runtime import Machine
from orchestrator.local.batch.store.outcomes import EXIT_CODE_FAILURE
from orchestrator.local.batch.store.records import CommandRun
from orchestrator.local.wire import times

_ids = itertools.count(1)


async def run_command(
    machine: Machine,
    run: CommandRun,
    make: Callable[[str], Execution],
    *,
    most_retries: int,
    job_key: str = "",
) -> bool:
    """Run a command to its end.

    Args:
        machine: where; it has a process.
        run: told as it goes on.
        make: makes the Execution for an execution id.
        most_retries: allowed; -1 for any number.
        job_key: of the job that it belongs to, by which it can be stopped; "" for none.

    Returns:
        Whether it ended well; False also when the node went away or the command was stopped.
    """
    while machine.node is not None:
        execution_id = f"command-{next(_ids)}"
        machine.commands[execution_id] = job_key
        try:
            outcome = await machine.node.execute(
                make(execution_id), on_started=lambda at: setattr(run, "started", times.to_ticks(at))
            )
        finally:
            stopped = machine.commands.pop(execution_id, None) is None
        if outcome.lost or machine.leaving.is_set():
            return False
        failure = outcome.failure
        again = failure is not None and failure["code"] == EXIT_CODE_FAILURE and not stopped
        if again and (most_retries < 0 or run.retry_count < most_retries):
            run.retry_count += 1
            run.last_retry = times.now()
            continue
        run.started = times.to_ticks(outcome.started_at)
        run.exit_code = outcome.exit_code
        run.failure = failure
        run.ended = times.to_ticks(outcome.ended_at)
        return run.succeeded
    return False


async def stop_commands(machine: Machine, job_key: str) -> None:
    """Stop a job's preparation and release tasks on a node.

    Args:
        machine: where.
        job_key: whose; "" for the start task.
    """
    for execution_id in [one for one, key in machine.commands.items() if key == job_key]:
        # Taken out first: that is how run_command learns not to try again.
        del machine.commands[execution_id]
        if machine.node is not None:
            await machine.node.kill(execution_id, code="TaskEnded", message="Task Was Ended by User Request")
