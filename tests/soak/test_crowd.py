"""A thousand listeners at once, and a slow one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.daemon.daemons import Daemon
from tests.soak.conftest import StartService
from tests.soak.hearing import PATIENT, crowd_listens
from tests.soak.readings import tell


@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_a_thousand_listeners_hear_everything(start_service: StartService, tmp_path: Path) -> None:
    with Daemon(tmp_path, start_service(), daemon_limits=PATIENT) as daemon:
        tell(await crowd_listens(daemon, 1000))
