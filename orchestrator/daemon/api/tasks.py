"""Tasks of a run, and what they write: from the node while they run, from the disk afterwards."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

import anyio
import anyio.to_thread
from aiohttp import web

from orchestrator.daemon.api import queries
from orchestrator.daemon.api.views import TaskPage, json_response
from orchestrator.daemon.confinement import inside
from orchestrator.daemon.records import Phase
from orchestrator.daemon.refusals import no_such_file, no_such_task
from orchestrator.daemon.service import DaemonService
from orchestrator.daemon.task_table import TaskRow
from orchestrator.errors import OrchestratorError

STATES = ("active", "preparing", "running", "completed", "rejected", "abandoned", "succeeded", "failed")
LOGS = ("stdout", "stderr")
_CHUNK = 64 * 1024
_HEADERS = {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}


async def list_tasks(request: web.Request, service: DaemonService) -> web.Response:
    """Tasks in the order in which they were added."""
    record = await service.desk.find(request.match_info["run_id"])
    limit = queries.number(request, "limit", 100, least=1, most=service.limits.page_size)
    state = queries.choice(request, "state", STATES)
    table = await service.tables.of(record.run_id)
    found = table.page(state=state, after=request.query.get("after"), limit=limit + 1)
    shown = list(found[:limit])
    return json_response(TaskPage(tasks=shown, next=shown[-1].task_id if len(found) > limit else None))


async def log(request: web.Request, service: DaemonService) -> web.StreamResponse:
    """What a task wrote to stdout or stderr; with `follow`, until it ends."""
    follow = queries.flag(request, "follow")
    tail = _Tail(request, service)
    first = await tail.begin()
    response = web.StreamResponse(headers=_HEADERS)
    await response.prepare(request)
    if first is not None:
        await response.write(first)
    async with aclosing(tail.pieces(follow=follow)) as pieces:
        async for piece in pieces:
            await response.write(piece)
    await response.write_eof()
    return response


class _Tail:
    """One log of one task, read from where it is, each byte once."""

    def __init__(self, request: web.Request, service: DaemonService) -> None:
        self._service = service
        self._run_id = request.match_info["run_id"]
        self._task_id = request.match_info["task_id"]
        self._file = f"{request.match_info['log']}.txt"
        self._sent = 0

    async def look(self) -> TaskRow:
        """Where the task is.

        Raises:
            DaemonError: there is no such run or task.
        """
        await self._service.desk.find(self._run_id)
        row = (await self._service.tables.of(self._run_id)).get(self._task_id)
        if row is None:
            raise no_such_task(self._task_id)
        return row

    async def begin(self) -> bytes | None:
        """The first piece, so that a log that is nowhere is told as that.

        Raises:
            DaemonError: the task is over, and nothing was kept.
        """
        row = await self.look()
        async for piece in self._from_disk():
            return piece
        if row.outputs and not await self._on_disk():
            raise no_such_file(self._file)
        return None

    async def pieces(self, *, follow: bool) -> AsyncGenerator[bytes]:
        """What comes after what was sent."""
        while True:
            row = await self.look()
            run = await self._service.desk.find(self._run_id)
            over = row.outputs or run.phase is Phase.FINISHED
            source = self._from_disk() if over else self._from_node()
            async with aclosing(source) as pieces:
                async for piece in pieces:
                    yield piece
            if over or not follow or self._service.drained.is_set():
                return
            await anyio.sleep(self._service.limits.follow_interval)

    async def _on_disk(self) -> bool:
        run = await self._service.desk.find(self._run_id)
        path = inside(run.results, f"{self._task_id}/{self._file}")
        return path is not None and await anyio.Path(path).is_file()

    async def _from_disk(self) -> AsyncGenerator[bytes]:
        run = await self._service.desk.find(self._run_id)
        path = inside(run.results, f"{self._task_id}/{self._file}")
        if path is None or not await anyio.Path(path).is_file():
            return
        async with await anyio.open_file(path, "rb") as file:
            await file.seek(self._sent)
            while (left := self._service.limits.log_bytes - self._sent) > 0:
                piece = await file.read(min(_CHUNK, left))
                if not piece:
                    return
                self._sent += len(piece)
                yield piece

    async def _from_node(self) -> AsyncGenerator[bytes]:
        run = await self._service.desk.find(self._run_id)
        left = self._service.limits.log_bytes - self._sent
        pieces = self._service.orchestrator.account.batch.read_task_file(
            run.job_id, self._task_id, self._file, limit=left, offset=self._sent
        )
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    self._sent += len(piece)
                    yield piece
        except OrchestratorError:
            # There is nothing new, the task has not begun, or its node has gone; the next look may find more,
            # here or on the disk.
            return
