"""Plans as bytes, for keeping: what a run was to do is known again after its program died."""

from __future__ import annotations

import hashlib
import itertools
from array import array
from pathlib import Path
from typing import Final

import msgspec

from orchestrator.spec.convert import decode_job, encode_job
from orchestrator.spec.input_files import InputFiles, Row
from orchestrator.spec.job import JobSpec
from orchestrator.spec.planned import PlannedTask, RunPlan, TaskInput
from orchestrator.spec.task import TaskFactory, TaskSettings
from orchestrator.spec.task_list import MadeTasks, TaskList

_VERSION = 3
"""1 had every task of a factory in it, 2 every file's whole path; both are read still."""
_AT_ONCE = 1000
"""Files that are values at a time: as values they take ten times as much as in their plan."""
_OF_FACTORY = -1


class _Made(msgspec.Struct, frozen=True, kw_only=True):
    """The tasks of a factory: what they are is in the job, and each one's file is told by its place."""

    count: int
    shared: tuple[TaskInput, ...]
    files: msgspec.Raw


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A plan as it is kept: settings that many tasks share stand once, in the job."""

    version: int
    run_id: str
    job_id: str
    pool_id: str
    download_dir: str
    spec: msgspec.Raw
    folders: tuple[str, ...] | None = None
    inputs: tuple[msgspec.Raw, ...]
    tasks: tuple[tuple[str, int, int, str | None, tuple[TaskInput, ...]], ...]
    made: _Made | None = None
    application: tuple[str, ...]
    start_task_inputs: tuple[TaskInput, ...]
    preparation_inputs: tuple[TaskInput, ...]
    release_inputs: tuple[TaskInput, ...]
    is_part: bool


_ROWS: Final = msgspec.json.Decoder(tuple[Row, ...])
_WHOLE: Final = msgspec.json.Decoder(tuple[str, int, int])
_KEPT: Final = msgspec.json.Decoder(_Kept)  # see orchestrator/spec/convert.py on threads


def encode_plan(plan: RunPlan) -> bytes:
    """A plan as JSON; secrets stay references.

    Args:
        plan: any.
    """
    spec = plan.spec
    full = {id(task): index for index, task in enumerate(spec.tasks)}
    made = plan.tasks.made if isinstance(plan.tasks, TaskList) else None
    files = InputFiles.of(plan.inputs)
    return msgspec.json.encode(
        _Kept(
            version=_VERSION,
            run_id=plan.run_id,
            job_id=plan.job_id,
            pool_id=plan.pool_id,
            download_dir=str(plan.download_dir),
            spec=msgspec.Raw(encode_job(spec)),
            folders=tuple(files.folders),
            inputs=_rows(files),
            tasks=tuple(
                (task.id, task.index, full.get(id(task.spec), _OF_FACTORY), task.input_name, task.inputs)
                for task in (plan.tasks.full if isinstance(plan.tasks, TaskList) else plan.tasks)
            ),
            made=None if made is None else _made(made),
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
    kept = _KEPT.decode(data)
    if not 1 <= kept.version <= _VERSION:
        raise ValueError(f"a plan of version {kept.version}, and {_VERSION} is known here")
    spec = decode_job(bytes(kept.spec))
    inputs = _inputs(kept)
    made: MadeTasks | None = None
    if kept.made is not None:
        made = MadeTasks(
            _factory(spec),
            run_id=kept.run_id,
            count=kept.made.count,
            shared=kept.made.shared,
            files=_files(bytes(kept.made.files)),
            inputs=inputs,
        )
    return RunPlan(
        run_id=kept.run_id,
        job_id=kept.job_id,
        pool_id=kept.pool_id,
        download_dir=Path(kept.download_dir),
        spec=spec,
        inputs=inputs,
        tasks=TaskList(
            [
                PlannedTask(
                    id=task_id,
                    index=index,
                    spec=_settings(spec, number),
                    input_name=input_name,
                    inputs=own,
                )
                for task_id, index, number, input_name, own in kept.tasks
            ],
            made,
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
    made = plan.tasks.made if isinstance(plan.tasks, TaskList) else None
    for task in plan.tasks.full if isinstance(plan.tasks, TaskList) else plan.tasks:
        told.update(f"\0{task.id}".encode())
    if made is not None:
        # The ids of the others follow from the factory.
        told.update(f"\0{made.ids.id(0)}\0{made.count}".encode())
    files = InputFiles.of(plan.inputs)
    for index, (_, _, size, modified_ns) in enumerate(files.rows()):
        told.update(f"\0{files.path(index)}\0{size}\0{modified_ns}".encode())
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


def _rows(files: InputFiles) -> tuple[msgspec.Raw, ...]:
    rows = files.rows()
    pieces = iter(lambda: list(itertools.islice(rows, _AT_ONCE)), [])
    return tuple(msgspec.Raw(msgspec.json.encode(piece)) for piece in pieces)


def _inputs(kept: _Kept) -> InputFiles:
    if kept.folders is not None:
        rows = itertools.chain.from_iterable(map(_ROWS.decode, kept.inputs))
        return InputFiles.of_rows(kept.folders, rows)
    inputs = InputFiles()
    for path, size, modified_ns in map(_WHOLE.decode, kept.inputs):
        inputs.add(path, size, modified_ns)
    return inputs


def _settings(spec: JobSpec, number: int) -> TaskSettings:
    if number != _OF_FACTORY:
        return spec.tasks[number]
    return _factory(spec)


def _factory(spec: JobSpec) -> TaskFactory:
    if spec.task_factory is None:
        raise ValueError("a plan with tasks of a factory, and without the factory")
    return spec.task_factory


def _made(made: MadeTasks) -> _Made:
    return _Made(
        count=made.count,
        shared=made.shared,
        files=msgspec.Raw(b"null" if made.files is None else msgspec.json.encode(list(made.files))),
    )


def _files(kept: bytes) -> array[int] | None:
    """By task, its file: not as a list, which takes four times as much for a number."""
    files = msgspec.json.decode(kept, type=list[int] | None)
    return None if files is None else array("I", files)
