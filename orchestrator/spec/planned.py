"""The values of a plan: what a run will stage and submit, known before anything is created."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec

from orchestrator.spec.job import JobSpec
from orchestrator.spec.task import TaskSettings

TaskInput: TypeAlias = tuple[int, str, str | None]
"""A staged file on a node: the index of its `InputFile`, its path there, its mode (octal) or None."""


# No cycle can go through these, and a run may have a hundred thousand: the collector need not look at them.
class InputFile(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A local file that the run stages, once however many tasks get it.

    Args:
        index: its place in the plan's `inputs`.
        path: absolute.
        name: the last part of the path.
        size: in bytes, when the plan was made.
        modified_ns: when it was last changed, in nanoseconds since the epoch; 0 where nobody looked.
    """

    index: int
    path: Path
    name: str
    size: int
    modified_ns: int = 0


class PlannedTask(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A task as it will be submitted, except for its addresses.

    Args:
        id: expanded.
        index: what `{index}` stands for: counts from 0 in the factory, and from 0 in `tasks`.
        spec: its settings, shared by all tasks of a factory.
        input_name: what `{file}` stands for, None where there is no file.
        inputs: the staged files it gets.
    """

    id: str
    index: int
    spec: TaskSettings
    input_name: str | None
    inputs: tuple[TaskInput, ...]


class RunPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is known of a run before anything is created.

    Args:
        run_id: of the run.
        job_id: expanded.
        pool_id: expanded.
        download_dir: absolute, expanded; the job's folder goes below it.
        spec: what was asked for.
        inputs: the local files to stage, each once.
        tasks: the tasks in full, then those of the factory.
        application: the application's files and package folders.
        start_task_inputs: which staged files the start task gets; nodes need them as long as the pool lives.
        preparation_inputs: which staged files the job preparation task gets.
        release_inputs: which staged files the job release task gets.
        is_part: whether it has only some of the job's tasks, so that results of others are not stale.
    """

    run_id: str
    job_id: str
    pool_id: str
    download_dir: Path
    spec: JobSpec
    inputs: Sequence[InputFile]
    tasks: Sequence[PlannedTask]
    application: tuple[Path, ...] = ()
    start_task_inputs: tuple[TaskInput, ...] = ()
    preparation_inputs: tuple[TaskInput, ...] = ()
    release_inputs: tuple[TaskInput, ...] = ()
    is_part: bool = False
