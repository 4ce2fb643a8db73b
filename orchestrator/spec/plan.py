"""The plan of a run: patterns matched, files looked at, ids expanded, before anything is created."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from orchestrator.errors import SpecError
from orchestrator.spec.check import check_job
from orchestrator.spec.file_list import FileList
from orchestrator.spec.files import ResourceFile
from orchestrator.spec.glance import secret_references
from orchestrator.spec.ids import check_run_id, expand_id, expand_run, has_index, id_problem
from orchestrator.spec.job import JobSpec
from orchestrator.spec.matching import match_files, sorted_once
from orchestrator.spec.place import at_index, spec_error
from orchestrator.spec.planned import InputFile, PlannedTask, RunPlan, TaskInput
from orchestrator.spec.resolve import resolve
from orchestrator.spec.secret import SecretReference
from orchestrator.spec.task import TaskFactory
from orchestrator.spec.task_ids import TaskIds
from orchestrator.spec.task_list import MadeTasks, TaskList

__all__ = ["InputFile", "PlannedTask", "RunPlan", "TaskInput", "plan_checked", "plan_run"]


def plan_run(job: JobSpec, run_id: str, *, environ: Mapping[str, str] | None = None) -> RunPlan:
    """Plan a run: everything that can be wrong on this machine is found here.

    It looks at every file, which takes a while for many: call it in a thread.

    Args:
        job: what is wanted.
        run_id: for `{run}`; `new_run_id` makes one.
        environ: where secrets are looked up; this process's environment by default.

    Returns:
        The plan.

    Raises:
        SpecError: something can't be right, a file or a secret is missing; `.where` names the place.
    """
    check_run_id(run_id)  # the first to be told, since it is no part of the file
    check_job(job)
    return plan_checked(job, run_id, environ=environ)


def plan_checked(job: JobSpec, run_id: str, *, environ: Mapping[str, str] | None = None) -> RunPlan:
    """The same of a job that `parse_job` or `check_job` has found no fault with."""
    check_run_id(run_id)
    for place, reference in secret_references(job):
        _check_secret(job, place, reference, os.environ if environ is None else environ)
    return _Planner(job, run_id).plan()


def _check_secret(job: JobSpec, place: str, reference: SecretReference, environ: Mapping[str, str]) -> None:
    try:
        resolve(reference, environ, job.base_dir)
    except SpecError as error:
        raise spec_error(job.source, place, str(error)) from None


class _Planner:
    def __init__(self, job: JobSpec, run_id: str) -> None:
        self._job = job
        self._run_id = run_id
        self._files = FileList(job)

    def plan(self) -> RunPlan:
        job = self._job
        full = tuple(self._full_tasks())
        shared, files, count = self._factory_files()
        self._check_ids(full, count)
        start = job.pool.start_task
        hooks = (
            (start.resource_files if start else (), "pool.start_task.resource_files"),
            (job.preparation.resource_files if job.preparation else (), "preparation.resource_files"),
            (job.release.resource_files if job.release else (), "release.resource_files"),
        )
        start_task, preparation, release = (self._resources(each, place) for each, place in hooks)
        inputs, factory = self._files.listed(), job.task_factory
        made: MadeTasks | None = None
        if factory is not None:
            made = MadeTasks(
                factory, run_id=self._run_id, count=count, shared=shared, files=files, inputs=inputs
            )
        return RunPlan(
            run_id=self._run_id,
            job_id=self._checked_id(job.id, "id"),
            pool_id=self._checked_id(job.pool.id, "pool.id"),
            download_dir=self._download_dir(),
            spec=job,
            inputs=inputs,
            tasks=TaskList(full, made),
            application=self._files.application(),
            start_task_inputs=start_task,
            preparation_inputs=preparation,
            release_inputs=release,
        )

    def _full_tasks(self) -> Iterator[PlannedTask]:
        for index, task in enumerate(self._job.tasks):
            place = at_index("tasks", index)
            shared = self._resources(task.resource_files, f"{place}.resource_files")
            name = None
            inputs = shared
            if task.file is not None:
                file = self._files.add(task.file, f"{place}.file")
                name = self._files.name(file)
                self._check_free(name, shared, f"{place}.resource_files")
                inputs = ((file, name, None), *shared)
            yield PlannedTask(
                id=expand_id(task.id, run_id=self._run_id, index=index),
                index=index,
                spec=task,
                input_name=name,
                inputs=inputs,
            )

    def _factory_files(self) -> tuple[tuple[TaskInput, ...], array[int] | None, int]:
        """The files that all of the factory's tasks get, each one's own, and how many tasks it makes."""
        factory = self._job.task_factory
        if factory is None:
            return (), None, 0
        paths = self._matches(factory)
        count = len(paths) if factory.count is None else factory.count
        if count > 1 and not has_index(factory.id):
            raise self._error(
                "task_factory.id",
                f'{count} tasks would all be called "{factory.id}"; put {{index}} in it',
            )
        shared = self._resources(factory.resource_files, "task_factory.resource_files")
        if factory.per_file is None:
            return shared, None, count
        files = self._files.add_sorted(paths, "task_factory.per_file")
        for file in files if shared else ():
            self._check_free(self._files.name(file), shared, "task_factory.resource_files")
        return shared, files, count

    def _matches(self, factory: TaskFactory) -> list[str]:
        several = not isinstance(factory.per_file, str)
        patterns = (factory.per_file,) if isinstance(factory.per_file, str) else factory.per_file or ()
        found: list[str] = []
        for index, pattern in enumerate(patterns):
            place = "task_factory.per_file"
            place = at_index(place, index) if several else place
            try:
                matched = match_files(pattern, self._job.base_dir)
            except OSError as error:
                raise self._error(place, f"{error.filename} can't be read: {error.strerror}") from error
            if not matched:
                raise self._error(place, f'no file matches "{pattern}" (in {self._job.base_dir})')
            found = sorted_once(found + matched) if found else matched
        return found

    def _resources(self, files: Sequence[str | ResourceFile], place: str) -> tuple[TaskInput, ...]:
        inputs: list[TaskInput] = []
        for index, file in enumerate(files):
            here = at_index(place, index)
            path = file if isinstance(file, str) else file.path
            if path is None:
                continue
            added = self._files.add(path, here if isinstance(file, str) else f"{here}.path")
            target = self._files.name(added)
            mode = None
            if isinstance(file, ResourceFile):
                target, mode = file.file_path or target, file.file_mode
            self._check_free(target, inputs, here)
            inputs.append((added, target, mode))
        return tuple(inputs)

    def _check_free(self, target: str, taken: Sequence[TaskInput], place: str) -> None:
        if any(target == other for _, other, _ in taken):
            raise self._error(place, f'two files would be "{target}" on the node; give one another file_path')

    def _check_ids(self, tasks: Sequence[PlannedTask], made: int) -> None:
        factory = self._job.task_factory
        ids = TaskIds(factory.id, self._run_id) if factory is not None else None
        if ids is not None:
            # The first one shows what is odd in all of them, and the last is the longest.
            self._check_id(ids.id(0), "task_factory.id")
            self._check_id(ids.id(made - 1), "task_factory.id")
        seen: set[str] = set()
        for position, task in enumerate(tasks):
            self._check_id(task.id, f"{at_index('tasks', position)}.id")
            # The service keeps an id's case, and compares without it.
            lowered = task.id.lower()
            if lowered in seen:
                raise self._twice(task.id, f"{at_index('tasks', position)}.id")
            seen.add(lowered)
            if ids is None:
                continue
            index = ids.index(lowered, ignore_case=True)
            same = ids.id(index if index is not None and index < made else 0)
            if same.lower() == lowered:
                raise self._twice(same, "task_factory.id")

    def _check_id(self, task_id: str, place: str) -> None:
        problem = id_problem(task_id)
        if problem:
            raise self._error(place, problem)

    def _twice(self, task_id: str, place: str) -> SpecError:
        return self._error(place, f'two tasks are called "{task_id}" (case does not count)')

    def _checked_id(self, template: str, place: str) -> str:
        expanded = expand_run(template, self._run_id)
        problem = id_problem(expanded)
        if problem:
            raise self._error(place, problem)
        return expanded

    def _download_dir(self) -> Path:
        expanded = expand_run(self._job.download_dir, self._run_id)
        path = Path(os.path.abspath(Path(self._job.base_dir) / expanded))  # noqa: PTH100 - collapses ".."
        if path.exists() and not path.is_dir():
            raise self._error("download_dir", f"{path} is not a folder")
        return path

    def _error(self, place: str, message: str) -> SpecError:
        return spec_error(self._job.source, place, message)
