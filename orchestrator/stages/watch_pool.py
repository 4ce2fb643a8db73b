"""Stage: watches the pool and its nodes, so that silence has a reason."""

from __future__ import annotations

import anyio
import structlog

from orchestrator.accounts.batch import BatchAccount
from orchestrator.errors import NotFoundError, ServiceError, UnreachableError
from orchestrator.events import Publish
from orchestrator.limits import Limits
from orchestrator.tracker import PoolTracker

log = structlog.get_logger()


async def watch_pool(
    *, pool_id: str, batch: BatchAccount, tracker: PoolTracker, publish: Publish, limits: Limits
) -> None:
    """Look at the pool and its nodes until cancelled, and tell every change.

    A pool on all of whose nodes the start task failed is given up at once: waiting costs money, and nothing
    will come of it.

    Args:
        pool_id: of the pool.
        batch: where.
        tracker: turns snapshots into events, and keeps the reasons for a standstill.
        publish: told of every change.
        limits: `pool_poll_interval`.

    Raises:
        StartTaskError: no node of the pool will ever run a task.
    """
    while True:
        try:
            pool = await batch.get_pool(pool_id)
            nodes = await batch.list_nodes(pool_id)
        except NotFoundError:
            tracker.observe_missing()
        except (ServiceError, UnreachableError) as error:
            log.warning("watch_pool.look_failed", pool=pool_id, error=str(error))
        else:
            for event in (*tracker.observe_pool(pool), *tracker.observe_nodes(nodes)):
                await publish(event)
            if hopeless := tracker.hopeless():
                raise hopeless
        await anyio.sleep(limits.pool_poll_interval)
