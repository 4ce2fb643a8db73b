"""Every test here fails if the orchestrator blocks the loop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx


@pytest.fixture(autouse=True)
def a_loop_that_may_not_be_blocked() -> Iterator[None]:
    with blockbuster_ctx("orchestrator"):
        yield


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.sqlite"
