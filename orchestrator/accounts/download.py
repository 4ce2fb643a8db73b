"""Brings a blob in pieces: a small one in one request, a large one in parts, a few under way at once."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from http import HTTPStatus
from typing import Final

import anyio

from orchestrator.accounts.budget import TransferBudget
from orchestrator.accounts.direct import DirectBlobs, Piece
from orchestrator.errors import OrchestratorError, ServiceError

_PARTS_AT_ONCE: Final = 4


class BlobDownload:
    """One blob on its way here.

    Args:
        direct: makes the requests.
        container: of the blob.
        blob: its name.
        persist: carries out a request with retries.
        block_size: of a piece.
        budget: what is read waits in it until it is taken.
    """

    def __init__(
        self,
        direct: DirectBlobs,
        container: str,
        blob: str,
        *,
        persist: Callable[[Callable[[], Awaitable[Piece]]], Awaitable[Piece]],
        block_size: int,
        budget: TransferBudget,
    ) -> None:
        self._direct = direct
        self._container = container
        self._blob = blob
        self._persist = persist
        self._block_size = block_size
        self._budget = budget

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The content, in order, all of one version of the blob.

        Yields:
            Pieces of at most the block size, none of them empty.

        Raises:
            ServiceError: the service refused, or the blob was replaced meanwhile (`ConditionNotMet`).
            UnreachableError: no answer came.
        """
        taken = await self._budget.take(self._block_size)
        try:
            first = await self._first()
            if first is None:
                return
            size, etag, offset = first.size, first.etag, len(first.data)
            # The rest of it is for others while this one is written.
            self._budget.give_back(max(taken - offset, 0))
            taken = min(taken, offset)
            yield first.data
        finally:
            self._budget.give_back(taken)
        del first
        while offset < size:
            wanted = min(size - offset, _PARTS_AT_ONCE * self._block_size)
            taken = await self._budget.take(wanted)
            try:
                for piece in await self._parts(offset, offset + wanted, etag):
                    offset += len(piece)
                    yield piece
            finally:
                self._budget.give_back(taken)

    async def _first(self) -> Piece | None:
        try:
            return await self._piece(0, self._block_size, None)
        except ServiceError as refused:
            if refused.status != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise
            return None  # an empty blob has no first piece

    async def _parts(self, begin: int, end: int, etag: str) -> list[bytes]:
        """Several pieces at once; the group is closed before anything is yielded."""
        parts: dict[int, bytes] = {}
        failures: list[OrchestratorError] = []

        async def bring(offset: int) -> None:
            try:
                length = min(self._block_size, end - offset)
                parts[offset] = (await self._piece(offset, length, etag)).data
            except OrchestratorError as failure:
                failures.append(failure)
                group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            for offset in range(begin, end, self._block_size):
                group.start_soon(bring, offset)
        if failures:
            raise failures[0]
        return [parts[offset] for offset in sorted(parts)]

    async def _piece(self, offset: int, length: int, etag: str | None) -> Piece:
        return await self._persist(
            lambda: self._direct.get(self._container, self._blob, offset=offset, length=length, etag=etag)
        )
