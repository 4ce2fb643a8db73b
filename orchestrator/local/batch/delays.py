"""How long the service takes where the real one takes its time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Delays:
    """Seconds. With 0 every state is still passed through, in order.

    Args:
        allocation: of virtual machines, from `resizing` to `steady`.
        node_creation: in `creating`.
        node_start: in `starting`.
        node_removal: in `leavingpool`.
        node_reboot: in `rebooting`.
        pool_deletion: in `deleting`, once the nodes are gone.
        job_disabling: in `disabling`, once no task runs.
        job_termination: in `terminating`, once no task runs and the release tasks are over.
        job_deletion: in `deleting`, likewise.
        empty_job: from a job's creation with `onAllTasksComplete: terminatejob` until it ends for want of
        tasks.
            The one that is not 0: recorded clients add the first task after such a job.
    """

    allocation: float = 0.0
    node_creation: float = 0.0
    node_start: float = 0.0
    node_removal: float = 0.0
    node_reboot: float = 0.0
    pool_deletion: float = 0.0
    job_disabling: float = 0.0
    job_termination: float = 0.0
    job_deletion: float = 0.0
    empty_job: float = 2.0


NO_DELAYS = Delays()
