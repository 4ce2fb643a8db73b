"""Plans as bytes, for keeping: what a run was to do is known again after its program died."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from orchestrator.spec.convert import decode_job, encode_job
from orchestrator.spec.job import JobSpec
from orchestrator.spec.planned import InputFile, PlannedTask, RunPlan, TaskInput
from orchestrator.spec.task import TaskSettings

_VERSION = 1
_OF_FACTORY = -1


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A plan as it is kept: settings that many tasks share stand once, in the job."""

    version: int
    run_id: str
    job_id: str
    pool_id: str
    download_dir: str
    spec: msgspec.Raw
    inputs: tuple[tuple[str, int, int], ...]
    tasks: tuple[tuple[str, int, int, str | None, tuple[TaskInput, ...]], ...]
    application: tuple[str, ...]
    start_task_inputs: tuple[TaskInput, ...]
    preparation_inputs: tuple[TaskInput, ...]
    release_inputs: tuple[TaskInput, ...]
    is_part: bool


def encode_plan(plan: RunPlan) -> bytes:
    """A plan as JSON; secrets stay references.

    Args:
        plan: any.
    """
    spec = plan.spec
    full = {id(task): index for index, task in enumerate(spec.tasks)}
    return msgspec.json.encode(
        _Kept(
            version=_VERSION,
            run_id=plan.run_id,
            job_id=plan.job_id,
            pool_id=plan.pool_id,
            download_dir=str(plan.download_dir),
            spec=msgspec.Raw(encode_job(spec)),
            inputs=tuple((str(file.path), file.size, file.modified_ns) for file in plan.inputs),
            tasks=tuple(
                (task.id, task.index, full.get(id(task.spec), _OF_FACTORY), task.input_name, task.inputs)
                for task in plan.tasks
            ),
            application=tuple(map(str, plan.application)),
            start_task_inputs=plan.start_task_inputs,
            preparation_inputs=plan.preparation_inputs,
            release_inputs=plan.release_inputs,
            is_part=plan.is_part,
        )
    )


def decode_plan(data: bytes) -> RunPlan:
    """The plan that `encode_plan` wrote.

    Raises:
        msgspec.DecodeError: the data is none of its writing.
        ValueError: another version wrote it.
    """
    kept = msgspec.json.decode(data, type=_Kept)
    if kept.version != _VERSION:
        raise ValueError(f"a plan of version {kept.version}, and {_VERSION} is known here")
    spec = decode_job(bytes(kept.spec))
    return RunPlan(
        run_id=kept.run_id,
        job_id=kept.job_id,
        pool_id=kept.pool_id,
        download_dir=Path(kept.download_dir),
        spec=spec,
        inputs=tuple(
            InputFile(index=index, path=Path(path), name=Path(path).name, size=size, modified_ns=modified)
            for index, (path, size, modified) in enumerate(kept.inputs)
        ),
        tasks=tuple(
            PlannedTask(
                id=task_id,
                index=index,
                spec=_settings(spec, number),
                input_name=input_name,
                inputs=inputs,
            )
            for task_id, index, number, input_name, inputs in kept.tasks
        ),
        application=tuple(map(Path, kept.application)),
        start_task_inputs=kept.start_task_inputs,
        preparation_inputs=kept.preparation_inputs,
        release_inputs=kept.release_inputs,
        is_part=kept.is_part,
    )


def fingerprint(plan: RunPlan) -> str:
    """What tells whether two plans are of the same job with the same inputs, whatever their runs are called.

    Not the content of the files, which takes too long to read, but their names, sizes and times.

    Args:
        plan: any.

    Returns:
        Hexadecimal.
    """
    # Where the job file lies says nothing: what it asks for is in the absolute paths of the files.
    spec = msgspec.structs.replace(plan.spec, source="", base_dir="")
    told = hashlib.sha256(encode_job(spec))
    for task in plan.tasks:
        told.update(f"\0{task.id}".encode())
    for file in plan.inputs:
        told.update(f"\0{file.path}\0{file.size}\0{file.modified_ns}".encode())
    for path in plan.application:
        told.update(f"\0{path}\0{_looked_at(path)}".encode())
    return told.hexdigest()


def _looked_at(path: Path) -> str:
    """Size and time of a file, or of every file of a package folder; what goes away meanwhile is left out."""
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    seen = []
    for file in files:
        try:
            found = file.stat()
        except OSError:
            continue
        seen.append(f"{file}:{found.st_size}:{found.st_mtime_ns}")
    return ";".join(seen)


def _settings(spec: JobSpec, number: int) -> TaskSettings:
    if number != _OF_FACTORY:
        return spec.tasks[number]
    if spec.task_factory is None:
        raise ValueError("a plan with tasks of a factory, and without the factory")
    return spec.task_factory
