"""Whether the account answers, looked at now and then, so that asking costs nothing."""

from __future__ import annotations

import anyio
import structlog

from orchestrator.errors import OrchestratorError, error_text
from orchestrator.runtime.orchestrator import Orchestrator

log = structlog.get_logger()


class AccountCheck:
    """Asks the account for something that may not exist: any answer will do.

    Args:
        orchestrator: open.
        interval: seconds between two looks, each of which may take as long.
    """

    def __init__(self, orchestrator: Orchestrator, *, interval: float) -> None:
        self._orchestrator = orchestrator
        self._interval = interval
        self.problem: str | None = "not asked yet"

    async def watch(self) -> None:
        """Look for ever."""
        while True:
            problem = await self._look()
            if problem != self.problem:
                log.info("account.answers") if problem is None else log.warning(
                    "account.silent", error=problem
                )
            self.problem = problem
            await anyio.sleep(self._interval)

    async def _look(self) -> str | None:
        with anyio.move_on_after(self._interval):
            try:
                await self._orchestrator.account.batch.list_jobs("id eq 'is-the-account-there'")
            except OrchestratorError as error:
                return error_text(error)
            return None
        return f"no answer within {self._interval:g} s"
