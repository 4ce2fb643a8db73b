"""A blob endpoint that has just started."""

from __future__ import annotations

import base64
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestrator.local.blob.endpoint import BlobEndpoint


@pytest.fixture
def account_key() -> str:
    """A key as an account has it."""
    return base64.b64encode(secrets.token_bytes(64)).decode()


@pytest.fixture
async def endpoint(tmp_path: Path, account_key: str) -> AsyncIterator[BlobEndpoint]:
    """An endpoint that runs and holds nothing."""
    running = BlobEndpoint(account_name="local", account_key=account_key, data_dir=tmp_path / "blob")
    await running.start()
    yield running
    await running.close()
