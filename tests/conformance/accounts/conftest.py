"""Accounts on a scripted Batch endpoint, and on the local service with real blobs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from orchestrator.accounts import Account, BatchAccount, settings_from_environment
from orchestrator.limits import Limits
from orchestrator.local import LocalService
from tests.conformance.accounts.batch_stub import BatchStub

QUICK = Limits(attempts=4, backoff=0.01, backoff_limit=0.05, operation_timeout=20.0)


@pytest.fixture
async def stub() -> AsyncIterator[BatchStub]:
    """A Batch endpoint that answers as the test says; every request must have been signed well."""
    served = await BatchStub().start()
    yield served
    await served.stop()
    assert served.unsigned == []


@pytest.fixture
async def batch(stub: BatchStub) -> AsyncIterator[BatchAccount]:
    """The open Batch account of the scripted endpoint."""
    account = Account(stub.settings, QUICK)
    await account.open()
    yield account.batch
    await account.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalService]:
    """A running local service."""
    folder: Path = tmp_path_factory.mktemp("state")
    async with LocalService(state_dir=folder) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def account(service: LocalService) -> AsyncIterator[Account]:
    """The open account of a running local service."""
    opened = Account(settings_from_environment(service.settings.as_environment()), Limits())
    await opened.open()
    yield opened
    await opened.close()
