"""Every concurrency, interval, size and grace number, in one frozen value."""

from __future__ import annotations

import math

import msgspec

from orchestrator.errors import ConfigError

_MAY_BE_ZERO = frozenset(
    {
        "requests_per_second",
        "looks_per_second",
        "staging_time",
        "watch_overlap",
        "backoff",
        "pool_nudges",
        "nudge_backoff",
        "node_grace",
        "node_replacements",
        "close_grace",
        "stop_grace",
        "sas_margin",
        "sas_backdate",
        "failure_log_bytes",
    }
)
_CAPS = {"tasks_per_request": 100, "request_bytes": 1024 * 1024}
"""The service's own."""


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The numbers a run is held to. Times are seconds, sizes bytes.

    One that can't be right is refused (`ConfigError`), since it would show much later, as a run that never
    ends or never begins.

    Args:
        uploads: files going up at once; Azurite and the SDK gain nothing past 8.
        downloads: files coming down at once.
        submissions: the most add-collection requests in flight; their number follows the answers.
        requests_per_second: to the Batch account, by all runs of an orchestrator together, a second's worth
            at once; 0 is without limit.
        looks: requests of looks at tasks and at pools in flight at once, by all runs together.
        looks_per_second: looks at tasks and at pools by all runs together, each in its turn: where many runs
            are under way, each is looked at less often; 0 is without limit.
        staging_time: how much longer the job may live on the service while its files still go up.
        tasks_per_request: tasks in one add-collection request; the service's cap is 100.
        request_bytes: body of one add-collection request; the service's cap is 1 MiB.
        poll_interval: the longest pause between two looks at the tasks.
        poll_floor: the shortest one, right after something changed.
        watch_overlap: how far before the newest change a look at changed tasks reaches back at most; most
            reach twice as far as changes came late lately, and a second more.
        reconcile_interval: between two looks at all tasks and at the job.
        settle_timeout: how long downloads may take after the last task has ended.
        pool_poll_interval: between two looks at the pool and its nodes while they change; up to eight times
            that while they don't.
        stall_after: how long nothing may move until the reasons are asked for, and told.
        stall_interval: between two looks for the reasons, while nothing moves.
        pool_nudges: how often a run asks again for nodes that did not come for a reason that may pass.
        nudge_backoff: pause before the first such try; doubles with each.
        node_grace: how long a node may be of no use until it is rebooted or removed.
        node_replacements: how many nodes a run removes, for others to take their place.
        resume_grace: the least time that a run which is taken up again is given, however late it is by then.
        abandoned_log_time: how long the output so far of tasks that are given up may take to be brought.
        operation_timeout: of one call to the service, its retries included.
        attempts: tries of a call that the service did not answer or put off.
        backoff: first pause between two tries, shorter after a broken connection; doubles up to
            `backoff_limit`.
        backoff_limit: longest pause between two tries.
        deletion_timeout: how long a deletion may take until the thing is gone.
        deletion_poll_interval: between two looks at what is being deleted.
        cleanup_timeout: of the whole clean-up, also after Ctrl-C.
        close_grace: how long `Orchestrator.__aexit__` waits for handlers to drain.
        stop_grace: the same after `JobRun.stop` or a second Ctrl-C.
        ownership_lifetime: how long after its last renewal what a run created counts as somebody's.
        ownership_interval: between two renewals while the run lives.
        pool_net_time: how long after its last renewal a pool keeps nodes that have nothing to do.
        pool_net_interval: between two looks of the service at that; the real one takes no less than 300.
        subscription_queue: events that a subscriber may be behind before its policy acts.
        sas_margin: added to the lifetime of every SAS beyond the job's horizon.
        sas_backdate: how far before now a SAS starts, against clocks that differ.
        pool_sas_lifetime: of the SAS in a pool's start task, renewed by every run that uses the pool.
        access_lifetime: the most that the addresses in tasks are kept open for at once; a run extends them.
        access_check_interval: between two looks at how long they are still open.
        access_start_timeout: how long a container's first addresses may take until they work.
        clock_tolerance: how far this machine's clock may be from the service's without a warning.
        block_size: of one part of a large upload or download.
        transfer_bytes: of all files on their way up or down that are in memory at once.
        failure_log_bytes: how much of stdout and stderr is brought for a task that uploads nothing itself.
        service_start_timeout: how long a local service of our own may take until it answers.
        service_stop_timeout: how long it may take to end before it is killed.
        journal_timeout: how long other programs may keep the journal from us.
    """

    uploads: int = 8
    downloads: int = 8
    submissions: int = 64
    requests_per_second: float = 0.0
    looks: int = 24
    looks_per_second: float = 100.0
    staging_time: float = 6 * 3600.0
    tasks_per_request: int = 100
    request_bytes: int = 1_000_000
    poll_interval: float = 1.0
    poll_floor: float = 0.2
    watch_overlap: float = 10.0
    reconcile_interval: float = 60.0
    settle_timeout: float = 3600.0
    pool_poll_interval: float = 2.0
    stall_after: float = 120.0
    stall_interval: float = 60.0
    pool_nudges: int = 3
    nudge_backoff: float = 30.0
    node_grace: float = 60.0
    node_replacements: int = 3
    resume_grace: float = 60.0
    abandoned_log_time: float = 20.0
    operation_timeout: float = 120.0
    attempts: int = 10
    backoff: float = 0.5
    backoff_limit: float = 20.0
    deletion_timeout: float = 600.0
    deletion_poll_interval: float = 0.25
    cleanup_timeout: float = 900.0
    close_grace: float = 30.0
    stop_grace: float = 1.0
    ownership_lifetime: float = 86400.0
    ownership_interval: float = 900.0
    pool_net_time: float = 7200.0
    pool_net_interval: float = 300.0
    subscription_queue: int = 10_000
    sas_margin: float = 3600.0
    sas_backdate: float = 900.0
    pool_sas_lifetime: float = 7 * 86400.0 - 3600.0
    access_lifetime: float = 30 * 86400.0
    access_check_interval: float = 300.0
    access_start_timeout: float = 90.0
    clock_tolerance: float = 300.0
    block_size: int = 4 * 1024 * 1024
    transfer_bytes: int = 64 * 1024 * 1024
    failure_log_bytes: int = 64 * 1024 * 1024
    service_start_timeout: float = 120.0
    service_stop_timeout: float = 30.0
    journal_timeout: float = 30.0

    def __post_init__(self) -> None:
        for field in msgspec.structs.fields(self):
            if problem := _problem(field.name, getattr(self, field.name), whole=field.type is int):
                raise ConfigError(problem, where=f"limits.{field.name}")
        if self.poll_floor > self.poll_interval:
            raise ConfigError(
                f"must not be longer than poll_interval ({self.poll_interval:g}), but is {self.poll_floor:g}",
                where="limits.poll_floor",
            )
        if 2 * self.ownership_interval > min(self.ownership_lifetime, self.pool_net_time):
            raise ConfigError(
                "must be half of ownership_lifetime and of pool_net_time at most, so that one renewal may "
                f"fail, but is {self.ownership_interval:g}",
                where="limits.ownership_interval",
            )


def _problem(name: str, value: object, *, whole: bool) -> str | None:
    # A bool is an int to Python, and True would be one upload at a time.
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        return f"must be a {'whole number' if whole else 'number'}, not {value!r}"
    if not math.isfinite(value):
        return f"must be finite, not {value!r}: every wait has a limit"
    if value < 0 or (value == 0 and name not in _MAY_BE_ZERO):
        least = "0 or more" if name in _MAY_BE_ZERO else "1 or more" if whole else "more than 0"
        return f"must be {least}, not {value!r}"
    if value > _CAPS.get(name, math.inf):
        return f"must be {_CAPS[name]} or less, which is the service's cap, not {value!r}"
    return None
