"""Run work on Azure Batch: files in, results out, event-driven, with a local Azure Batch to develop against.

The public API; what is not in `__all__` here (and in `orchestrator.local`) may change without notice. Names
are resolved when they are first used (PEP 562), since importing all of it costs the better part of a second.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from orchestrator.homes import HOMES

if TYPE_CHECKING:
    from orchestrator.errors import (
        AllocationError,
        AuthenticationError,
        CleanupError,
        ConfigError,
        ConflictError,
        DaemonError,
        DownloadError,
        JournalError,
        LocalServiceError,
        NotFoundError,
        NotOpenError,
        OrchestratorError,
        PoolError,
        QuotaError,
        RunCancelledError,
        RunHeldError,
        ServiceError,
        SpecError,
        StagingError,
        StartTaskError,
        SubmissionError,
        TaskFailedError,
        ThrottledError,
        TimeLimitError,
        TooManyFailedError,
        UnreachableError,
    )
    from orchestrator.events import (
        AccessExtensionFailed,
        CleanupCompleted,
        CleanupEvent,
        CleanupFailed,
        DownloadFailed,
        Event,
        HandlerFailed,
        InputStaged,
        JobCreated,
        JobEvent,
        JobSettled,
        NodeRebooted,
        NodeRemoved,
        NodeStateChanged,
        NodeUnusable,
        OutputDownloaded,
        OutputEvent,
        OutputsDownloaded,
        PoolChanged,
        PoolCreated,
        PoolEvent,
        PoolResizeFailed,
        PoolResizeRetried,
        PoolReused,
        PoolSteady,
        ResourceDeleted,
        ResourceKept,
        RunEvent,
        RunFinished,
        RunInterrupted,
        RunResumed,
        RunStalled,
        RunStarted,
        RunStateChanged,
        StagingCompleted,
        StagingEvent,
        StagingStarted,
        StartTaskFailed,
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
    from orchestrator.limits import Limits
    from orchestrator.results import (
        JobResult,
        TaskResult,
    )
    from orchestrator.runtime.job_run import JobRun
    from orchestrator.runtime.orchestrator import Orchestrator
    from orchestrator.spec.duration import Duration
    from orchestrator.spec.files import (
        KeepLogs,
        OutputFile,
        ResourceFile,
        UploadBy,
        UploadCondition,
    )
    from orchestrator.spec.frozen import FrozenMapping
    from orchestrator.spec.job import (
        ApplicationSpec,
        CleanupSpec,
        CleanupWhen,
        JobHookSpec,
        JobSpec,
        RetriesSpec,
    )
    from orchestrator.spec.load import load_job, parse_job
    from orchestrator.spec.pool import (
        ImageSpec,
        PoolSpec,
        StartTaskSpec,
    )
    from orchestrator.spec.schema import job_schema
    from orchestrator.spec.secret import (
        SecretReference,
        SecretText,
    )
    from orchestrator.spec.task import (
        TaskFactory,
        TaskSpec,
    )
    from orchestrator.states import (
        AllocationState,
        FailureClass,
        FailureInfo,
        JobState,
        NodeState,
        PoolState,
        RunOutcome,
        RunState,
        StallCode,
        StallReason,
        TaskKey,
        TaskState,
    )
    from orchestrator.version import __version__

_HOME = {name: f"orchestrator.{module}" for module, names in HOMES.items() for name in names}

__all__ = [
    "AccessExtensionFailed",
    "AllocationError",
    "AllocationState",
    "ApplicationSpec",
    "AuthenticationError",
    "CleanupCompleted",
    "CleanupError",
    "CleanupEvent",
    "CleanupFailed",
    "CleanupSpec",
    "CleanupWhen",
    "ConfigError",
    "ConflictError",
    "DaemonError",
    "DownloadError",
    "DownloadFailed",
    "Duration",
    "Event",
    "FailureClass",
    "FailureInfo",
    "FrozenMapping",
    "HandlerFailed",
    "ImageSpec",
    "InputStaged",
    "JobCreated",
    "JobEvent",
    "JobHookSpec",
    "JobResult",
    "JobRun",
    "JobSettled",
    "JobSpec",
    "JobState",
    "JournalError",
    "KeepLogs",
    "Limits",
    "LocalServiceError",
    "NodeRebooted",
    "NodeRemoved",
    "NodeState",
    "NodeStateChanged",
    "NodeUnusable",
    "NotFoundError",
    "NotOpenError",
    "Orchestrator",
    "OrchestratorError",
    "OutputDownloaded",
    "OutputEvent",
    "OutputFile",
    "OutputsDownloaded",
    "PoolChanged",
    "PoolCreated",
    "PoolError",
    "PoolEvent",
    "PoolResizeFailed",
    "PoolResizeRetried",
    "PoolReused",
    "PoolSpec",
    "PoolState",
    "PoolSteady",
    "QuotaError",
    "ResourceDeleted",
    "ResourceFile",
    "ResourceKept",
    "RetriesSpec",
    "RunCancelledError",
    "RunEvent",
    "RunFinished",
    "RunHeldError",
    "RunInterrupted",
    "RunOutcome",
    "RunResumed",
    "RunStalled",
    "RunStarted",
    "RunState",
    "RunStateChanged",
    "SecretReference",
    "SecretText",
    "ServiceError",
    "SpecError",
    "StagingCompleted",
    "StagingError",
    "StagingEvent",
    "StagingStarted",
    "StallCode",
    "StallReason",
    "StartTaskError",
    "StartTaskFailed",
    "StartTaskSpec",
    "SubmissionCompleted",
    "SubmissionError",
    "TaskAbandoned",
    "TaskCompleted",
    "TaskEvent",
    "TaskFactory",
    "TaskFailed",
    "TaskFailedError",
    "TaskKey",
    "TaskRequeued",
    "TaskResult",
    "TaskSpec",
    "TaskStarted",
    "TaskState",
    "TaskStateChanged",
    "TaskSucceeded",
    "TasksRejected",
    "TasksSubmitted",
    "ThrottledError",
    "TimeLimitError",
    "TooManyFailedError",
    "UnreachableError",
    "UploadBy",
    "UploadCondition",
    "__version__",
    "job_schema",
    "load_job",
    "parse_job",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
