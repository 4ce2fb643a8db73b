"""A job of an earlier run's failed tasks: tasks of a completed job can't be made to run again. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

import msgspec

from orchestrator.spec import JobSpec, PlannedTask, RunPlan, TaskSpec
from orchestrator.spec.placeholders import Placeholder, PlaceholderKind, parse_command
from orchestrator.spec.task import TaskSettings

_SUFFIX = re.compile(r"-again(\d*)$")
_LONGEST_ID = 64


def again(plan: RunPlan, failed: Collection[str]) -> JobSpec:
    """The job that does these tasks again: each in full, under its own id, with its own file and index.

    Args:
        plan: of the run in which they failed.
        failed: their ids; others are left out.
    """
    job = plan.spec
    tasks = tuple(_in_full(plan, task) for task in plan.tasks if task.id in failed)
    # An id with {run} in it is fresh anyway; any other belongs to the job that is there already.
    job_id = job.id if "{run}" in job.id else next_id(job.id)
    return msgspec.structs.replace(job, id=job_id, tasks=tasks, task_factory=None)


def next_id(job_id: str) -> str:
    """The id of the next try of a job: `name-again`, `name-again2`, ...

    Args:
        job_id: of the try before.
    """
    match = _SUFFIX.search(job_id)
    suffix = f"-again{int(match[1] or 1) + 1}" if match else "-again"
    stem = job_id[: match.start()] if match else job_id
    return stem[: _LONGEST_ID - len(suffix)] + suffix


def _in_full(plan: RunPlan, task: PlannedTask) -> TaskSpec:
    settings: dict[str, Any] = {field: getattr(task.spec, field) for field in TaskSettings.__struct_fields__}
    settings["command_line"] = _with_index(task.spec.command_line, task.index, in_shell=task.spec.shell)
    file = str(plan.inputs[task.inputs[0][0]].path) if task.input_name is not None else None
    return TaskSpec(id=task.id, file=file, **settings)


def _with_index(template: str, index: int, *, in_shell: bool) -> str:
    """The command line with its index written out, since the task has another place in the new job."""
    parts = parse_command(template, in_shell=in_shell)
    if not any(isinstance(part, Placeholder) and part.kind is PlaceholderKind.INDEX for part in parts):
        return template
    return "".join(part if isinstance(part, str) else _written(part, index) for part in parts)


def _written(part: Placeholder, index: int) -> str:
    if part.kind is PlaceholderKind.INDEX:
        return format(index, part.format)
    return f"{{{part.kind.value}}}"
