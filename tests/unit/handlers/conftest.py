"""Every test here fails if the orchestrator blocks the loop."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from blockbuster import blockbuster_ctx

from tests.unit.handlers.storage import MemoryStorage


@pytest.fixture(autouse=True)
def a_loop_that_may_not_be_blocked() -> Iterator[None]:
    with blockbuster_ctx("orchestrator"):
        yield


@pytest.fixture
def storage() -> MemoryStorage:
    """Storage without blobs."""
    return MemoryStorage()
