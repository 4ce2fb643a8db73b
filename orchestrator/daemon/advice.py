"""What to do about a task that failed: decided from its class, its code and its exit code. Pure."""

from __future__ import annotations

from typing import Final

from orchestrator.states import FailureClass, FailureInfo

_KILLED: Final = frozenset({-9, 137})
"""SIGKILL, as the service tells it and as a shell does."""

_NOT_FOUND: Final = 127
"""What a shell says of a program that it does not know."""

_BY_CODE: Final = {
    "CommandProgramNotFound": "The program is not on the node: install it in the pool's start task, bring it "
    "as the application, or name its whole path.",
    "CommandLaunchFailed": "The command could not be started: look at its spelling, and whether its program "
    "may be executed on the node.",
    "TaskEnded": "It was ended before it was done: by its max_wall_clock_time, or by somebody. If it needs "
    "longer, raise the limit.",
    "DiskFull": "The node's disk is full: fewer task_slots_per_node, a shorter retention_time, or a vm_size "
    "with a larger disk.",
}
_BY_CLASS: Final = {
    FailureClass.USER: "The command itself failed, and would again: its stderr should say why. Correct it or "
    "its input, and do the failed tasks again.",
    FailureClass.INFRASTRUCTURE: "The node failed, not the command: do the failed tasks again; with "
    "retries.infrastructure in the job file that happens by itself.",
    FailureClass.STORAGE: "A file could not be brought to the node or away from it: see whether it exists "
    "and is named as in the job file, then do the failed tasks again.",
    FailureClass.SERVICE: "The service failed, not the command: do the failed tasks again; with "
    "retries.service in the job file that happens by itself.",
    FailureClass.UNKNOWN: "Nobody says why: its stderr may, and so may the node.",
}
_KILLED_TOLD: Final = (
    "The command was killed, most often for want of memory: fewer task_slots_per_node, or a larger vm_size."
)
_NOT_FOUND_TOLD: Final = (
    "The shell did not find the program: install it in the pool's start task, or name its whole path."
)


def advice(failure_class: FailureClass, failure: FailureInfo | None, exit_code: int | None) -> str:
    """What to do about a failed task, in a sentence or two.

    Args:
        failure_class: from `tracker.failure_class.classify`.
        failure: in the service's words; None where it gave no reason.
        exit_code: of the command, minus the signal's number when one killed it; None if it never ran.
    """
    if failure is not None and failure.code in _BY_CODE:
        return _BY_CODE[failure.code]
    if exit_code in _KILLED:
        return _KILLED_TOLD
    if exit_code == _NOT_FOUND:
        return _NOT_FOUND_TOLD
    return _BY_CLASS[failure_class]
