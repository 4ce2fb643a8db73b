"""The journal's record of what one run has created, as the stages and clean-up see it."""

from __future__ import annotations

import anyio.to_thread

from orchestrator.journal import Journal
from orchestrator.journal.owner import owner_of


class RunLedger:
    """One run's view of the journal.

    Args:
        journal: where it is written.
        run_id: of the run.
    """

    def __init__(self, journal: Journal, run_id: str) -> None:
        self._journal = journal
        self._run_id = run_id
        self._here: dict[tuple[str, str], None] = {}

    async def owe(self, kind: str, resource_id: str) -> None:
        """Write down that the thing may exist from now on."""
        self._here[kind, resource_id] = None
        await self._journal.owe(self._run_id, kind, resource_id)

    async def intend(self, task_ids: tuple[str, ...]) -> None:
        """Write down that these tasks may have been added from now on."""
        await self._journal.intend(self._run_id, task_ids)

    async def owner(self) -> str:
        """Whose it all is: of the journal's folder, whichever of its runs this is."""
        return await anyio.to_thread.run_sync(owner_of, self._journal.path.parent)

    async def settle(self, kind: str, resource_id: str) -> None:
        """Strike it out."""
        await self._journal.settle(self._run_id, kind, resource_id)
        self._here.pop((kind, resource_id), None)

    async def hand_over(self, kind: str, resource_id: str, heir: str) -> None:
        """Write down that another run owes the thing too; until it is settled here, both do."""
        await self._journal.owe(heir, kind, resource_id)

    def remembered(self) -> tuple[str, ...]:
        """What this program knows to be owed, as `kind id`, for when the journal can't be read."""
        return tuple(f"{kind} {resource_id}" for kind, resource_id in self._here)

    async def owed(self) -> tuple[tuple[str, str], ...]:
        """What is still owed: (kind, id), in the order in which it was created."""
        return tuple((owed.kind, owed.resource_id) for owed in await self._journal.owed(self._run_id))
