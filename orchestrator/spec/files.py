"""Files that go to a node and files that come back."""

from __future__ import annotations

import enum

import msgspec

from orchestrator.spec.secret import SecretReference


class UploadCondition(enum.StrEnum):
    """When the node uploads an output file (REST: OutputFileUploadCondition)."""

    TASK_SUCCESS = "tasksuccess"
    TASK_FAILURE = "taskfailure"
    TASK_COMPLETION = "taskcompletion"


class UploadBy(enum.StrEnum):
    """Who uploads a task's outputs: the Batch service's agent, or the task's own program."""

    BATCH = "batch"
    TASK = "task"


class KeepLogs(enum.StrEnum):
    """Of which tasks stdout and stderr are uploaded and brought here: all, or those that failed."""

    ALWAYS = "always"
    ON_FAILURE = "on_failure"


class ResourceFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file, or a container's files, that the node downloads before the command starts.

    Exactly one of `path`, `http_url` and `storage_container_url` is given. In a job file a bare string is
    `path`. An address that carries a SAS is refused in a job file: give it as `{ secret = "env:NAME" }`.

    Args:
        path: a local file, relative to the job file; it is staged with the inputs.
        http_url: where the node gets the file.
        storage_container_url: a container all of whose blobs (below `blob_prefix`) the node gets.
        file_path: where it goes, relative to the task's working directory; for `path` its name by default.
        blob_prefix: only with a container.
        file_mode: octal, such as `0755`.
    """

    path: str | None = None
    http_url: str | SecretReference | None = None
    storage_container_url: str | SecretReference | None = None
    file_path: str | None = None
    blob_prefix: str | None = None
    file_mode: str | None = None


class OutputFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Files that are kept when the task ends. In a job file a bare string is `pattern`.

    Args:
        pattern: a glob relative to the working directory (`*_OUTPUT.txt`, `out/**/*.csv`).
        condition: when they are uploaded.
        path: folder below the task's results where a wildcard's matches go, or the name of a single file.
        container_url: somewhere else to upload to; such files are not downloaded.
    """

    pattern: str
    condition: UploadCondition = UploadCondition.TASK_COMPLETION
    path: str | None = None
    container_url: SecretReference | None = None
