"""Whether what every kind of task has can be right: commands, environment, resource and output files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from orchestrator.spec.files import OutputFile, ResourceFile, UploadBy
from orchestrator.spec.job import JobHookSpec
from orchestrator.spec.place import Fault, at_index, at_key
from orchestrator.spec.placeholders import placeholder_problem
from orchestrator.spec.pool import StartTaskSpec
from orchestrator.spec.secret import SecretReference

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED = ("AZ_BATCH_", "ORCHESTRATOR_")
_MODE = re.compile(r"0?[0-7]{3,4}")
_WEB = re.compile(r"https?://[^/\s]+", re.IGNORECASE)


def environment_faults(environment: Mapping[str, str | SecretReference], place: str) -> Iterator[Fault]:
    """What can't be right in environment settings."""
    for name in environment:
        if not _NAME.fullmatch(name):
            yield Fault(
                at_key(place, name), "a variable's name is made of letters, digits and _, no digit first"
            )
        elif name.upper().startswith(_RESERVED):
            yield Fault(at_key(place, name), "names with AZ_BATCH_ or ORCHESTRATOR_ in front are taken")


def hook_faults(
    hook: JobHookSpec | StartTaskSpec,
    place: str,
    *,
    no_application: str | None,
    must_have_commands: bool = True,
) -> Iterator[Fault]:
    """What can't be right in a start, preparation or release task.

    Args:
        hook: the task.
        place: of the task.
        no_application: why `{application}` stands for nothing in its commands, None where it doesn't.
        must_have_commands: whether it is nothing without a command.
    """
    if must_have_commands and not hook.commands:
        yield Fault(f"{place}.commands", "give at least one command")
    for index, command in enumerate(hook.commands):
        here = at_index(f"{place}.commands", index)
        if not command.strip():
            yield Fault(here, "is empty")
        problem = placeholder_problem(
            command, in_shell=True, no_file="only tasks have one", no_application=no_application
        )
        if problem:
            yield Fault(here, problem)
    yield from environment_faults(hook.environment, f"{place}.environment")
    yield from resource_faults(hook.resource_files, f"{place}.resource_files")


def resource_faults(files: Sequence[str | ResourceFile], place: str) -> Iterator[Fault]:
    """What can't be right in resource files; whether local ones exist is not looked at."""
    for index, file in enumerate(files):
        here = at_index(place, index)
        if isinstance(file, str):
            if not file:
                yield Fault(here, "name a file")
        else:
            yield from _resource_faults(file, here)


def output_faults(files: Sequence[str | OutputFile], place: str, upload: UploadBy) -> Iterator[Fault]:
    """What can't be right in output files."""
    for index, file in enumerate(files):
        here = at_index(place, index)
        pattern = file if isinstance(file, str) else file.pattern
        where = here if isinstance(file, str) else f"{here}.pattern"
        if not pattern.strip():
            yield Fault(where, "give a pattern such as *.txt")
        elif pattern.startswith("/"):
            yield Fault(where, f'"{pattern}" is absolute; patterns are relative to the working directory')
        elif pattern.startswith("$") and not pattern.startswith("$AZ_BATCH_"):
            yield Fault(
                where, f'"{pattern}" begins with a variable that is none of the service\'s (AZ_BATCH_...)'
            )
        if isinstance(file, OutputFile):
            if file.path is not None and (problem := _relative_problem(file.path)):
                yield Fault(f"{here}.path", problem)
            if file.container_url is not None and upload is UploadBy.TASK:
                yield Fault(
                    f"{here}.container_url", 'with upload = "task" the program decides where outputs go'
                )


def _resource_faults(file: ResourceFile, place: str) -> Iterator[Fault]:
    sources = {
        "path": file.path,
        "http_url": file.http_url,
        "storage_container_url": file.storage_container_url,
    }
    given = [name for name, value in sources.items() if value is not None]
    if len(given) != 1:
        told = f"has {' and '.join(given)}" if given else "has no source"
        yield Fault(place, f"{told}; give one of path, http_url and storage_container_url")
        return
    (source,) = given
    value = sources[source]
    if source == "path" and not value:
        yield Fault(f"{place}.path", "name a file")
    if source != "path" and isinstance(value, str) and not _WEB.match(value):
        yield Fault(f"{place}.{source}", "is not an http or https address")
    if source == "http_url" and file.file_path is None:
        yield Fault(f"{place}.file_path", "is missing: say what the file is called on the node")
    if file.blob_prefix is not None and source != "storage_container_url":
        yield Fault(f"{place}.blob_prefix", "goes only with storage_container_url")
    if file.file_path is not None and (problem := _relative_problem(file.file_path)):
        yield Fault(f"{place}.file_path", problem)
    if file.file_mode is not None and not _MODE.fullmatch(file.file_mode):
        yield Fault(f"{place}.file_mode", f'"{file.file_mode}" is not an octal mode such as "0755"')


def _relative_problem(path: str) -> str | None:
    if not path.strip():
        return "is empty"
    pure = PurePosixPath(path)
    if pure.is_absolute():
        return f'"{path}" is absolute; it is relative to the folder on the node'
    if ".." in pure.parts:
        return f'"{path}" leads out of its folder'
    if not pure.parts:
        return f'"{path}" names no file'
    return None
