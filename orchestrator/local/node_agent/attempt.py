"""One run of one command: its phases, and what follows from the way it ended. No I/O.

Output files: the condition decides (`tasksuccess`: exit code 0, `taskfailure`: another, `taskcompletion`:
both, the default).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from . import failures
from .failures import Failure
from .users import User


class Phase(Enum):
    """Where an attempt is."""

    PREPARING = "preparing"
    """Its folder is made and its resource files come."""
    RUNNING = "running"
    """Its command runs."""
    SWEEPING = "sweeping"
    """Its command is over, what that left behind is being ended."""
    UPLOADING = "uploading"
    """Its output files go up."""
    ENDED = "ended"
    """Told to the service."""


MOVES: Mapping[Phase, frozenset[Phase]] = {
    Phase.PREPARING: frozenset({Phase.RUNNING, Phase.ENDED}),
    Phase.RUNNING: frozenset({Phase.SWEEPING}),
    Phase.SWEEPING: frozenset({Phase.UPLOADING, Phase.ENDED}),
    Phase.UPLOADING: frozenset({Phase.ENDED}),
    Phase.ENDED: frozenset(),
}


class Cancellable(Protocol):
    """A transfer that can be broken off."""

    def cancel(self) -> None:
        """Break off soon."""


@dataclass
class Attempt:
    """What the agent knows of one execution.

    Args:
        execution_id: the service's name for it.
        command_line: not split.
        directory: of the task, absolute.
        environment: the whole of it.
        resource_files: wire form.
        output_files: wire form.
        final: whether a failure is the last word, so that outputs go up.
        started_at: when it came.
        user: as whom it runs; None where users are not told apart.
        readable: whether other users may look into its folder.
        download_fault: how every download fails, if that is wanted: `trouble`, `reason`, `status`.
        upload_fault: likewise every upload.
        phase: see `move`.
        pid: of the command, and of its session.
        exit_code: of the command.
        failure: what will be told.
        killed: whether the service ended it.
        overdue: whether it ran past its limit.
        channel: of the transfer that runs.
        broken_off: whether that was told to stop.
        deadline: of the monotonic clock; what it means depends on the phase.
    """

    execution_id: str
    command_line: str
    directory: Path
    environment: dict[str, str]
    resource_files: Sequence[Mapping[str, Any]]
    output_files: Sequence[Mapping[str, Any]]
    final: bool
    started_at: datetime
    user: User | None = None
    readable: bool = False
    download_fault: Mapping[str, Any] | None = None
    upload_fault: Mapping[str, Any] | None = None
    phase: Phase = Phase.PREPARING
    pid: int | None = None
    exit_code: int | None = None
    failure: Failure | None = None
    killed: bool = False
    overdue: bool = False
    channel: Cancellable | None = None
    broken_off: bool = False
    deadline: float | None = None

    def move(self, phase: Phase) -> None:
        """Go to another phase.

        Args:
            phase: the next one.

        Raises:
            RuntimeError: if there is no such way; it tells the attempt's story.
        """
        if phase not in MOVES[self.phase]:
            raise RuntimeError(f"{self.execution_id}: {self.phase} can't become {phase} (pid {self.pid})")
        self.phase = phase

    def kill(self, failure: Failure) -> None:
        """Note that the service ended it: this is its failure whatever else happens, and nothing goes up."""
        if not self.killed:
            self.killed = True
            self.failure = failure

    def expire(self) -> None:
        """Note that it ran past its time limit."""
        self.overdue = True
        if self.failure is None:
            self.failure = failures.wall_clock_exceeded()

    def command_ended(self, exit_code: int) -> None:
        """Note the exit code; minus the number of the signal that ended it."""
        self.exit_code = exit_code
        if self.failure is None and exit_code != 0:
            self.failure = failures.failure_exit_code()

    @property
    def uploads(self) -> bool:
        """Whether output files go up now that the command is over.

        A time limit is not retried, so it is always the last word; who ended a task by hand wants it over.
        """
        return not self.killed and (self.exit_code == 0 or self.final or self.overdue)

    def uploaded(self, failure: Failure | None) -> None:
        """Note how the uploads went: an exit code other than 0 comes first."""
        if self.failure is None:
            self.failure = failure


def wanted(output_files: Sequence[Mapping[str, Any]], exit_code: int) -> list[Mapping[str, Any]]:
    """Give the output files whose condition holds.

    Args:
        output_files: wire form.
        exit_code: of the command.

    Returns:
        Those to upload, in order; the condition's case does not matter.
    """
    met = {"taskcompletion", "tasksuccess" if exit_code == 0 else "taskfailure"}
    return [
        file
        for file in output_files
        if str((file.get("uploadOptions") or {}).get("uploadCondition") or "taskcompletion").lower() in met
    ]
