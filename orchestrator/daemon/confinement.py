"""Keeps jobs that others hand in away from the daemon's own files: what they read, and where they write."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from orchestrator.errors import SpecError
from orchestrator.spec.files import ResourceFile
from orchestrator.spec.glance import secret_references
from orchestrator.spec.job import JobSpec
from orchestrator.spec.place import at_index, spec_error
from orchestrator.spec.planned import RunPlan

_WILDCARD = re.compile(r"[*?\[]")


def confined(
    job: JobSpec, *, base_dir: Path, roots: tuple[Path, ...], results: Path, secrets: Iterable[str]
) -> JobSpec:
    """The job as the daemon will run it.

    Nothing is asked for on a terminal: the clean-up policy `ask` is `on_success` where nobody can be asked.

    Args:
        job: as it came.
        base_dir: what its relative paths are relative to.
        roots: folders below which it may read, real paths.
        results: where its results go, whatever its `download_dir` says.
        secrets: the references that it may make.

    Raises:
        SpecError: it names a file elsewhere, or a secret that is not its own; `.where` names the place.
    """
    for place, path in _paths(job):
        fixed = _fixed_part(path)
        if ".." in Path(path[len(fixed) :]).parts:
            raise spec_error(job.source, place, f'"{path}" has ".." after a wildcard')
        if not _below(base_dir / fixed, roots):
            raise spec_error(
                job.source, place, f'"{path}" is outside of what jobs may read here{_hint(roots)}'
            )
    allowed = set(secrets)
    for place, reference in secret_references(job):
        if reference.secret not in allowed:
            raise spec_error(
                job.source, place, f'"{reference.secret}" is not among the allowed_secrets of the daemon'
            )
    return msgspec.structs.replace(job, base_dir=str(base_dir), download_dir=str(results))


def check_plan(plan: RunPlan, roots: tuple[Path, ...]) -> None:
    """Make sure that what the patterns matched lies below the roots too: links lead anywhere.

    Raises:
        SpecError: a file is elsewhere.
    """
    for path in (*(file.path for file in plan.inputs), *plan.application):
        if not _below(path, roots):
            raise SpecError(f'"{path.name}" leads outside of what jobs may read here', where=plan.spec.source)


def safe_parts(name: str) -> tuple[str, ...] | None:
    """The parts of a relative path with forward slashes; None where it could lead out of its folder.

    Args:
        name: as a client gave it.
    """
    parts = tuple(name.split("/"))
    if not name or name.startswith("/") or "\\" in name or "\0" in name:
        return None
    if any(part in {"", ".", ".."} or _undecodable(part) for part in parts):
        return None
    return parts


def inside(folder: Path, relative: str) -> Path | None:
    """The file of that name below a folder; None where the name, or a link, leads out of it.

    Args:
        folder: whose files may be given out.
        relative: with forward slashes.
    """
    parts = safe_parts(relative)
    if parts is None:
        return None
    path = folder.joinpath(*parts)
    return path if _below(path, (Path(os.path.realpath(folder)),)) else None


def _undecodable(part: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in part)


def _paths(job: JobSpec) -> Iterator[tuple[str, str]]:
    """Every local path that the job names, with its place."""
    for index, path in enumerate(job.application.files):
        yield at_index("application.files", index), path
    if job.pool.start_task is not None:
        yield from _resources("pool.start_task", job.pool.start_task.resource_files)
    for name, hook in (("preparation", job.preparation), ("release", job.release)):
        if hook is not None:
            yield from _resources(name, hook.resource_files)
    for index, task in enumerate(job.tasks):
        place = at_index("tasks", index)
        if task.file is not None:
            yield f"{place}.file", task.file
        yield from _resources(place, task.resource_files)
    if job.task_factory is not None:
        per_file = job.task_factory.per_file or ()
        for pattern in (per_file,) if isinstance(per_file, str) else per_file:
            yield "task_factory.per_file", pattern
        yield from _resources("task_factory", job.task_factory.resource_files)


def _resources(place: str, files: tuple[str | ResourceFile, ...]) -> Iterator[tuple[str, str]]:
    for index, file in enumerate(files):
        path = file if isinstance(file, str) else file.path
        if path is not None:
            yield f"{place}.{at_index('resource_files', index)}", path


def _fixed_part(pattern: str) -> str:
    """The folders of a pattern before its first wildcard: what it can be confined by."""
    wildcard = _WILDCARD.search(pattern)
    if wildcard is None:
        return pattern
    return pattern[: pattern.rfind("/", 0, wildcard.start()) + 1]


def _below(path: Path, roots: tuple[Path, ...]) -> bool:
    real = Path(os.path.realpath(path))
    return any(real.is_relative_to(root) for root in roots)


def _hint(roots: tuple[Path, ...]) -> str:
    return " (send it with the job, or set inputs_root)" if len(roots) <= 1 else ""
