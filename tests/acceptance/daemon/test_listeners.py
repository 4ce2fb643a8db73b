"""Many listeners at once, one of them slow."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.daemon.daemons import Daemon
from tests.soak.hearing import PATIENT, crowd_listens
from tests.soak.readings import tell


@pytest.mark.timeout(300)
async def test_a_crowd_hears_everything_and_a_slow_listener_is_cut_off_and_can_go_on(
    tmp_path: Path, env_file: Path
) -> None:
    with Daemon(tmp_path, env_file, daemon_limits=PATIENT) as daemon:
        tell(await crowd_listens(daemon, 200))
