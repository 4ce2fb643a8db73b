"""What runs have created and not deleted yet, looked up now and then, so that asking costs nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import anyio
import structlog

from orchestrator.errors import JournalError, error_text
from orchestrator.journal import Journal

log = structlog.get_logger()

_INTERVAL = 1.0
"""Seconds between two looks: other programs may write to the journal too."""


class Owing:
    """Counts what is owed.

    Args:
        journal: that knows it.

    Attributes:
        told: how many things there are, by kind, as of the last look.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.told: Mapping[str, int] = {}

    async def look(self) -> None:
        """Look once; where the journal can't be read, what was told last still is."""
        try:
            self.told = Counter(one.kind for one in await self._journal.owed())
        except JournalError as error:
            log.warning("daemon.owed_not_read", error=error_text(error))

    async def watch(self) -> None:
        """Look for ever."""
        while True:
            await anyio.sleep(_INTERVAL)
            await self.look()
