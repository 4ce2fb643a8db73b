"""The states of the service's resources, and the snapshots it gives us: pure values.

Enum values are the wire's own strings; the wire's case varies (`Success`, `success`), so the border
(`accounts/snapshots.py`) compares without case. A state that the service adds later must not break a run: it
becomes `UNKNOWN`.
"""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Self

import msgspec


class _WireState(enum.StrEnum):
    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        lowered = str(value).lower()
        for member in cls:
            if member.value == lowered:
                return member
        return cls.__members__.get("UNKNOWN")


class TaskState(_WireState):
    """State of a task (REST: Task - Get)."""

    ACTIVE = "active"
    PREPARING = "preparing"
    RUNNING = "running"
    COMPLETED = "completed"
    UNKNOWN = "unknown"


class JobState(_WireState):
    """State of a job (REST: Job - Get)."""

    ACTIVE = "active"
    DISABLING = "disabling"
    DISABLED = "disabled"
    ENABLING = "enabling"
    TERMINATING = "terminating"
    COMPLETED = "completed"
    DELETING = "deleting"
    UNKNOWN = "unknown"


class PoolState(_WireState):
    """State of a pool (REST: Pool - Get)."""

    ACTIVE = "active"
    DELETING = "deleting"
    UNKNOWN = "unknown"


class AllocationState(_WireState):
    """Whether a pool is being resized. `steady` means that machines were allocated, not that nodes work."""

    STEADY = "steady"
    RESIZING = "resizing"
    STOPPING = "stopping"
    UNKNOWN = "unknown"


class NodeState(_WireState):
    """State of a compute node (REST: Compute Node - Get); the wire's `unknown` is `UNKNOWN`."""

    IDLE = "idle"
    REBOOTING = "rebooting"
    REIMAGING = "reimaging"
    RUNNING = "running"
    UNUSABLE = "unusable"
    CREATING = "creating"
    STARTING = "starting"
    WAITING_FOR_START_TASK = "waitingforstarttask"
    START_TASK_FAILED = "starttaskfailed"
    UNKNOWN = "unknown"
    LEAVING_POOL = "leavingpool"
    OFFLINE = "offline"
    PREEMPTED = "preempted"
    UPGRADING_OS = "upgradingos"
    DEALLOCATED = "deallocated"
    DEALLOCATING = "deallocating"


class RunState(enum.StrEnum):
    """Where a run is."""

    STAGING = "staging"
    PROVISIONING = "provisioning"
    SUBMITTING = "submitting"
    RUNNING = "running"
    SETTLING = "settling"
    CLEANING = "cleaning"
    FINISHED = "finished"


class RunOutcome(enum.StrEnum):
    """How a run ended; the command line's exit code follows from it."""

    SUCCEEDED = "succeeded"
    TASKS_FAILED = "tasks_failed"
    OUTPUTS_MISSING = "outputs_missing"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    TOO_MANY_FAILED = "too_many_failed"
    """The job's `max_failed_tasks` was reached, and the rest was given up."""
    ERROR = "error"


class FailureClass(enum.StrEnum):
    """Whose doing a failure is; see `tracker/failure_class.py`."""

    USER = "user"
    """The command, or what was asked for: it would fail again."""
    INFRASTRUCTURE = "infrastructure"
    """The node: its disk, its agent, its preparation."""
    STORAGE = "storage"
    """A file could not be brought to the node, or an output not away from it."""
    SERVICE = "service"
    UNKNOWN = "unknown"


class StallCode(enum.StrEnum):
    """Why nothing moves."""

    OUTAGE = "outage"
    POOL_MISSING = "pool_missing"
    POOL_UNKNOWN = "pool_unknown"
    POOL_DELETING = "pool_deleting"
    POOL_RESIZING = "pool_resizing"
    QUOTA = "quota"
    ALLOCATION_TIMEOUT = "allocation_timeout"
    RESIZE_ERROR = "resize_error"
    NO_NODES_WANTED = "no_nodes_wanted"
    NO_NODES_YET = "no_nodes_yet"
    NO_NODE_WORKS = "no_node_works"
    IMAGE_RETIRED = "image_retired"
    START_TASK_FAILED = "start_task_failed"
    NODE_UNUSABLE = "node_unusable"
    NODE_OFFLINE = "node_offline"
    NODE_NOT_READY = "node_not_ready"
    SCHEDULING_DISABLED = "scheduling_disabled"
    SAS_EXPIRED = "sas_expired"
    JOB_DISABLED = "job_disabled"
    JOB_ENDED = "job_ended"
    PREPARATION_FAILED = "preparation_failed"
    SLOTS_TOO_LARGE = "slots_too_large"
    DEPENDENCY_BLOCKED = "dependency_blocked"
    DEPENDENCY_MISSING = "dependency_missing"
    UNEXPLAINED = "unexplained"


