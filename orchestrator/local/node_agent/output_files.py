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
from .block_blobs import Upload, put_file, put_together
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

    Small files go up together. The logs of this are put last if they match, so that they tell of the others.

    Args:
        output_files: those that are wanted, in wire form.
        task_directory: holds `wd`.
        environment: of the task.
        channel: of this execution.

    Returns:
        The first failure in the order of the files, None if all went well.

    Raises:
        NodeFailure: if the logs can't be written.
        TransferCancelled: when the channel is cancelled.
    """
    try:
        with (
            (task_directory / LOG_NAME).open("w", encoding="utf-8", errors="backslashreplace") as out,
            (task_directory / ERROR_LOG_NAME).open("w", encoding="utf-8", errors="backslashreplace") as err,
        ):
            logs = _Logs(out, err)
            uploads: list[Upload] = []
            for output_file in output_files:
                uploads += _found(output_file, task_directory, environment, logs)
            any_order, in_order = _divide(uploads, task_directory)
            together = put_together([uploads[index] for index in any_order], channel)
            sizes: dict[int, int | None] = dict(zip(any_order, together, strict=True))
            failures = {
                index: _put(uploads[index], sizes.get(index), task_directory, channel, logs)
                for index in (*any_order, *in_order)
            }
    except OSError as error:
        reason = {"Message": error.strerror or type(error).__name__}
        raise NodeFailure(upload_failure(Trouble.OTHER, reason)) from error
    return next((failures[index] for index in range(len(uploads)) if failures[index]), None)


def _found(
    output_file: Mapping[str, Any], task_directory: Path, environment: Mapping[str, str], logs: _Logs
) -> list[Upload]:
    """Find what one specification matches."""
    pattern = output_file.get("filePattern") or ""
    container = (output_file.get("destination") or {}).get("container") or {}
    url = container.get("containerUrl") or ""
    headers = {header["name"]: header.get("value") or "" for header in container.get("uploadHeaders") or ()}
    matches = patterns.find(
        pattern, container.get("path"), working_directory=task_directory / "wd", environment=environment
    )
    logs.tell(f"{pattern}: {len(matches)} file(s)")
    return [Upload(match.path, url, match.blob_name, headers) for match in matches]


def _divide(uploads: Sequence[Upload], task_directory: Path) -> tuple[list[int], list[int]]:
    """Part what may go up in any order from what comes after it: what overwrites another, then the logs."""
    any_order: list[int] = []
    over: list[int] = []
    logs: list[int] = []
    seen: set[str] = set()
    for index, upload in enumerate(uploads):
        blob = f"{_plain(upload.container_url).rstrip('/')}/{upload.blob_name}"
        if _shown(upload, task_directory) in {LOG_NAME, ERROR_LOG_NAME}:
            logs.append(index)
        else:
            (over if blob in seen else any_order).append(index)
        seen.add(blob)
    return any_order, over + logs


def _put(
    upload: Upload, size: int | None, task_directory: Path, channel: Channel, logs: _Logs
) -> Failure | None:
    """Upload one file if it is not there yet, which its size tells, and tell how it went."""
    shown, container = _shown(upload, task_directory), _plain(upload.container_url)
    try:
        if size is None:
            size = put_file(upload, channel)
    except TransferError as error:
        logs.complain(f"{shown}: {error.trouble.value}: {error.reason}")
        details = {"FilePath": shown, "ContainerUrl": container, "BlobName": upload.blob_name}
        return upload_failure(error.trouble, details | error.details())
    except (OSError, ValueError) as error:
        # A ValueError quotes the address or header that can't be sent, which may hold a SAS.
        reason = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
        logs.complain(f"{shown}: {reason}")
        return upload_failure(Trouble.OTHER, {"FilePath": shown, "Message": reason})
    logs.tell(f"{shown}: {size} bytes to {container}/{upload.blob_name}")
    return None


def _shown(upload: Upload, task_directory: Path) -> str:
    return os.path.relpath(upload.path, task_directory)


def _plain(container_url: str) -> str:
    """Give a container's address without the SAS and a user and password; "" for one that is none."""
    try:
        parts = urlsplit(container_url)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
