from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.daemon.daemons import Daemon


@pytest.fixture
def daemon(tmp_path: Path, env_file: Path) -> Iterator[Daemon]:
    """A daemon that runs, with an inbox, on the session's local service."""
    with Daemon(tmp_path, env_file) as running:
        yield running
