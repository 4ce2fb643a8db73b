"""The inputs that have arrived in storage, as the tasks that need them ask for them."""

from __future__ import annotations

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream

from orchestrator.errors import StagingError
from orchestrator.stages.staging import Arrival


class Arrivals:
    """Takes arrivals from staging, in whatever order they come, only as far as they are asked for.

    Staging waits while nobody asks, so the inputs are never far ahead of the tasks.

    Args:
        receive: the other end of what staging writes to; read by one task only.
    """

    def __init__(self, receive: MemoryObjectReceiveStream[Arrival]) -> None:
        self._receive = receive
        self._blobs: dict[int, str] = {}

    def has(self, index: int) -> bool:
        """Whether an input is there, so that `blob` gives it without waiting."""
        while index not in self._blobs:
            try:
                arrived, blob = self._receive.receive_nowait()
            except (anyio.WouldBlock, anyio.EndOfStream):
                return False
            self._blobs[arrived] = blob
        return True

    async def blob(self, index: int) -> str:
        """The blob of an input, once it is there.

        Args:
            index: in the plan's `inputs`.

        Raises:
            StagingError: staging ended without it.
        """
        while index not in self._blobs:
            try:
                arrived, blob = await self._receive.receive()
            except anyio.EndOfStream:
                raise StagingError("was not staged", path=f"input {index}") from None
            self._blobs[arrived] = blob
        return self._blobs[index]

    def close(self) -> None:
        """Stop taking; staging ends at its next arrival."""
        self._receive.close()
