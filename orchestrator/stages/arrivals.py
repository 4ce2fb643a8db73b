"""The inputs that have arrived in storage, as the tasks that need them ask for them."""

from __future__ import annotations

from array import array

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream

from orchestrator.errors import StagingError
from orchestrator.stages.contents import KEY_BYTES
from orchestrator.stages.staging import Arrival

_NOT_HERE = -1


class _Blobs:
    """The blobs of inputs by index, in 20 bytes each: their names are an index and 24 hexadecimal digits."""

    def __init__(self) -> None:
        self._first = array("q")
        self._keys = bytearray()

    def put(self, index: int, blob: str) -> None:
        first, _, key = blob.partition("-")
        content = bytes.fromhex(key)
        if (missing := index + 1 - len(self._first)) > 0:
            self._first.extend([_NOT_HERE] * missing)
            self._keys.extend(bytes(missing * KEY_BYTES))
        self._first[index] = int(first)
        self._keys[index * KEY_BYTES : (index + 1) * KEY_BYTES] = content

    def get(self, index: int) -> str | None:
        if index >= len(self._first) or self._first[index] == _NOT_HERE:
            return None
        key = self._keys[index * KEY_BYTES : (index + 1) * KEY_BYTES]
        return f"{self._first[index]}-{key.hex()}"


class Arrivals:
    """Takes arrivals from staging, in whatever order they come, only as far as they are asked for.

    Staging waits while nobody asks, so the inputs are never far ahead of the tasks.

    Args:
        receive: the other end of what staging writes to; read by one task only.
    """

    def __init__(self, receive: MemoryObjectReceiveStream[Arrival]) -> None:
        self._receive = receive
        self._blobs = _Blobs()

    def has(self, index: int) -> bool:
        """Whether an input is there, so that `blob` gives it without waiting."""
        while self._blobs.get(index) is None:
            try:
                self._blobs.put(*self._receive.receive_nowait())
            except (anyio.WouldBlock, anyio.EndOfStream):
                return False
        return True

    async def blob(self, index: int) -> str:
        """The blob of an input, once it is there.

        Args:
            index: in the plan's `inputs`.

        Raises:
            StagingError: staging ended without it.
        """
        while (blob := self._blobs.get(index)) is None:
            try:
                self._blobs.put(*await self._receive.receive())
            except anyio.EndOfStream:
                raise StagingError("was not staged", path=f"input {index}") from None
        return blob

    def close(self) -> None:
        """Stop taking; staging ends at its next arrival."""
        self._receive.close()
