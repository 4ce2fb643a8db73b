"""Uploads a task's output files when its command has ended.

Facts: the condition decides (`tasksuccess`: exit code 0, `taskfailure`: another, `taskcompletion`: both,
the default), then patterns are expanded, then blobs are put. `fileuploadout.txt` and `fileuploaderr.txt`
exist before that, so that `../*.txt` matches them too (recorded). No match is not an error, for a literal
name neither. The container must exist.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urlsplit

from . import patterns
from .block_blobs import put_file
from .failures import Failure, NodeFailure, Trouble, upload_failure
from .transfer import Channel, TransferError

LOG_NAME = "fileuploadout.txt"
ERROR_LOG_NAME = "fileuploaderr.txt"


@dataclass(frozen=True)
class _Logs:
    out: TextIO
    err: TextIO

    def tell(self, text: str) -> None:
        self._write(self.out, text)

    def complain(self, text: str) -> None:
        self._write(self.err, text)

    @staticmethod
    def _write(file: TextIO, text: str) -> None:
        file.write(f"{datetime.now(UTC).isoformat()} {text}\n")
        file.flush()  # the logs may be the next files that go up


def upload_all(
    output_files: Sequence[Mapping[str, Any]],
    task_directory: Path,
    environment: Mapping[str, str],
    channel: Channel,
) -> Failure | None:
    """Upload everything that matches; one failure does not keep the others from being tried.

    Args:
        output_files: those that are wanted, in wire form.
        task_directory: holds `wd`.
        environment: of the task.
        channel: of this execution.

    Returns:
        The first failure, None if all went well.

    Raises:
        NodeFailure: if the logs can't be written.
        TransferCancelled: when the channel is cancelled.
    """
    first: Failure | None = None
    try:
        with (
            (task_directory / LOG_NAME).open("w", encoding="utf-8", errors="backslashreplace") as out,
            (task_directory / ERROR_LOG_NAME).open("w", encoding="utf-8", errors="backslashreplace") as err,
        ):
            logs = _Logs(out, err)
            for output_file in output_files:
                failure = _upload_one(output_file, task_directory, environment, channel, logs)
                first = first or failure
    except OSError as error:
        reason = {"Message": error.strerror or type(error).__name__}
        raise NodeFailure(upload_failure(Trouble.OTHER, reason)) from error
    return first


def _upload_one(
    output_file: Mapping[str, Any],
    task_directory: Path,
    environment: Mapping[str, str],
    channel: Channel,
    logs: _Logs,
) -> Failure | None:
    pattern = output_file.get("filePattern") or ""
    container = (output_file.get("destination") or {}).get("container") or {}
    url = container.get("containerUrl") or ""
    headers = {header["name"]: header.get("value") or "" for header in container.get("uploadHeaders") or ()}
    parts = urlsplit(url)
    plain = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"  # without the SAS
    matches = patterns.find(
        pattern, container.get("path"), working_directory=task_directory / "wd", environment=environment
    )
    logs.tell(f"{pattern}: {len(matches)} file(s)")
    first: Failure | None = None
    for match in matches:
        shown = os.path.relpath(match.path, task_directory)
        try:
            size = put_file(match.path, url, match.blob_name, headers, channel)
        except TransferError as error:
            logs.complain(f"{shown}: {error.trouble.value}: {error.reason}")
            details = {
                "FilePath": shown,
                "ContainerUrl": plain,
                "BlobName": match.blob_name,
            } | error.details()
            first = first or upload_failure(error.trouble, details)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            logs.complain(f"{shown}: {reason}")
            details = {"FilePath": shown, "Message": reason}
            first = first or upload_failure(Trouble.OTHER, details)
        else:
            logs.tell(f"{shown}: {size} bytes to {plain}/{match.blob_name}")
    return first
