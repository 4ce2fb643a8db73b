"""What can go wrong: one frozen value a kind, as it stands in a script.

Each kind knows its places: the operations of the Batch API, by their names in the routes table, or one of the
happenings below that no request stands for.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Final

import msgspec

ALLOCATE: Final = "allocate"
"""A resize that needs nodes takes its decision."""
BOOT_NODE: Final = "boot_node"
"""A node is about to start."""
START_TASK: Final = "start_task"
"""A start task, or its retry, is about to run on a node."""
RUN_TASK: Final = "run_task"
"""A task, or its retry, or a preparation or release task, is about to run on a node."""
BLOB_DOWNLOAD: Final = "blob_download"
"""A command with resource files is about to fetch them."""
BLOB_UPLOAD: Final = "blob_upload"
"""A task with output files is about to run; what is decided holds when they go up."""
POOL_DELETION: Final = "pool_deletion"
"""A pool whose nodes are gone is about to go."""
JOB_DELETION: Final = "job_deletion"
"""A job that has ended is about to go."""

HAPPENINGS: Final = frozenset(
    {ALLOCATE, BOOT_NODE, START_TASK, RUN_TASK, BLOB_DOWNLOAD, BLOB_UPLOAD, POOL_DELETION, JOB_DELETION}
)

ANY_OPERATION: Final[frozenset[str]] = frozenset()
"""The places of a kind that every request may meet."""


class Kind(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What all kinds have."""

    places: ClassVar[frozenset[str]] = ANY_OPERATION


class Refuse(Kind, frozen=True, tag="refuse"):
    """The request is refused before anything is done.

    Args:
        status: HTTP status; by default that of the code, else 503.
        code: of the error; by default the usual one of the status.
        retry_after: seconds, for the `Retry-After` header; None sends none.
    """

    status: int | None = None
    code: str | None = None
    retry_after: int | None = None


class TimeOutAfterWork(Kind, frozen=True, tag="time_out_after_work"):
    """The work is done, and the answer is 500 `OperationTimedOut`.

    Args:
        seconds: that pass between the two; the real service takes 30.
    """

    seconds: float = 0.0


class DropAnswer(Kind, frozen=True, tag="drop_answer"):
    """The work is done, and the connection is closed without an answer."""


class ResetConnection(Kind, frozen=True, tag="reset_connection"):
    """Nothing is done, and the connection is reset."""


class Slow(Kind, frozen=True, tag="slow"):
    """The answer takes its time: the work is done, then it waits.

    Args:
        seconds: that it waits.
    """

    seconds: float


class CollectionOutcome(StrEnum):
    """What becomes of the tasks of a collection that are not added."""

    SERVER_ERROR = "servererror"
    CLIENT_ERROR = "clienterror"
    BROKEN = "broken"
    """The whole request is answered with 500 `InternalError`; the others were added all the same."""


class PartialCollection(Kind, frozen=True, tag="partial_collection"):
    """Some tasks of a collection are not added.

    Args:
        share: of the tasks (of those that the rule matches) that are not; rounded up, the last ones.
        outcome: what is told.
        code: of the items' error; by default `InternalError` or `InvalidPropertyValue`.
    """

    places: ClassVar[frozenset[str]] = frozenset({"create_task_collection"})

    share: float = 0.5
    outcome: CollectionOutcome = CollectionOutcome.SERVER_ERROR
    code: str | None = None


class Stale(Kind, frozen=True, tag="stale"):
    """Tasks, or their counts, are shown as they were a while ago.

    Args:
        seconds: ago.
    """

    places: ClassVar[frozenset[str]] = frozenset({"list_tasks", "get_task", "get_job_task_counts"})

    seconds: float


class FailAllocation(Kind, frozen=True, tag="fail_allocation"):
    """A resize ends with an error and not with all its nodes.

    Args:
        code: of the resize error.
        nodes: that come all the same.
    """

    places: ClassVar[frozenset[str]] = frozenset({ALLOCATE})

    code: str = "AllocationFailed"
    nodes: int = 0


class FailStartTask(Kind, frozen=True, tag="fail_start_task"):
    """A start task ends with an exit code of ours in place of doing what it should.

    Args:
        exit_code: other than 0.
    """

    places: ClassVar[frozenset[str]] = frozenset({START_TASK})

    exit_code: int = 1


class UnusableNode(Kind, frozen=True, tag="unusable_node"):
    """The node becomes unusable, until it is rebooted or removed.

    Args:
        seconds: after the task was sent to it.
    """

    places: ClassVar[frozenset[str]] = frozenset({BOOT_NODE, RUN_TASK})

    seconds: float = 0.0


class LoseNode(Kind, frozen=True, tag="lose_node"):
    """The node's agent is killed with -9, and everything on the node with it.

    Args:
        seconds: after the task was sent to it.
    """

    places: ClassVar[frozenset[str]] = frozenset({RUN_TASK})

    seconds: float = 0.0


class PreemptNode(Kind, frozen=True, tag="preempt_node"):
    """The node is taken away, and comes back later without its files. Low-priority nodes only.

    Args:
        seconds: after the task was sent to it.
        away: seconds until it comes back.
    """

    places: ClassVar[frozenset[str]] = frozenset({RUN_TASK})

    seconds: float = 0.0
    away: float = 0.0


class Trouble(StrEnum):
    """What a node's transfers meet."""

    NOT_FOUND = "not_found"
    DENIED = "denied"
    CONFLICT = "conflict"
    TIMED_OUT = "timed_out"
    OTHER = "other"


class FailTransfer(Kind, frozen=True, tag="fail_transfer"):
    """What a node downloads or uploads fails, for good.

    Args:
        trouble: decides the code: `other` is `FileUploadMiscError` or `BlobDownloadMiscError`.
    """

    places: ClassVar[frozenset[str]] = frozenset({BLOB_DOWNLOAD, BLOB_UPLOAD})

    trouble: Trouble = Trouble.OTHER


class ExpiredSas(Kind, frozen=True, tag="expired_sas"):
    """Blob storage refuses what a node downloads or uploads, as it does once a SAS has expired."""

    places: ClassVar[frozenset[str]] = frozenset({BLOB_DOWNLOAD, BLOB_UPLOAD})


class Linger(Kind, frozen=True, tag="linger"):
    """What is being deleted stays `deleting` for longer.

    Args:
        seconds: longer.
    """

    places: ClassVar[frozenset[str]] = frozenset({POOL_DELETION, JOB_DELETION})

    seconds: float


RequestFault = Refuse | TimeOutAfterWork | DropAnswer | ResetConnection | Slow | PartialCollection | Stale
MachineFault = (
    FailAllocation
    | FailStartTask
    | UnusableNode
    | LoseNode
    | PreemptNode
    | FailTransfer
    | ExpiredSas
    | Linger
)
Fault = RequestFault | MachineFault