class StallReason(msgspec.Struct, frozen=True, kw_only=True):
    """One reason why nothing moves.

    Args:
        code: for programs.
        text: what is wrong, as a sentence without its end.
        remedy: what to do about it; empty where waiting is all there is to do.
    """

    code: StallCode
    text: str
    remedy: str = ""


class TaskKey(msgspec.Struct, frozen=True, order=True, gc=False):
    """Names one task of one job."""

    job_id: str
    task_id: str


class FailureInfo(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Why something failed, in the service's words.

    Args:
        category: `usererror` or `servererror`, lower case whatever the wire sent.
        code: the service's code, such as `FailureExitCode` or `BlobNotFound`.
        message: the service's sentence.
        details: name/value pairs; addresses in them are shown without their query (it may hold a SAS).
    """

    category: str
    code: str
    message: str = ""
    details: tuple[tuple[str, str], ...] = ()


# No cycle can go through it, and a page has a thousand: the collector need not look at them.
class TaskSnapshot(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A task as the service describes it now.

    Args:
        state_changed: `stateTransitionTime` as an aware time.
        cursor: the same as the raw string, for the next `$filter` (an aware time has lost the 100 ns digit).
        succeeded: `executionInfo.result`; None until completed.
    """

    id: str
    state: TaskState
    state_changed: datetime
    cursor: str = ""
    previous_state: TaskState | None = None
    exit_code: int | None = None
    succeeded: bool | None = None
    failure: FailureInfo | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    retry_count: int = 0
    requeue_count: int = 0
    node_id: str | None = None


class WaitingTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task that waits to be run, with what it waits for.

    Args:
        id: of the task.
        required_slots: how many of a node's slots it takes.
        depends_on: ids of the tasks that must have succeeded before; ranges are left out.
    """

    id: str
    required_slots: int = 1
    depends_on: tuple[str, ...] = ()


class PreparationSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """How a job's preparation task went on a node (REST: Job - List Preparation And Release Task Status).

    Args:
        node_id: of the node.
        succeeded: None while it runs.
        exit_code: of the command; None if it never ran.
        failure: why it failed.
        retry_count: how often it was run again.
    """

    node_id: str
    succeeded: bool | None = None
    exit_code: int | None = None
    failure: FailureInfo | None = None
    retry_count: int = 0


class JobSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A job as the service describes it now."""

    id: str
    state: JobState
    pool_id: str | None = None
    terminate_reason: str | None = None
    failure: FailureInfo | None = None
    metadata: tuple[tuple[str, str], ...] = ()
    etag: str | None = None


class PoolSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A pool as the service describes it now.

    Args:
        resize_errors: of the last resize, present only while steady.
        start_task_command: the start task's command line, None where it has none.
        body: the whole wire body, for comparing what is wanted with what is there.
    """

    id: str
    state: PoolState
    allocation_state: AllocationState
    current_dedicated_nodes: int = 0
    target_dedicated_nodes: int = 0
    current_low_priority_nodes: int = 0
    target_low_priority_nodes: int = 0
    task_slots_per_node: int = 1
    vm_size: str = ""
    resize_errors: tuple[FailureInfo, ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()
    start_task_command: str | None = None
    etag: str | None = None
    body: dict[str, object] = {}


class NodeSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A compute node as the service describes it now."""

    id: str
    state: NodeState
    state_changed: datetime
    running_tasks: int = 0
    dedicated: bool = True
    scheduling_enabled: bool = True
    allocated_at: datetime | None = None
    errors: tuple[FailureInfo, ...] = ()
    start_task_failure: FailureInfo | None = None
    start_task_exit_code: int | None = None


class SupportedImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image that the service verified with a node agent (REST: Account - List Supported Images)."""

    publisher: str
    offer: str
    sku: str
    version: str
    node_agent_sku_id: str
    os_type: str
    verified: bool
    end_of_life: datetime | None = None


class ContainerSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A container of blobs.

    Args:
        name: of it.
        metadata: what it says of itself, the names in lower case, as headers have no case.
        modified: when it was last changed, to the second; what happens to its blobs does not count.
    """

    name: str
    metadata: tuple[tuple[str, str], ...] = ()
    modified: datetime | None = None


class BlobSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A blob in a container: its name, size in bytes, and MD5 where the blob has one."""

    name: str
    size: int
    md5: bytes | None = None
