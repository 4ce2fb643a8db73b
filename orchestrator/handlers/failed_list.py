"""Lists what failed, in a file that a new run takes as its input."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Final

import anyio.to_thread
import msgspec
import structlog

from orchestrator.events import Event, JobSettled, TaskAbandoned, TaskFailed, TasksRejected
from orchestrator.states import FailureClass
from orchestrator.tracker import classify

log = structlog.get_logger()

NAME: Final = "failed.json"
_VERSION: Final = 1


class FailedTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task that failed, was given up, or was refused.

    Args:
        task: its id.
        input: the file that it was made for, absolute; None where it has none.
        cause: whose doing it was; None for a task that was given up.
        code: of the failure; `Abandoned` for a task that was given up.
        message: why.
        exit_code: of the command; None if it never ran.
    """

    task: str
    input: str | None
    cause: FailureClass | None
    code: str
    message: str
    exit_code: int | None = None


class FailedListHandler:
    """Writes `failed.json` into the job's results once the job is settled; removes that of an earlier run.

    Args:
        folder: of the job's results.
        input_path: gives the file that a task was made for, None where it has none.
    """

    name: ClassVar[str] = "failed-list"
    consumes: ClassVar[tuple[type[Event], ...]] = (TaskFailed, TaskAbandoned, TasksRejected, JobSettled)
    produces: ClassVar[tuple[type[Event], ...]] = ()

    def __init__(self, *, folder: Path, input_path: Callable[[str], Path | None]) -> None:
        self._folder = folder
        self._input_path = input_path
        self._failed: dict[str, FailedTask] = {}

    async def handle(self, event: Event, /) -> None:
        """Keep what failed; write it once nothing follows."""
        match event:
            case TaskFailed():
                failure = event.failure
                self._keep(
                    event.key.task_id,
                    cause=classify(failure),
                    code=failure.code if failure else "",
                    message=failure.message if failure else "",
                    exit_code=event.exit_code,
                )
            case TaskAbandoned():
                self._keep(event.key.task_id, cause=None, code="Abandoned", message=event.reason)
            case TasksRejected():
                for task_id, code, message in event.rejections:
                    self._keep(task_id, cause=FailureClass.SERVICE, code=code, message=message)
            case JobSettled():
                await anyio.to_thread.run_sync(self._write, event.run_id, event.job_id)
            case _:
                pass

    def _keep(
        self,
        task_id: str,
        *,
        cause: FailureClass | None,
        code: str,
        message: str,
        exit_code: int | None = None,
    ) -> None:
        path = self._input_path(task_id)
        self._failed[task_id] = FailedTask(
            task=task_id,
            input=str(path) if path is not None else None,
            cause=cause,
            code=code,
            message=message,
            exit_code=exit_code,
        )

    def _write(self, run_id: str, job_id: str) -> None:
        path = self._folder / NAME
        if not self._failed:
            path.unlink(missing_ok=True)
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        failed = sorted(self._failed.values(), key=lambda each: each.task)
        written = msgspec.json.format(
            msgspec.json.encode({"version": _VERSION, "run": run_id, "job": job_id, "failed": failed})
        )
        # Under another name first: whoever reads it never finds half of it.
        handle, partial = tempfile.mkstemp(dir=self._folder, prefix=f".{NAME}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(written + b"\n")
            Path(partial).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(partial).unlink()
            raise
        log.info("failed.listed", job=job_id, tasks=len(failed), path=str(path))
