"""Stage: watches the pool and its nodes, so that silence has a reason, and helps where that is ours to do."""

from __future__ import annotations

import anyio
import structlog

from orchestrator.accounts.batch import BatchAccount
from orchestrator.errors import NotFoundError, ServiceError, UnreachableError
from orchestrator.events import Publish
from orchestrator.limits import Limits
from orchestrator.spec.marks import RUN_KEY
from orchestrator.stages.nudge import Nudge
from orchestrator.tracker import PoolTracker

log = structlog.get_logger()

_SLOWER = 1.5
_SLOWEST = 8


def next_pause(pause: float, *, changed: bool, limits: Limits) -> float:
    """How long to wait for the next look: longer and longer while nothing changes.

    Args:
        pause: before the last look, in seconds.
        changed: whether that told anything.
        limits: `pool_poll_interval`.
    """
    if changed:
        return limits.pool_poll_interval
    return min(pause * _SLOWER, limits.pool_poll_interval * _SLOWEST)


async def watch_pool(
    *, run_id: str, pool_id: str, batch: BatchAccount, tracker: PoolTracker, publish: Publish, limits: Limits
) -> None:
    """Look at the pool and its nodes until cancelled, and tell every change.

    Where the run made the pool, nodes that did not come are asked for again, and nodes of no use rebooted or
    replaced. A pool on all of whose nodes the start task failed, after that, is given up at once: waiting
    costs money, and nothing will come of it.

    Args:
        run_id: of the run; a pool that names it in its metadata was made by it.
        pool_id: of the pool.
        batch: where.
        tracker: turns snapshots into events, and keeps the reasons for a standstill.
        publish: told of every change.
        limits: `pool_poll_interval`, and how often what is done about a pool.

    Raises:
        StartTaskError: no node of the pool will ever run a task.
    """
    nudge = Nudge(
        run_id=run_id, pool_id=pool_id, batch=batch, tracker=tracker, publish=publish, limits=limits
    )
    interval = limits.pool_poll_interval
    while True:
        await batch.looks.turn()
        changed = False
        try:
            async with batch.looks.slots:
                pool = await batch.get_pool(pool_id)
                nodes = await batch.list_nodes(pool_id)
        except NotFoundError:
            tracker.observe_missing()
        except (ServiceError, UnreachableError) as error:
            log.warning("watch_pool.look_failed", pool=pool_id, error=str(error))
        else:
            told = (*tracker.observe_pool(pool), *tracker.observe_nodes(nodes))
            changed = bool(told)
            await publish(*told)
            ours = dict(pool.metadata).get(RUN_KEY) == run_id
            hopeless = tracker.hopeless()
            if hopeless is not None and not (ours and nudge.hopes):
                raise hopeless
            if ours:
                await nudge.help()
        interval = next_pause(interval, changed=changed, limits=limits)
        await anyio.sleep(interval)
