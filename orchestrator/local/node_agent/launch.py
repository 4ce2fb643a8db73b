"""Starts a command the way a node does: no shell, a session of its own, raw streams into files.

Facts: the program and its arguments are split with quotes respected and executed without a shell
(`/bin/bash -c "echo test"` prints `test`, recorded); corner cases are undocumented, `shlex` in POSIX mode
is the stand-in. A relative program path resolves against the working directory or PATH.
"""

from __future__ import annotations

import errno
import os
import shlex
import signal
import stat
from collections.abc import Mapping
from pathlib import Path

from . import failures

_OUTPUT_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND
# Python ignores SIGPIPE and SIGXFSZ; a task must not inherit that, nor what the agent does with the others.
_DEFAULT_SIGNALS = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGPIPE,
    signal.SIGTERM,
    signal.SIGCHLD,
    signal.SIGXFSZ,
)


def split(command_line: str) -> list[str]:
    """Split a command line into program and arguments.

    Args:
        command_line: as the user gave it.

    Returns:
        At least one word.

    Raises:
        NodeFailure: with `CommandLaunchFailed` if a quote is not closed, nothing is there, or a NUL is in it.
    """
    try:
        words = shlex.split(command_line, posix=True)
    except ValueError as error:
        raise failures.NodeFailure(failures.command_launch_failed(str(error))) from error
    if not words or not words[0]:
        raise failures.NodeFailure(failures.command_launch_failed("the command line is empty"))
    if "\0" in command_line:
        raise failures.NodeFailure(failures.command_launch_failed("the command line has a NUL character"))
    return words


def find_program(name: str, *, working_directory: Path, search_path: str) -> str:
    """Find the file that a command's first word names.

    Args:
        name: as given; with a slash in it, it is a path.
        working_directory: what relative paths are relative to.
        search_path: PATH of the task's environment.

    Returns:
        An absolute path.

    Raises:
        NodeFailure: with `CommandProgramNotFound` if there is none, `CommandLaunchFailed` if it may not
        be executed.
    """
    if "/" in name:
        candidates = [working_directory / name]
    else:
        candidates = [working_directory / folder / name for folder in search_path.split(os.pathsep) if folder]
    refused = ""
    for candidate in candidates:
        try:
            status = candidate.stat()
        except OSError as error:
            if error.errno not in {errno.ENOENT, errno.ENOTDIR}:
                refused = refused or (error.strerror or "")
            continue
        if stat.S_ISREG(status.st_mode) and os.access(candidate, os.X_OK):
            return str(candidate)
        refused = refused or os.strerror(errno.EACCES)
    if refused:
        raise failures.NodeFailure(failures.command_launch_failed(refused))
    raise failures.NodeFailure(failures.command_program_not_found())


def spawn(words: list[str], *, task_directory: Path, environment: Mapping[str, str]) -> int:
    """Start a command in its own session, with `wd` as its working directory.

    `posix_spawn` has no way to set the working directory in Python, so the agent itself goes there first:
    nothing else in the agent uses relative paths.

    Args:
        words: program and arguments.
        task_directory: holds `wd`, `stdout.txt` and `stderr.txt`.
        environment: the whole of it.

    Returns:
        The process id, which is also that of its group and session.

    Raises:
        NodeFailure: if it can't be started.
    """
    working_directory = task_directory / "wd"
    program = find_program(
        words[0], working_directory=working_directory, search_path=environment.get("PATH", os.defpath)
    )
    try:
        os.chdir(working_directory)
        return os.posix_spawn(
            program,
            words,
            environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(task_directory / "stdout.txt"), _OUTPUT_FLAGS, 0o644),
                (os.POSIX_SPAWN_OPEN, 2, str(task_directory / "stderr.txt"), _OUTPUT_FLAGS, 0o644),
            ],
            setsid=True,
            setsigmask=[],
            setsigdef=_DEFAULT_SIGNALS,
        )
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else str(error)) or type(error).__name__
        raise failures.NodeFailure(failures.command_launch_failed(reason)) from error
