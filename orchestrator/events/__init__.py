"""Every event, frozen, named in the past tense with its subject first.

A subscription to a base class gets everything below it (`TaskEvent`, `RunEvent`, `Event` itself). Written
as JSON, each event has a member `event` with its class name. One bus serves one run, so `run_id` says which
run an event belongs to once several are looked at together.

Polling sees states, not transitions: a task may go from active to completed between two looks, so nobody
may wait for `TaskStarted`. Every accepted task ends in exactly one `TaskCompleted` (`TaskSucceeded` or
`TaskFailed`) or one `TaskAbandoned`.
"""

from orchestrator.events.cleanup import (
    CleanupCompleted,
    CleanupEvent,
    CleanupFailed,
    ResourceDeleted,
    ResourceKept,
)
from orchestrator.events.event import Event, HandlerFailed, Publish, utc_now
from orchestrator.events.job import (
    JobCreated,
    JobEvent,
    JobSettled,
    SubmissionCompleted,
    TaskAbandoned,
    TaskCompleted,
    TaskEvent,
    TaskFailed,
    TaskRequeued,
    TasksRejected,
    TasksSubmitted,
    TaskStarted,
    TaskStateChanged,
    TaskSucceeded,
)
from orchestrator.events.kinds import all_event_types
from orchestrator.events.output import DownloadFailed, OutputDownloaded, OutputEvent, OutputsDownloaded
from orchestrator.events.pool import (
    NodeRebooted,
    NodeRemoved,
    NodeStateChanged,
    NodeUnusable,
    PoolChanged,
    PoolCreated,
    PoolEvent,
    PoolResizeFailed,
    PoolResizeRetried,
    PoolReused,
    PoolSteady,
    StartTaskFailed,
)
from orchestrator.events.run import (
    AccessExtensionFailed,
    RunEvent,
    RunFinished,
    RunInterrupted,
    RunResumed,
    RunStalled,
    RunStarted,
    RunStateChanged,
)
from orchestrator.events.staging import InputStaged, StagingCompleted, StagingEvent, StagingStarted

__all__ = [
    "AccessExtensionFailed",
    "CleanupCompleted",
    "CleanupEvent",
    "CleanupFailed",
    "DownloadFailed",
    "Event",
    "HandlerFailed",
    "InputStaged",
    "JobCreated",
    "JobEvent",
    "JobSettled",
    "NodeRebooted",
    "NodeRemoved",
    "NodeStateChanged",
    "NodeUnusable",
    "OutputDownloaded",
    "OutputEvent",
    "OutputsDownloaded",
    "PoolChanged",
    "PoolCreated",
    "PoolEvent",
    "PoolResizeFailed",
    "PoolResizeRetried",
    "PoolReused",
    "PoolSteady",
    "Publish",
    "ResourceDeleted",
    "ResourceKept",
    "RunEvent",
    "RunFinished",
    "RunInterrupted",
    "RunResumed",
    "RunStalled",
    "RunStarted",
    "RunStateChanged",
    "StagingCompleted",
    "StagingEvent",
    "StagingStarted",
    "StartTaskFailed",
    "SubmissionCompleted",
    "TaskAbandoned",
    "TaskCompleted",
    "TaskEvent",
    "TaskFailed",
    "TaskRequeued",
    "TaskStarted",
    "TaskStateChanged",
    "TaskSucceeded",
    "TasksRejected",
    "TasksSubmitted",
    "all_event_types",
    "utc_now",
]
