"""How pools begin and end, whoever asks for it: a request or a job that brings its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from orchestrator.local.batch.allocation import Allocation
from orchestrator.local.batch.autoscaling import AutoScaling
from orchestrator.local.batch.runtime import PoolRuntime
from orchestrator.local.batch.scheduler import Fill, PoolSlots
from orchestrator.local.batch.store.pool_bodies import TARGETS
from orchestrator.local.batch.store.records import PoolRecord
from orchestrator.local.batch.store.states import PoolState
from orchestrator.local.wire import times

_NOTHING: Final[Mapping[str, Any]] = dict.fromkeys(TARGETS, 0)


class PoolLives:
    """Makes pools live and die.

    Args:
        allocation: brings and removes nodes.
        autoscaling: gives pools their size that have a formula.
        pools: by key.
        add: takes a pool into the account.
    """

    def __init__(
        self,
        allocation: Allocation,
        autoscaling: AutoScaling,
        pools: Mapping[str, PoolRuntime],
        add: Callable[[PoolRuntime], None],
    ) -> None:
        self._allocation = allocation
        self._autoscaling = autoscaling
        self._pools = pools
        self._add = add

    def begin(self, record: PoolRecord) -> None:
        """Let a pool begin.

        Args:
            record: new; its id is free.
        """
        pool = PoolRuntime(record, PoolSlots(Fill(record.spec["taskSchedulingPolicy"]["nodeFillType"])))
        self._add(pool)
        self._autoscaling.aim(pool)
        self._allocation.begin_resize(pool, "requeue")

    def end(self, pool: PoolRuntime, at: int) -> None:
        """Delete a pool.

        Args:
            pool: active.
            at: when.
        """
        pool.record.move(PoolState.DELETING, at)
        pool.record.modified = at
        pool.record.spec = {**pool.record.spec, **_NOTHING}
        self._allocation.begin_deletion(pool)

    def drop(self, name: str) -> None:
        """Delete a pool that somebody else may have deleted already.

        Args:
            name: in any case.
        """
        pool = self._pools.get(name.lower())
        if pool is not None and pool.record.state is PoolState.ACTIVE:
            self.end(pool, times.now())
