"""Starts a command the way a node does: no shell, a session of its own, raw streams into files.

Facts: the program and its arguments are split with quotes respected and executed without a shell
(`/bin/bash -c "echo test"` prints `test`, recorded); corner cases are undocumented, `shlex` in POSIX mode
is the stand-in. A relative program path resolves against the working directory or PATH.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import signal
import stat
from collections.abc import Mapping
from pathlib import Path

from . import failures
from .users import User, acting_as

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
        places = [name]
    else:
        places = [f"{folder}/{name}" for folder in search_path.split(os.pathsep) if folder]
    refused = ""
    for place in places:
        candidate = os.path.join(working_directory, place)  # noqa: PTH118  # cheaper, for every task
        try:
            status = os.stat(candidate)  # noqa: PTH116  # as above
        except OSError as error:
            if error.errno not in {errno.ENOENT, errno.ENOTDIR}:
                refused = refused or (error.strerror or "")
            continue
        if stat.S_ISREG(status.st_mode) and os.access(candidate, os.X_OK, effective_ids=True):
            return str(Path(candidate))
        refused = refused or os.strerror(errno.EACCES)
    if refused:
        raise failures.NodeFailure(failures.command_launch_failed(refused))
    raise failures.NodeFailure(failures.command_program_not_found())


def spawn(
    words: list[str], *, task_directory: Path, environment: Mapping[str, str], user: User | None = None
) -> int:
    """Start a command in its own session, with `wd` as its working directory.

    `posix_spawn` has no way to set the working directory in Python, so the agent itself goes there first:
    nothing else in the agent uses relative paths.

    Args:
        words: program and arguments.
        task_directory: holds `wd`, `stdout.txt` and `stderr.txt`.
        environment: the whole of it.
        user: as whom it runs; None for the agent's own.

    Returns:
        The process id, which is also that of its group and session.

    Raises:
        NodeFailure: if it can't be started.
    """
    working_directory = task_directory / "wd"
    with acting_as(user):
        program = find_program(
            words[0], working_directory=working_directory, search_path=environment.get("PATH", os.defpath)
        )
    try:
        with acting_as(user):
            os.chdir(working_directory)
        if user is not None and user.uid != 0:
            return _spawn_as(user, program, words, task_directory, environment)
        return os.posix_spawn(
            program,
            words,
            environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, f"{task_directory}/stdout.txt", _OUTPUT_FLAGS, 0o644),
                (os.POSIX_SPAWN_OPEN, 2, f"{task_directory}/stderr.txt", _OUTPUT_FLAGS, 0o644),
            ],
            setsid=True,
            setsigmask=[],
            setsigdef=_DEFAULT_SIGNALS,
        )
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else str(error)) or type(error).__name__
        raise failures.NodeFailure(failures.command_launch_failed(reason)) from error


def _spawn_as(
    user: User, program: str, words: list[str], task_directory: Path, environment: Mapping[str, str]
) -> int:
    """Start a command as another user.

    `posix_spawn` can't change users. Python forks for it and never uses vfork: a child that shares the
    agent's memory must not be somebody else's. Measured, from a process as small as the agent: half the rate
    of `posix_spawn`, and more than by way of a helper program that changes users.
    """
    import subprocess  # noqa: PLC0415  # most nodes never need it

    with contextlib.ExitStack() as stack:
        streams = []
        with acting_as(user):
            for name in ("stdout.txt", "stderr.txt"):
                flags = _OUTPUT_FLAGS | os.O_NOFOLLOW | os.O_NONBLOCK  # nobody waits for a pipe's reader
                streams.append(os.open(task_directory / name, flags, 0o644))
                stack.callback(os.close, streams[-1])
        process = subprocess.Popen(
            words,
            executable=program,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=streams[0],
            stderr=streams[1],
            # Nothing in the agent is inheritable; looking for it would take the child time.
            close_fds=False,
            start_new_session=True,
            user=user.uid,
            group=user.gid,
            extra_groups=(),
        )
    # The agent's loop waits for it, and nobody else may.
    process.returncode = 0
    return process.pid
