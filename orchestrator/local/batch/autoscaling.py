"""Automatic scaling: samples what formulas ask for, runs them in their intervals, and resizes by them.

Sources of facts: recorded (the shapes of enableautoscale, evaluateautoscale and disableautoscale); the
product page "Automatically scale compute nodes" (what each variable counts); the REST page "Enable automatic
scaling" (not during a resize, and once in 30 seconds).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import anyio
import structlog

from orchestrator.local.batch.allocation import Allocation
from orchestrator.local.batch.autoscale import Current, Evaluation, Metrics, evaluate
from orchestrator.local.batch.background import Background
from orchestrator.local.batch.dispatch import Dispatch
from orchestrator.local.batch.errors import too_many_enable_auto_scale_requests
from orchestrator.local.batch.runtime import JobRuntime, PoolRuntime
from orchestrator.local.batch.store.records import Spec
from orchestrator.local.batch.store.states import AllocationState, NodeState, PoolState
from orchestrator.local.wire import times
from orchestrator.local.wire.api_error import invalid_property
from orchestrator.local.wire.times import TICKS_PER_SECOND, parse_duration, timestamp, to_datetime

log = structlog.get_logger("orchestrator.local.batch")

_USABLE: Final = frozenset({NodeState.IDLE, NodeState.RUNNING})
_TARGETS: Final = ("targetDedicatedNodes", "targetLowPriorityNodes")


@dataclass(frozen=True, kw_only=True, slots=True)
class AutoscalePace:
    """Seconds; by default the real service's.

    Args:
        sampling: between the samples that formulas see.
        shortest_interval: allowed as a pool's evaluation interval.
        enable_pause: that must pass between two enablings of a pool.
    """

    sampling: float = 30.0
    shortest_interval: float = 300.0
    enable_pause: float = 30.0


REAL_PACE: Final = AutoscalePace()


@dataclass(slots=True, eq=False)
class _Scaled:
    metrics: Metrics
    enabled: int = 0
    """When it was enabled last, by request."""
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)


class AutoScaling:
    """Of an account's pools.

    Args:
        background: where samples are taken and formulas run.
        dispatch: knows the pools' tasks.
        allocation: resizes.
        pace: of it all.
    """

    def __init__(
        self, *, background: Background, dispatch: Dispatch, allocation: Allocation, pace: AutoscalePace
    ) -> None:
        self._background = background
        self._dispatch = dispatch
        self._allocation = allocation
        self._pace = pace
        self._pools: dict[PoolRuntime, _Scaled] = {}

    def watch(self, pool: PoolRuntime) -> None:
        """Sample a pool from now on, and run its formula in its intervals, if it has one.

        Args:
            pool: new, or found again.
        """
        begin = to_datetime(pool.record.created)
        metrics = Metrics(begin, period=timedelta(seconds=self._pace.sampling))
        self._pools[pool] = _Scaled(metrics)
        self._record(pool, metrics)
        self._background.spawn(self._sample, pool, metrics)
        self._restart(pool)

    def forget(self, pool: PoolRuntime) -> None:
        """Let a pool go.

        Args:
            pool: watched.
        """
        self._pools.pop(pool).scope.cancel()

    def check_interval(self, spec: Spec) -> None:
        """Refuse an interval that is too short.

        Args:
            spec: echo of a body.

        Raises:
            ApiError: InvalidPropertyValue.
        """
        name = "autoScaleEvaluationInterval"
        if name in spec and parse_duration(spec[name]) < self._pace.shortest_interval * TICKS_PER_SECOND:
            reason = f"It must be at least {self._pace.shortest_interval:g} seconds"
            raise invalid_property(name, spec[name], reason)

    def aim(self, pool: PoolRuntime) -> None:
        """Run the formula of a pool that has just been created: its targets come from there.

        Args:
            pool: whose nodes have not been asked for yet.
        """
        result = self._run(pool)
        if result is not None and result.error is None:
            pool.record.spec = {**pool.record.spec, **_targets(result)}

    def enable(self, pool: PoolRuntime, spec: dict[str, Any], at: int) -> None:
        """Scale a pool from now on.

        Args:
            pool: steady.
            spec: of the pool, with the formula and the interval.
            at: when.

        Raises:
            ApiError: TooManyEnableAutoScaleRequests.
        """
        scaled = self._pools[pool]
        if at - scaled.enabled < self._pace.enable_pause * TICKS_PER_SECOND:
            raise too_many_enable_auto_scale_requests()
        scaled.enabled = at
        pool.record.spec = spec
        pool.record.modified = at
        self._apply(pool)
        self._restart(pool)

    def disable(self, pool: PoolRuntime, at: int) -> None:
        """Scale a pool no more; it keeps its size.

        Args:
            pool: any.
            at: when.
        """
        gone = ("autoScaleFormula", "autoScaleEvaluationInterval")
        spec = {name: value for name, value in pool.record.spec.items() if name not in gone}
        pool.record.spec = {**spec, "enableAutoScale": False}
        pool.record.auto_scale_run = None
        pool.record.modified = at
        self._restart(pool)

    def evaluate(self, pool: PoolRuntime, formula: str) -> Evaluation:
        """Run a formula; the pool stays as it is.

        Args:
            pool: any.
            formula: any text.
        """
        scaled = self._pools[pool]
        record = pool.record
        current = Current(
            target_dedicated=record.spec["targetDedicatedNodes"],
            target_low_priority=record.spec["targetLowPriorityNodes"],
            dedicated=record.count(dedicated=True),
            low_priority=record.count(dedicated=False),
            task_slots_per_node=record.spec["taskSlotsPerNode"],
        )
        return evaluate(formula, now=to_datetime(times.now()), metrics=scaled.metrics, current=current)

    def _restart(self, pool: PoolRuntime) -> None:
        scaled = self._pools[pool]
        scaled.scope.cancel()
        scaled.scope = anyio.CancelScope()
        if pool.record.spec["enableAutoScale"]:
            self._background.spawn(self._repeat, pool, scaled.scope)

    async def _repeat(self, pool: PoolRuntime, scope: anyio.CancelScope) -> None:
        seconds = parse_duration(pool.record.spec["autoScaleEvaluationInterval"]) / TICKS_PER_SECOND
        with scope:
            while True:
                await anyio.sleep(seconds)
                self._apply(pool)

    def _run(self, pool: PoolRuntime) -> Evaluation | None:
        if pool.record.state is not PoolState.ACTIVE or not pool.record.spec["enableAutoScale"]:
            return None
        result = self.evaluate(pool, pool.record.spec["autoScaleFormula"])
        pool.record.auto_scale_run = run_wire(result, times.now())
        log.info(
            "pool.autoscaled", pool=pool.record.id, results=result.results, error=str(result.error or "")
        )
        return result

    def _apply(self, pool: PoolRuntime) -> None:
        result = self._run(pool)
        record = pool.record
        if result is None or result.error is not None or record.allocation is not AllocationState.STEADY:
            return
        targets = _targets(result)
        if all(
            record.spec[name] == record.count(dedicated=dedicated) == targets[name]
            for name, dedicated in zip(_TARGETS, (True, False), strict=True)
        ):
            return
        # The ETag stays: it moves with what users do.
        record.spec = {**record.spec, **targets}
        record.allocate(AllocationState.RESIZING, times.now())
        record.resize_errors = []
        self._allocation.begin_resize(pool, result.deallocation_option)

    async def _sample(self, pool: PoolRuntime, metrics: Metrics) -> None:
        while pool in self._pools:
            self._record(pool, metrics)
            await anyio.sleep(self._pace.sampling)

    def _record(self, pool: PoolRuntime, metrics: Metrics) -> None:
        at = to_datetime(times.now())
        for name, value in _sampled(pool, self._dispatch.jobs_on(pool.key)).items():
            metrics.record(name, at, value)


def run_wire(result: Evaluation, at: int) -> dict[str, Any]:
    """Show an AutoScaleRun.

    Args:
        result: of the formula.
        at: when it ran.
    """
    wire: dict[str, Any] = {"timestamp": timestamp(at), "results": result.results}
    if result.error is not None:
        wire["error"] = result.error.body()
    return wire


def _targets(result: Evaluation) -> dict[str, Any]:
    return dict(zip(_TARGETS, (result.target_dedicated, result.target_low_priority), strict=True))


def _sampled(pool: PoolRuntime, jobs: Iterable[JobRuntime]) -> dict[str, int]:
    active = running = succeeded = failed = 0
    for job in jobs:
        # Those that wait for other tasks don't count: their nodes would have nothing to do.
        active += len(job.queue.ready)
        running += job.queue.running
        succeeded += job.record.counts.tasks["succeeded"]
        failed += job.record.counts.tasks["failed"]
    states = [node.state for node in pool.record.nodes]
    usable = sum(state in _USABLE for state in states)
    return {
        "$ActiveTasks": active,
        "$RunningTasks": running,
        "$PendingTasks": active + running,
        "$SucceededTasks": succeeded,
        "$FailedTasks": failed,
        "$CurrentDedicatedNodes": pool.record.count(dedicated=True),
        "$CurrentLowPriorityNodes": pool.record.count(dedicated=False),
        "$PreemptedNodeCount": sum(state is NodeState.PREEMPTED for state in states),
        "$SampleNodeCount": usable,
        "$UsableNodeCount": usable,
        "$TaskSlotsPerNode": pool.record.spec["taskSlotsPerNode"],
    }
