"""Job files: read, decoded, checked, with every error naming its place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.errors import SpecError
from orchestrator.spec.check import job_faults
from orchestrator.spec.convert import to_job
from orchestrator.spec.document import decode_text, read_json, read_toml, value_faults
from orchestrator.spec.job import JobSpec
from orchestrator.spec.place import Fault, at_key, spec_error
from orchestrator.spec.translate import SET_BY_LOADING, translate, unknown_key

JOB_TABLE = (
    "environment",
    "max_failed_tasks",
    "max_task_retry_count",
    "max_wall_clock_time",
    "preparation",
    "priority",
    "release",
    "rest",
    "retries",
)
"""Keys of a job that may stand in a table `[job]` as well as at the top of the file."""

_SUFFIXES = (".toml", ".json")


def load_job(path: str | os.PathLike[str]) -> JobSpec:
    """Read a job file.

    Whether the files that it names exist is looked at later, by `plan_run`.

    Args:
        path: a `.toml` or a `.json` file; relative paths in it are relative to its folder.

    Returns:
        The job, checked.

    Raises:
        SpecError: it can't be read or can't be right; `.where` names the place.
    """
    file = Path(path)
    where = file.name or str(file)
    if file.suffix.lower() not in _SUFFIXES and not file.is_dir():
        raise SpecError("a job file's name ends in .toml or .json", where=where)
    try:
        data = file.read_bytes()
    except FileNotFoundError as error:
        raise SpecError(f"there is no such file: {file}", where=where) from error
    except IsADirectoryError as error:
        raise SpecError(f"is a folder, not a job file: {file}", where=where) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SpecError(f"can't be read: {reason}", where=where) from error
    return parse_job(data, base_dir=file.absolute().parent, where=where)


def parse_job(
    document: str | bytes | Mapping[str, Any],
    *,
    base_dir: str | os.PathLike[str] = ".",
    where: str = "job.toml",
) -> JobSpec:
    """Make a job of a job file's content.

    Args:
        document: the text, JSON where `where` ends in `.json` and TOML otherwise, or plain values.
        base_dir: what relative paths are relative to.
        where: the name with which messages begin.

    Returns:
        The job, checked.

    Raises:
        SpecError: it can't be right; `.where` names the place.
    """
    plain = _read(document, where)
    for fault in value_faults(plain):
        raise _error(where, fault)
    lifted, origins = _lift(plain, where)
    for key in sorted(SET_BY_LOADING & plain.keys()):
        raise _error(where, unknown_key(key))
    try:
        job = to_job(lifted)
    except msgspec.ValidationError as error:
        raise _error(where, translate(error), origins) from error
    job = msgspec.structs.replace(job, base_dir=str(Path(base_dir).absolute()), source=where)
    for fault in job_faults(job):
        raise _error(where, fault, origins)
    return job


def _read(document: str | bytes | Mapping[str, Any], where: str) -> Mapping[str, Any]:
    if isinstance(document, Mapping):
        return document
    text = decode_text(document, where) if isinstance(document, bytes) else document
    if not where.lower().endswith(".json"):
        return read_toml(text, where)
    read = read_json(text, where)
    if not isinstance(read, dict):
        raise SpecError("a job file is an object, with id and pool in it", where=where)
    return read


def _lift(plain: Mapping[str, Any], where: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Move what stands in the table `[job]` to the top; returns also where each moved key came from."""
    top = dict(plain)
    table = top.pop("job", {})
    origins: dict[str, str] = {}
    if not isinstance(table, Mapping):
        raise SpecError("is a table with the job's own settings", where=f"{where}: job")
    for key, value in table.items():
        place = at_key("job", key)
        if key not in JOB_TABLE:
            raise SpecError(f"unknown key; known are {', '.join(JOB_TABLE)}", where=f"{where}: {place}")
        if key in top:
            raise SpecError(f"is given twice: here and as {key} at the top", where=f"{where}: {place}")
        top[key] = value
        origins[key] = place
    return top, origins


def _error(where: str, fault: Fault, origins: Mapping[str, str] | None = None) -> SpecError:
    for key, origin in (origins or {}).items():
        if fault.place == key or fault.place.startswith((f"{key}.", f"{key}[")):
            return SpecError(fault.message, where=f"{where}: {origin}{fault.place[len(key) :]}")
    return spec_error(where, fault.place, fault.message)
