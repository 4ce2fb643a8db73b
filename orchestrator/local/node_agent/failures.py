"""Every `failureInfo` that a node reports: one function per happening, with the service's category and code.

Codes and categories: the Batch error-code tables (resource files, output files, task errors). The
messages of `FailureExitCode`, `CommandProgramNotFound` and `FileUploadContainerNotFound` are those of
recorded exchanges with the real service; the others are our own words, since none is published. There is
no code spelled `ResourceFileError`.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from enum import Enum
from typing import Any

Failure = dict[str, Any]
"""A `failureInfo` object as it stands on the wire."""


class Category(Enum):
    """Whose fault it is, in the service's words."""

    USER = "UserError"
    SERVER = "ServerError"


class NodeFailure(Exception):  # noqa: N818  # it carries a failureInfo; that is the word of the wire
    """A step of an execution went wrong in a way that has a code of the service."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure['code']}: {failure['message']}")
        self.failure = failure


class Trouble(Enum):
    """What went wrong between the node and a server."""

    NOT_FOUND = "not_found"
    DENIED = "denied"
    CONFLICT = "conflict"
    TIMED_OUT = "timed_out"
    OTHER = "other"


def trouble_of_status(status: int) -> Trouble:
    """Sort an HTTP status into the troubles that have codes of their own.

    Args:
        status: of the last answer.

    Returns:
        The trouble; 408 and 504 are time-outs, 409 and 412 (a lease, a condition) conflicts.
    """
    if status in {404, 410}:
        return Trouble.NOT_FOUND
    if status in {401, 403}:
        return Trouble.DENIED
    if status in {409, 412}:
        return Trouble.CONFLICT
    if status in {408, 504}:
        return Trouble.TIMED_OUT
    return Trouble.OTHER


def failure(category: Category, code: str, message: str, details: Mapping[str, str] | None = None) -> Failure:
    """Build a `failureInfo`.

    Args:
        category: whose fault.
        code: of the service's tables.
        message: for people.
        details: name and value pairs; the message itself when there are none, as recorded.

    Returns:
        The wire object.
    """
    pairs = details if details is not None else {"Message": message}
    # File names may hold bytes that are no UTF-8; the wire can't.
    pairs = {name: value.encode("utf-8", "backslashreplace").decode() for name, value in pairs.items()}
    return {
        "category": category.value,
        "code": code,
        "message": message,
        "details": [{"name": name, "value": value} for name, value in pairs.items()],
    }


def failure_exit_code() -> Failure:
    """The command ended with an exit code other than 0, or by a signal."""
    return failure(
        Category.USER, "FailureExitCode", "The task exited with an exit code representing a failure"
    )


def command_program_not_found() -> Failure:
    """There is no such program: no process, no exit code."""
    return failure(
        Category.USER,
        "CommandProgramNotFound",
        "The specified command program is not found",
        {"Message": "The system cannot find the file specified"},
    )


def command_launch_failed(reason: str) -> Failure:
    """The program is there and could not be started, or the command line can't be split."""
    return failure(
        Category.USER,
        "CommandLaunchFailed",
        "The specified command could not be launched",
        {"Message": reason},
    )


def ended(code: str, message: str) -> Failure:
    """The service ended the execution, for a reason that it names."""
    return failure(Category.USER, code, message)


def wall_clock_exceeded() -> Failure:
    """The execution ran past `maxWallClockTime`.

    The code of newer agents is not public; `TaskEnded` is the documented one.
    """
    return failure(
        Category.USER,
        "TaskEnded",
        "The task was ended because it ran longer than its maximum wall clock time",
    )


_DOWNLOADS: Mapping[Trouble, tuple[Category, str, str]] = {
    Trouble.NOT_FOUND: (Category.USER, "BlobNotFound", "One of the specified resource files was not found"),
    Trouble.DENIED: (
        Category.USER,
        "BlobAccessDenied",
        "Access to one of the specified resource files was denied",
    ),
    Trouble.TIMED_OUT: (
        Category.SERVER,
        "BlobDownloadTimedOut",
        "The download of one of the specified resource files timed out",
    ),
    Trouble.OTHER: (
        Category.SERVER,
        "BlobDownloadMiscError",
        "One of the specified resource files could not be downloaded",
    ),
}

_LISTINGS: Mapping[Trouble, tuple[Category, str, str]] = {
    Trouble.NOT_FOUND: (
        Category.USER,
        "ResourceContainerNotFound",
        "One of the specified resource containers was not found",
    ),
    Trouble.DENIED: (
        Category.USER,
        "ResourceContainerAccessDenied",
        "Access to one of the specified resource containers was denied",
    ),
    Trouble.TIMED_OUT: (
        Category.SERVER,
        "ResourceContainerListTimedOut",
        "The listing of one of the specified resource containers timed out",
    ),
    Trouble.OTHER: (
        Category.SERVER,
        "ResourceContainerListMiscError",
        "One of the specified resource containers could not be listed",
    ),
}

_UPLOADS: Mapping[Trouble, tuple[Category, str, str]] = {
    Trouble.NOT_FOUND: (
        Category.USER,
        "FileUploadContainerNotFound",
        "One of the specified Azure container(s) was not found while attempting to upload an output file",
    ),
    Trouble.DENIED: (
        Category.USER,
        "FileUploadAccessDenied",
        "Access was denied while attempting to upload an output file",
    ),
    Trouble.CONFLICT: (
        Category.USER,
        "FileUploadConflict",
        "A conflict was encountered while attempting to upload an output file",
    ),
    Trouble.TIMED_OUT: (
        Category.SERVER,
        "FileUploadTimedOut",
        "The upload of an output file timed out",
    ),
    Trouble.OTHER: (
        Category.SERVER,
        "FileUploadMiscError",
        "An output file could not be uploaded",
    ),
}


def download_failure(trouble: Trouble, details: Mapping[str, str]) -> Failure:
    """A resource file did not come."""
    return failure(*_DOWNLOADS.get(trouble, _DOWNLOADS[Trouble.OTHER]), details)


def listing_failure(trouble: Trouble, details: Mapping[str, str]) -> Failure:
    """A container of resource files could not be listed."""
    return failure(*_LISTINGS.get(trouble, _LISTINGS[Trouble.OTHER]), details)


def upload_failure(trouble: Trouble, details: Mapping[str, str]) -> Failure:
    """An output file did not go up."""
    return failure(*_UPLOADS[trouble], details)


class DiskStep(Enum):
    """What was being done to the local disk for a resource file."""

    DIRECTORY = "ResourceDirectoryCreateFailed"
    CREATE = "ResourceFileCreateFailed"
    WRITE = "ResourceFileWriteFailed"


def disk_failure(step: DiskStep, file_path: str, error: OSError | str) -> Failure:
    """A resource file could not be put on the disk; no room left has a code of its own."""
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        code, message = "DiskFull", "There is not enough room on the node's disk"
    else:
        code, message = step.value, "A resource file could not be written on the node"
    reason = error if isinstance(error, str) else (error.strerror or type(error).__name__)
    return failure(Category.SERVER, code, message, {"FilePath": file_path, "Message": reason})
