"""Brings a blob in pieces: a small one in one request, a large one in parts.

Far away a few parts are under way at once: the network is fastest so. On this machine one after the other is:
nothing is kept but what was just read, and each request costs the server less than the next.

What there is to know of a blob comes with its first piece: nobody has to ask for that before.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final, Protocol, TypeVar

import anyio

from orchestrator.accounts.budget import TransferBudget
from orchestrator.accounts.direct import DirectBlobs, Piece
from orchestrator.accounts.failures import Answer, AnswerError, Failure
from orchestrator.errors import OrchestratorError, ServiceError
from orchestrator.states import BlobSnapshot

T = TypeVar("T")

_PARTS_AT_ONCE: Final = 4
_FIRST: Final = 1.25
_PART: Final = 4
"""How many blocks the first piece and the parts are. Each piece costs Azurite as much as some MiB of content,
and of a range of 4 MiB or less it makes an MD5, whether anybody asks or not (both measured)."""


_POURED: Final = 64 * 1024 * 1024
"""Of one request where nothing is kept: short enough for the time that a request is given."""


class Persist(Protocol):
    """Carries out a request with retries."""

    async def __call__(self, send: Callable[[], Awaitable[T]], /) -> T:
        """Call it until it succeeds or can't; returns what it returned."""


class BlobDownload:
    """One blob on its way here.

    Args:
        direct: makes the requests.
        container: of the blob.
        blob: its name.
        persist: carries out a request with retries.
        block_size: what the sizes of the pieces follow.
        budget: what is read waits in it until it is taken.
        near: whether the storage is on this machine.

    Attributes:
        found: what the service has said of the blob; None before the first piece.
    """

    def __init__(
        self,
        direct: DirectBlobs,
        container: str,
        blob: str,
        *,
        persist: Persist,
        block_size: int,
        budget: TransferBudget,
        near: bool,
    ) -> None:
        self.found: BlobSnapshot | None = None
        self._direct = direct
        self._container = container
        self._blob = blob
        self._persist = persist
        self._first_size = int(block_size * _FIRST)
        self._part_size = block_size * _PART
        self._budget = budget
        self._near = near

    async def bring(self, take: Callable[[bytes], Awaitable[None]]) -> None:
        """Bring the content, in order, all of one version of the blob.

        Nobody has compared it with `found` yet: whoever puts it together does, for he hashes it anyhow.

        Args:
            take: gets the content as it came, in pieces of which none is empty, one after the other; while
                it keeps one, the next are on their way.

        Raises:
            NotFoundError: there is no such blob.
            ServiceError: the service refused, or the blob was replaced meanwhile (`ConditionNotMet`).
            UnreachableError: no answer came.
            OrchestratorError: what `take` raises.
        """
        taken = await self._budget.take(self._first_size)
        try:
            first = await self._first()
            if first is None:
                self.found = BlobSnapshot(name=self._blob, size=0)
                return
            self.found = BlobSnapshot(name=self._blob, size=first.size, md5=first.md5)
            size, etag, offset = first.size, first.etag, first.length
            # The rest of it is for others while this one is written.
            self._budget.give_back(max(taken - offset, 0))
            taken = min(taken, offset)
            for chunk in first.chunks:
                await take(chunk)
        finally:
            self._budget.give_back(taken)
        del first
        if self._near:
            await self._pour(offset, size, etag, take)
        elif offset < size:
            parts = _Parts(self._part, self._part_size, self._budget, take)
            await parts.bring(offset, size, etag)

    async def _pour(self, offset: int, end: int, etag: str, take: Callable[[bytes], Awaitable[None]]) -> None:
        at = until = offset

        async def taken(chunk: bytes) -> None:
            nonlocal at
            await take(chunk)
            at += len(chunk)

        async def attempt() -> None:
            # One that is tried again goes on where the one before broke off.
            if at < until:
                await self._direct.pour(
                    self._container, self._blob, offset=at, length=until - at, etag=etag, take=taken
                )
            if at < until:
                raise AnswerError(Failure(answer=Answer.LOST, message="the answer ended too soon"))

        while at < end:
            until = min(at + _POURED, end)
            await self._persist(attempt)

    async def _first(self) -> Piece | None:
        try:
            return await self._part(0, self._first_size, None)
        except ServiceError as refused:
            if refused.status != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise
            return None  # an empty blob has no first piece

    async def _part(self, offset: int, length: int, etag: str | None) -> Piece:
        return await self._persist(
            lambda: self._direct.get(self._container, self._blob, offset=offset, length=length, etag=etag)
        )


class _Parts:
    """The parts of a large blob: a few under way, each taken when those before it are."""

    def __init__(
        self,
        part: Callable[[int, int, str | None], Awaitable[Piece]],
        part_size: int,
        budget: TransferBudget,
        take: Callable[[bytes], Awaitable[None]],
    ) -> None:
        self._part = part
        self._part_size = part_size
        self._budget = budget
        self._take = take
        self._taken = 0
        self._waiting: dict[int, anyio.Event] = {}

    async def bring(self, begin: int, end: int, etag: str) -> None:
        offsets = iter(range(begin, end, self._part_size))
        failures: list[OrchestratorError] = []
        self._taken = begin

        async def work() -> None:
            try:
                # Nothing is awaited between the choice of a part and its place in the budget's line: so
                # nobody holds memory while he waits for a part that has none yet.
                for offset in offsets:
                    async with self._budget.held(min(self._part_size, end - offset)) as length:
                        piece = await self._part(offset, length, etag)
                        await self._in_turn(offset, piece)
                        del piece
            except OrchestratorError as failure:
                failures.append(failure)
                group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            for _ in range(_PARTS_AT_ONCE):
                group.start_soon(work)
        if failures:
            raise failures[0]

    async def _in_turn(self, offset: int, piece: Piece) -> None:
        if offset != self._taken:
            turn = self._waiting[offset] = anyio.Event()
            await turn.wait()
        for chunk in piece.chunks:
            await self._take(chunk)
        self._taken = offset + piece.length
        if following := self._waiting.pop(self._taken, None):
            following.set()
