"""A plan reduced to the tasks that failed in an earlier run: their list is read, and the rest left out."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from orchestrator.errors import SpecError
from orchestrator.spec.planned import RunPlan, TaskInput

_VERSION = 1


class _Entry(msgspec.Struct):
    task: str
    input: str | None = None


class _List(msgspec.Struct):
    version: int
    failed: list[_Entry]


_DECODER: Final = msgspec.json.Decoder(_List)


class FailedList(msgspec.Struct, frozen=True, kw_only=True):
    """What failed, as `failed.json` in a job's results tells it.

    Args:
        source: the file's name, with which the messages of its errors begin.
        tasks: ids.
        inputs: the absolute paths of the files that the tasks were made for; for tasks whose ids are not
            the same in every run.
    """

    source: str
    tasks: frozenset[str]
    inputs: frozenset[str]


def read_failed(path: Path) -> FailedList:
    """Read a list of what failed.

    Args:
        path: of a `failed.json`.

    Raises:
        SpecError: it can't be read, or is no such list.
    """
    where = str(path)
    try:
        read = _DECODER.decode(path.read_bytes())
    except OSError as error:
        raise SpecError(f"can't be read: {error.strerror}", where=where) from error
    except msgspec.MsgspecError as error:
        raise SpecError(f"is no list of failed tasks, as a run leaves it: {error}", where=where) from error
    if read.version != _VERSION:
        raise SpecError(f"is of version {read.version}, and this program reads {_VERSION}", where=where)
    return FailedList(
        source=where,
        tasks=frozenset(entry.task for entry in read.failed),
        inputs=frozenset(entry.input for entry in read.failed if entry.input is not None),
    )


def only_failed(plan: RunPlan, failed: FailedList) -> RunPlan:
    """The plan of a run of what failed: the same ids and places, without the other tasks and their files.

    A task is meant if its id is listed, or else the file that it is made for.

    Args:
        plan: of the whole job.
        failed: what failed.

    Returns:
        The smaller plan.

    Raises:
        SpecError: none of the job's tasks is listed.
    """
    tasks = tuple(
        task
        for task in plan.tasks
        if task.id in failed.tasks
        or (task.input_name is not None and str(plan.inputs[task.inputs[0][0]].path) in failed.inputs)
    )
    if not tasks:
        raise SpecError(f"none of the tasks of job {plan.job_id} is listed there", where=failed.source)
    hooks = (plan.start_task_inputs, plan.preparation_inputs, plan.release_inputs)
    needed = {index for inputs in (*hooks, *(task.inputs for task in tasks)) for index, _, _ in inputs}
    places = {index: place for place, index in enumerate(sorted(needed))}

    def moved(inputs: tuple[TaskInput, ...]) -> tuple[TaskInput, ...]:
        return tuple((places[index], name, mode) for index, name, mode in inputs)

    start_task, preparation, release = (moved(inputs) for inputs in hooks)
    return msgspec.structs.replace(
        plan,
        inputs=tuple(
            msgspec.structs.replace(plan.inputs[index], index=place) for index, place in places.items()
        ),
        tasks=tuple(msgspec.structs.replace(task, inputs=moved(task.inputs)) for task in tasks),
        start_task_inputs=start_task,
        preparation_inputs=preparation,
        release_inputs=release,
    )
