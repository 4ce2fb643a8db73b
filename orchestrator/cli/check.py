"""`orchestrator check JOB`: what a run would stage and create; nothing is touched."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from orchestrator.cli.options import JobFile

if TYPE_CHECKING:
    from orchestrator.spec.planned import RunPlan

_TASKS_SHOWN = 10


def check(job: JobFile) -> None:
    """Check a job file and print what would be staged and created; nothing is created."""
    from orchestrator.cli.render.escape import shown
    from orchestrator.spec import load_job, new_run_id, plan_run

    plan = plan_run(load_job(job), new_run_id())
    for told in plan_lines(plan):
        sys.stdout.write(f"{shown(told)}\n")


def plan_lines(plan: RunPlan) -> Iterator[str]:
    """A plan as lines of text, their number bounded whatever the job's size.

    Args:
        plan: what is to be done.
    """
    from orchestrator.cli.render.status import amount
    from orchestrator.spec import input_container, output_container, planned_command

    spec, pool, cleanup = plan.spec, plan.spec.pool, plan.spec.cleanup
    yield f"job          {plan.job_id}: {len(plan.tasks)} tasks, priority {spec.priority}"
    if pool.must_exist:
        yield f"pool         {plan.pool_id}, which must exist"
    else:
        nodes = f"{pool.target_dedicated_nodes} dedicated and {pool.target_low_priority_nodes} spot nodes"
        image = f"{pool.image.publisher} {pool.image.offer} {pool.image.sku}" if pool.image else "no image"
        yield f"pool         {plan.pool_id}: {nodes} of {pool.vm_size}, {image}; created unless it is there"
    yield f"to stage     {len(plan.inputs)} files, {amount(sum(file.size for file in plan.inputs))}"
    for path in plan.application:
        yield f"application  {path}"
    yield f"containers   {input_container(plan.run_id)}, {output_container(plan.run_id)}"
    yield f"results      {plan.download_dir / plan.job_id}"
    yield f"time limit   {spec.timeout}"
    yield f"clean-up     containers {cleanup.containers}, job {cleanup.job}, pool {cleanup.pool}"
    # On the node the folder is named by the content, which only staging reads.
    application = "APPLICATION" if plan.application else None
    for task in plan.tasks[:_TASKS_SHOWN]:
        yield f"task         {task.id}: {planned_command(task, plan.run_id, application)}"
    if len(plan.tasks) > _TASKS_SHOWN:
        yield f"             ... and {len(plan.tasks) - _TASKS_SHOWN} more"
