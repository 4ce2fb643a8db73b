"""The Batch endpoint with real nodes, and clients in front of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from azure.batch.aio import BatchClient
from azure.core.credentials import AzureNamedKeyCredential

from orchestrator.local.batch.endpoint import BatchEndpoint
from orchestrator.local.batch.node import NodeProcess
from tests.conformance.clients import ACCOUNT, KEY, RawClient, job_body, pool_body


@pytest.fixture
async def endpoint(tmp_path: Path) -> AsyncIterator[BatchEndpoint]:
    one = BatchEndpoint(
        account_name=ACCOUNT, account_key=KEY, data_dir=tmp_path, start_node=NodeProcess.start
    )
    await one.start()
    yield one
    await one.close()


@pytest.fixture
async def client(endpoint: BatchEndpoint) -> AsyncIterator[BatchClient]:
    async with BatchClient(
        endpoint.url, AzureNamedKeyCredential(ACCOUNT, KEY), use_env_settings=False
    ) as one:
        yield one


@pytest.fixture
async def raw(endpoint: BatchEndpoint) -> AsyncIterator[RawClient]:
    async with aiohttp.ClientSession() as session:
        yield RawClient(session, endpoint.url)


@pytest.fixture
async def job(raw: RawClient) -> str:
    await raw.post("/pools", pool_body(targetDedicatedNodes=1, taskSlotsPerNode=4))
    await raw.post("/jobs", job_body())
    return "/jobs/j"


@pytest.fixture
async def idle_job(raw: RawClient) -> str:
    """A job without a pool: its tasks stay active."""
    await raw.post("/jobs", job_body())
    return "/jobs/j"
