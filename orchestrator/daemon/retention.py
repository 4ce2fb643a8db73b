"""What is kept no longer: runs that ended long ago, and files of requests that never became runs."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import structlog

from orchestrator.errors import OrchestratorError, error_text
from orchestrator.events import utc_now

if TYPE_CHECKING:
    from orchestrator.daemon.service import DaemonService

log = structlog.get_logger()

_INTERVAL = 600.0
_PAGE = 100


class Retention:
    """Forgets, now and then.

    Args:
        service: whose runs these are.
    """

    def __init__(self, service: DaemonService) -> None:
        self._service = service

    async def keep(self) -> None:
        """Look after what is kept, for ever."""
        while True:
            try:
                await self._forget_old_runs()
            except OrchestratorError as error:
                log.warning("daemon.not_pruned", error=error_text(error))
            await anyio.sleep(_INTERVAL)

    async def _forget_old_runs(self) -> None:
        service = self._service
        before = utc_now() - timedelta(days=service.limits.keep_days)
        forgotten = 0
        while old := await service.intake.ended_before(before, limit=_PAGE):
            for run_id in old:
                await service.desk.forget(run_id)
                forgotten += 1
        # Those of other ways in too, which have no record of the daemon's.
        forgotten += await service.orchestrator.journal.prune(before=before)
        if forgotten:
            log.info("daemon.pruned", runs=forgotten, before=before.isoformat())


async def sweep(uploads: Path, needed: Collection[Path]) -> None:
    """Delete the files of requests that never became runs, since the daemon died before it accepted them.

    Args:
        uploads: the folder of their folders; nobody writes to it yet.
        needed: the folders that runs have.
    """
    kept = {folder.name for folder in needed if folder.parent == uploads}

    def work() -> int:
        left = [folder for folder in uploads.iterdir() if folder.name not in kept]
        for folder in left:
            shutil.rmtree(folder, ignore_errors=True)
        return len(left)

    if swept := await anyio.to_thread.run_sync(work):
        log.info("daemon.swept", uploads=swept)
