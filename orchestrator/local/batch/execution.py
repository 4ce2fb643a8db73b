"""What the service tells a node to run, and what the node answers: the seam between the two."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

Wire = Mapping[str, Any]
"""A JSON object as it stands on the Batch wire (camelCase names)."""

POOL_USER = "pool"
"""One and the same on a node."""

TASK_USER = "task"
"""One for each task."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TransferFault:
    """How every transfer of an execution fails, on purpose.

    Args:
        trouble: `not_found`, `denied`, `conflict`, `timed_out` or `other`.
        reason: in the server's words.
        status: HTTP status of its answer; None for no answer.
    """

    trouble: str
    reason: str
    status: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Execution:
    """One run of one command on one node: a task attempt, or a start, preparation or release task.

    Args:
        execution_id: unique among the running executions of a node.
        command_line: as the user gave it; split without a shell.
        directory: of the task, relative to the node's root (`workitems/JOB/job-1/TASK`, `startup`).
        environment: the complete documented table and the user's own settings, already merged.
        resource_files: wire form, each with one of httpUrl or storageContainerUrl.
        output_files: wire form; empty for start, preparation and release tasks.
        max_wall_clock_seconds: limit counted from the start, downloads included; None is unlimited.
        elevated: run as administrator (only told apart with `--isolate-users`).
        user: else as whom: `POOL_USER`, `TASK_USER`, or `account:` and a named account's name.
        readable: whether other users may look into the folder, as into those of start and preparation tasks.
        final_attempt: whether a failure of this attempt is the last word, so that outputs go up.
        download_fault: what its downloads meet instead of a server, if they are to fail on purpose.
        upload_fault: what its uploads meet, likewise.
    """

    execution_id: str
    command_line: str
    directory: str
    environment: Mapping[str, str] = field(default_factory=dict)
    resource_files: tuple[Wire, ...] = ()
    output_files: tuple[Wire, ...] = ()
    max_wall_clock_seconds: float | None = None
    elevated: bool = False
    user: str = POOL_USER
    readable: bool = False
    final_attempt: bool = True
    download_fault: TransferFault | None = None
    upload_fault: TransferFault | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How an execution ended.

    Args:
        exit_code: of the process, minus the signal's number when one killed it, None if none ran.
        failure: wire form of `failureInfo` (category, code, message, details), None on success.
        started_at: aware UTC time at which the node began (before the downloads).
        ended_at: aware UTC time at which everything, uploads included, was over.
        lost: the node died under it: the work goes back to the queue without a trace.
    """

    exit_code: int | None
    failure: Wire | None
    started_at: datetime
    ended_at: datetime
    lost: bool = False

    @property
    def succeeded(self) -> bool:
        """Whether the service would report `result: success`."""
        return self.failure is None and not self.lost


class Node(Protocol):
    """A compute node as the service sees it: something with a root folder that runs commands."""

    @property
    def root(self) -> Path:
        """The folder that AZ_BATCH_NODE_ROOT_DIR names."""

    async def execute(self, execution: Execution, *, on_started: Callable[[datetime], None]) -> Outcome:
        """Run to the end and tell how it went; never raises for what the command does."""

    async def kill(self, execution_id: str, *, code: str, message: str) -> None:
        """End an execution and its whole process group; its Outcome carries this failure code."""

    async def remove(self, directory: str) -> None:
        """Delete a folder below the root, whoever owns the files in it."""

    async def died(self) -> bool:
        """Wait for the end of the node's process; tell whether it came without an order."""

    def lose(self) -> None:
        """Die at once, as a machine whose power fails: what runs comes back as lost."""

    async def close(self) -> None:
        """Kill everything that runs and end the node's process."""
