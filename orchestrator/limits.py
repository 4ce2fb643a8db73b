"""Every concurrency, interval, size and grace number, in one frozen value."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The numbers a run is held to. Times are seconds, sizes bytes.

    Args:
        uploads: files going up at once; Azurite and the SDK gain nothing past 8.
        downloads: files coming down at once.
        submissions: the most add-collection requests in flight; their number follows the answers.
        tasks_per_request: tasks in one add-collection request; the service's cap is 100.
        request_bytes: body of one add-collection request; the service's cap is 1 MiB.
        poll_interval: the longest pause between two looks at the tasks.
        poll_floor: the shortest one, right after something changed.
        watch_overlap: how far before the newest change a look at changed tasks reaches back.
        reconcile_interval: between two looks at all tasks and at the job.
        settle_timeout: how long downloads may take after the last task has ended.
        pool_poll_interval: between two looks at the pool and its nodes.
        operation_timeout: of one call to the service, its retries included.
        attempts: tries of a call that the service did not answer or put off.
        backoff: first pause between two tries; doubles, with jitter, up to `backoff_limit`.
        backoff_limit: longest pause between two tries.
        deletion_timeout: how long a deletion may take until the thing is gone.
        deletion_poll_interval: between two looks at what is being deleted.
        cleanup_timeout: of the whole clean-up, also after Ctrl-C.
        close_grace: how long `Orchestrator.__aexit__` waits for handlers to drain.
        subscription_queue: events that a subscriber may be behind before its policy acts.
        sas_margin: added to the lifetime of every SAS beyond the job's horizon.
        sas_backdate: how far before now a SAS starts, against clocks that differ.
        pool_sas_lifetime: of the SAS in a pool's start task, renewed by every run that uses the pool.
        block_size: of one part of a large upload or download.
        failure_log_bytes: how much of stdout and stderr is brought for a task that uploads nothing itself.
    """

    uploads: int = 8
    downloads: int = 8
    submissions: int = 32
    tasks_per_request: int = 100
    request_bytes: int = 1_000_000
    poll_interval: float = 1.0
    poll_floor: float = 0.2
    watch_overlap: float = 10.0
    reconcile_interval: float = 60.0
    settle_timeout: float = 3600.0
    pool_poll_interval: float = 2.0
    operation_timeout: float = 120.0
    attempts: int = 6
    backoff: float = 0.5
    backoff_limit: float = 20.0
    deletion_timeout: float = 600.0
    deletion_poll_interval: float = 0.25
    cleanup_timeout: float = 900.0
    close_grace: float = 30.0
    subscription_queue: int = 10_000
    sas_margin: float = 3600.0
    sas_backdate: float = 900.0
    pool_sas_lifetime: float = 7 * 86400.0 - 3600.0
    block_size: int = 4 * 1024 * 1024
    failure_log_bytes: int = 64 * 1024 * 1024
