"""Every way in which the program ends, as exit codes and as the errors that lead to them."""

from __future__ import annotations

import enum


class ExitCode(enum.IntEnum):
    """What the program's exit code means."""

    DONE = 0
    FAILED = 1  # the input could not be read, or the output could not be written
    USAGE = 2  # the command line or the environment is wrong; argparse uses the same number
    NOT_UPLOADED = 3  # the work is done and the output is on the node, but it did not reach the container
    INTERRUPTED = 130  # Ctrl-C, as shells count it


class NodeTaskError(Exception):
    """The base of all errors: its text is the one line that stderr gets."""

    exit_code = ExitCode.FAILED


class FileError(NodeTaskError):
    """A file of the task cannot be read or written."""


class UsageError(NodeTaskError):
    """The command line or the environment asks for something that cannot be done."""

    exit_code = ExitCode.USAGE


class UploadError(NodeTaskError):
    """A blob could not be written. The message names it by its URL without the SAS."""

    exit_code = ExitCode.NOT_UPLOADED


def reason(error: OSError) -> str:
    """The system's words for an error, without the file name, which may be long or unprintable.

    Args:
        error: What the system raised.

    Returns:
        For example ``No such file or directory``.
    """
    return error.strerror or type(error).__name__
