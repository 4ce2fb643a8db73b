"""How long a run may last, and whether the addresses in its tasks can work for that long."""

from __future__ import annotations

from datetime import timedelta

from orchestrator.errors import ConfigError, SpecError
from orchestrator.limits import Limits
from orchestrator.spec.duration import Duration
from orchestrator.spec.job import JobSpec
from orchestrator.spec.plan import RunPlan

_EXTRA_WALL_CLOCK = 3600.0
_WITH_A_KEY = (
    "export the connection string with the account's key (AZURE_STORAGE_CONNECTION_STRING), with which "
    "addresses are kept open for as long as the run lives"
)


def wall_clock(spec: JobSpec) -> Duration:
    """How long the job may take on the service, from the last added task on."""
    return spec.max_wall_clock_time or Duration.of(spec.timeout.seconds + _EXTRA_WALL_CLOCK)


def longest(spec: JobSpec, limits: Limits) -> Duration:
    """How long the job may live on the service: its clock runs before the last file is up."""
    return Duration.of(wall_clock(spec).seconds + limits.staging_time)


def address_lifetime(spec: JobSpec, limits: Limits) -> float:
    """How long an address in a task has to work, in seconds: to the end of the job, and a margin."""
    return longest(spec, limits).seconds + limits.sas_margin


def refuse_beyond(most: timedelta | None, plan: RunPlan, limits: Limits) -> None:
    """Refuse a run whose addresses would end before it does, before anything is created.

    Args:
        most: how long an address can last, None where it can be kept open.
        plan: of the run.
        limits: `staging_time`, `sas_margin` and `pool_sas_lifetime` count.

    Raises:
        SpecError: the job may take too long.
        ConfigError: a pool's addresses are to last too long.
    """
    if most is None:
        return
    needed = address_lifetime(plan.spec, limits)
    if needed > most.total_seconds():
        asked = "max_wall_clock_time" if plan.spec.max_wall_clock_time else "timeout"
        beside = limits.staging_time + limits.sas_margin
        room = wall_clock(plan.spec).seconds - (needed - most.total_seconds())
        raise SpecError(
            f"the run may take {_days(needed)} ({_days(wall_clock(plan.spec).seconds)} of the job, and "
            f"{_days(beside)} for staging and clean-up), but addresses signed with a token work for "
            f"{_days(most.total_seconds())} at most: set max_wall_clock_time to {_days(room)} or less, or "
            f"{_WITH_A_KEY}",
            where=asked,
        )
    starts = plan.application or plan.start_task_inputs
    if starts and limits.pool_sas_lifetime > most.total_seconds():
        raise ConfigError(
            f"is {_days(limits.pool_sas_lifetime)}, but addresses signed with a token work for "
            f"{_days(most.total_seconds())} at most: set it to that or less, or {_WITH_A_KEY}",
            where="limits.pool_sas_lifetime",
        )


def _days(seconds: float) -> str:
    return f"{seconds / 86400:.2f} days"
