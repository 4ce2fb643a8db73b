"""Whether the tasks that are wanted can be right."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.spec.check_work import environment_faults, output_faults, resource_faults
from orchestrator.spec.duration import Duration
from orchestrator.spec.ids import SAMPLE_RUN_ID, expand_id, id_problem
from orchestrator.spec.job import JobSpec
from orchestrator.spec.place import Fault, at_index
from orchestrator.spec.placeholders import placeholder_problem
from orchestrator.spec.task import TaskFactory, TaskSettings

MOST_TASKS = 10_000_000
"""Of a factory without files, where a slip of the pen would ask for more than any machine can hold."""

NO_APPLICATION = "list its files in [application]"
"""Why `{application}` stands for nothing in a job without one."""


def task_faults(job: JobSpec) -> Iterator[Fault]:
    """What can't be right in `tasks` and `task_factory`."""
    if not job.tasks and job.task_factory is None:
        yield Fault("tasks", "the job has nothing to do; give [task_factory] or at least one of [[tasks]]")
    seen: dict[str, int] = {}
    for index, task in enumerate(job.tasks):
        place = at_index("tasks", index)
        expanded = expand_id(task.id, run_id=SAMPLE_RUN_ID, index=index)
        problem = id_problem(expanded)
        if problem:
            yield Fault(f"{place}.id", problem)
        # The service keeps an id's case, and compares without it.
        first = seen.setdefault(expanded.lower(), index)
        if first != index:
            yield Fault(f"{place}.id", f'"{task.id}" is the id of tasks[{first}] too (case does not count)')
        if task.file == "":
            yield Fault(f"{place}.file", "name a file")
        yield from _settings_faults(job, task, place, has_file=task.file is not None)
    if job.task_factory is not None:
        yield from _factory_faults(job, job.task_factory)


def _factory_faults(job: JobSpec, factory: TaskFactory) -> Iterator[Fault]:
    patterns = factory.per_file
    if patterns is None:
        if factory.count is None:
            yield Fault("task_factory", "give per_file, such as data/*.txt, or count, how many tasks")
        elif not 1 <= factory.count <= MOST_TASKS:
            yield Fault("task_factory.count", f"must be from 1 to {MOST_TASKS:,}")
    elif factory.count is not None:
        yield Fault("task_factory.count", "the files of per_file say how many there are; give one of the two")
    elif isinstance(patterns, str):
        if not patterns:
            yield Fault("task_factory.per_file", "give a pattern such as data/*.txt")
    elif not patterns or not all(patterns):
        yield Fault("task_factory.per_file", "give at least one pattern, and none that is empty")
    problem = id_problem(expand_id(factory.id, run_id=SAMPLE_RUN_ID, index=0))
    if problem:
        yield Fault("task_factory.id", problem)
    yield from _settings_faults(job, factory, "task_factory", has_file=patterns is not None)


def _settings_faults(job: JobSpec, task: TaskSettings, place: str, *, has_file: bool) -> Iterator[Fault]:
    if not task.command_line.strip():
        yield Fault(f"{place}.command_line", "is empty")
    problem = placeholder_problem(
        task.command_line,
        in_shell=task.shell,
        no_file=None if has_file else "give the task a file",
        no_application=None if job.application.files else NO_APPLICATION,
    )
    if problem:
        yield Fault(f"{place}.command_line", problem)
    nothing = Duration.of(0)
    for name, value in (
        ("max_wall_clock_time", task.max_wall_clock_time),
        ("retention_time", task.retention_time),
    ):
        if value is not None and value <= nothing:
            yield Fault(f"{place}.{name}", "must be longer than nothing")
    if task.max_task_retry_count is not None and task.max_task_retry_count < -1:
        yield Fault(f"{place}.max_task_retry_count", "must be -1 (without limit), 0 or more")
    slots = job.pool.task_slots_per_node
    if task.required_slots < 1:
        yield Fault(f"{place}.required_slots", "must be 1 or more")
    elif task.required_slots > slots and not job.pool.must_exist:
        yield Fault(
            f"{place}.required_slots",
            f"{task.required_slots} slots are more than a node has (pool.task_slots_per_node is {slots})",
        )
    if "id" in task.rest:
        yield Fault(f"{place}.rest.id", f"give it as {place}.id")
    yield from environment_faults(task.environment, f"{place}.environment")
    yield from resource_faults(task.resource_files, f"{place}.resource_files")
    yield from output_faults(task.output_files, f"{place}.output_files", task.upload)
