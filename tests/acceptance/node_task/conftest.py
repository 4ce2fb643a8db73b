"""A Blob endpoint on loopback, for one test each."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from tests.acceptance.node_task.storage import CONTAINER, SAS, Storage


@pytest.fixture
async def storage() -> AsyncIterator[Storage]:
    """An empty container that takes uploads."""
    storage = Storage()
    runner = web.ServerRunner(web.Server(storage.handle), shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        storage.url = f"http://{host}:{port}{CONTAINER}?{SAS}"
        yield storage
    finally:
        await runner.cleanup()


@pytest.fixture
def upload_environment(storage: Storage) -> dict[str, str]:
    """The environment of a task that has to upload its outputs."""
    return {
        "ORCHESTRATOR_OUTPUT_URL": storage.url,
        "ORCHESTRATOR_OUTPUT_PREFIX": "task-1",
        "AZ_BATCH_NODE_ID": "node-1",
        "AZ_BATCH_TASK_ID": "task-1",
        "AZ_BATCH_JOB_ID": "job-1",
        "AZ_BATCH_POOL_ID": "pool-1",
    }
