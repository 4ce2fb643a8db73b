"""Stage: carries out what helps a pool that did not get its nodes, and nodes of no use, and tells it."""

from __future__ import annotations

import anyio
import structlog

from orchestrator.accounts.batch import BatchAccount
from orchestrator.errors import OrchestratorError
from orchestrator.events import NodeRebooted, NodeRemoved, PoolEvent, PoolResizeRetried, Publish
from orchestrator.limits import Limits
from orchestrator.tracker import PoolTracker, Remedies, Remedy, RemedyKind

log = structlog.get_logger()


class Nudge:
    """Of one pool that the run made: others' pools are theirs to mend.

    Args:
        run_id: for the events.
        pool_id: of the pool.
        batch: where.
        tracker: has the last look at the pool.
        publish: told of what was done.
        limits: how often what is done.
    """

    def __init__(
        self,
        *,
        run_id: str,
        pool_id: str,
        batch: BatchAccount,
        tracker: PoolTracker,
        publish: Publish,
        limits: Limits,
    ) -> None:
        self._run_id = run_id
        self._pool_id = pool_id
        self._batch = batch
        self._tracker = tracker
        self._publish = publish
        self._remedies = Remedies(limits)

    @property
    def hopes(self) -> bool:
        """Whether a reboot may still bring one of the nodes back."""
        return self._remedies.hopes(self._tracker.nodes)

    async def help(self) -> None:
        """Do what the last look at the pool asks for."""
        pool, nodes = self._tracker.pool, self._tracker.nodes
        if pool is None:
            return
        for remedy in self._remedies.decide(pool, nodes, anyio.current_time()):
            try:
                await self._carry_out(remedy)
            except OrchestratorError as error:
                log.warning("nudge.refused", pool=self._pool_id, remedy=remedy.kind.value, error=str(error))
                self._remedies.refused(remedy, anyio.current_time())
            else:
                self._remedies.done(remedy, nodes, anyio.current_time())
                if (event := self._event(remedy)) is not None:
                    await self._publish(event)

    async def _carry_out(self, remedy: Remedy) -> None:
        match remedy.kind:
            case RemedyKind.RESIZE if remedy.formula:
                # A pool under its last net refuses a resize; given the same formula, it evaluates it at once.
                await self._batch.lifetimes.enable_autoscale(self._pool_id, remedy.formula, remedy.interval)
            case RemedyKind.RESIZE:
                await self._batch.resize_pool(
                    self._pool_id, dedicated=remedy.dedicated, low_priority=remedy.low_priority
                )
            case RemedyKind.REBOOT:
                await self._batch.care.reboot_node(self._pool_id, remedy.node_id)
            case RemedyKind.REMOVE:
                await self._batch.care.remove_nodes(self._pool_id, [remedy.node_id])

    def _event(self, remedy: Remedy) -> PoolEvent | None:
        run_id, pool_id = self._run_id, self._pool_id
        match remedy.kind:
            case RemedyKind.REBOOT:
                return NodeRebooted(
                    run_id=run_id, pool_id=pool_id, node_id=remedy.node_id, reason=remedy.reason
                )
            case RemedyKind.REMOVE:
                return NodeRemoved(
                    run_id=run_id, pool_id=pool_id, node_id=remedy.node_id, reason=remedy.reason
                )
        if not remedy.attempt:
            return None  # NodeRemoved has told that another one is asked for
        return PoolResizeRetried(
            run_id=run_id,
            pool_id=pool_id,
            target_dedicated_nodes=remedy.dedicated,
            target_low_priority_nodes=remedy.low_priority,
            attempt=remedy.attempt,
        )
