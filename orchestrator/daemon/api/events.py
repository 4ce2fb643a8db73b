"""Events as they come, as server-sent events, from any point of the past on, without a gap."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import aclosing

import anyio
import msgspec
import structlog
from aiohttp import web

from orchestrator.daemon import refusals
from orchestrator.daemon.records import Phase
from orchestrator.daemon.service import DaemonService
from orchestrator.journal.records import StoredEvent
from orchestrator.prompt_loop import take_turns

log = structlog.get_logger()

_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
    "X-Content-Type-Options": "nosniff",
}
_LARGEST = 2**63 - 1
_DIGITS = 19
_LAST = "RunFinished"
_QUIET = b": nothing new\n\n"


async def of_all(request: web.Request, service: DaemonService) -> web.StreamResponse:
    """The events of all runs: those to come, or those after `Last-Event-ID`."""
    return await _Listener(request, service, run_id=None).listen()


async def of_run(request: web.Request, service: DaemonService) -> web.StreamResponse:
    """The events of one run from its first on, or after `Last-Event-ID`, to its last."""
    record = await service.desk.find(request.match_info["run_id"])
    return await _Listener(request, service, run_id=record.run_id).listen()


class _Listener:
    """One open stream."""

    def __init__(self, request: web.Request, service: DaemonService, *, run_id: str | None) -> None:
        self._request = request
        self._service = service
        self._run_id = run_id
        # What a run told before anybody listened belongs to it; what all runs ever told is only for who asks.
        self._cursor = _cursor(request, default=0 if run_id is not None else service.feed.head)
        self._response = web.StreamResponse(headers=_HEADERS)
        self._told_at = 0.0

    async def listen(self) -> web.StreamResponse:
        service = self._service
        if service.listeners >= service.limits.listeners:
            raise refusals.too_many_listeners(service.limits.listeners)
        service.listeners += 1
        take_turns()  # a thousand listeners that are told something would be before everything else
        try:
            await self._response.prepare(self._request)
            self._bound()
            await self._write(b"retry: 1000\n\n")
            await self._pass_on()
        except TimeoutError:
            self._cut_off()
        finally:
            service.listeners -= 1
        return self._response

    async def _pass_on(self) -> None:
        feed = self._service.feed
        async with aclosing(feed.after(self._cursor, run_id=self._run_id)) as stream:
            async for cursor, rows in stream:
                self._cursor = cursor
                if rows or time.monotonic() - self._told_at >= self._service.limits.listener_quiet:
                    await self._write(b"".join(map(_frame, rows)) or _QUIET)
                if any(row.event == _LAST for row in rows) and self._run_id is not None:
                    return
                if not rows and await self._ended():
                    return
                if self._service.drained.is_set():
                    await self._write(_told("Closing", "the daemon is shutting down", self._cursor))
                    return

    async def _ended(self) -> bool:
        """Whether the run is over, and told all it had to tell; one that never began tells nothing."""
        if self._run_id is None:
            return False
        record = await self._service.intake.get(self._run_id)
        return record is None or record.phase is Phase.FINISHED

    async def _write(self, data: bytes) -> None:
        with anyio.fail_after(self._service.limits.listener_timeout):
            await self._response.write(data)
        self._told_at = time.monotonic()

    def _bound(self) -> None:
        """Let no more bytes wait for this listener than it may have; writing waits from there on."""
        transport = self._request.transport
        if transport is not None:
            size = self._service.limits.listener_buffer
            transport.set_write_buffer_limits(high=size)
            # The system would take megabytes more for each listener before anybody noticed that it is slow.
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)

    def _cut_off(self) -> None:
        """End the stream of a listener that does not read, with the reason behind what waits for it."""
        self._service.metrics.cut_off.inc()
        reason = f"nothing was read for {self._service.limits.listener_timeout:g} s"
        # Told here too: one that goes on not to read never gets to the end of its stream.
        log.info("listener.cut_off", client=self._request.remote, reason=reason, last_event_id=self._cursor)
        transport = self._request.transport
        if transport is not None:
            body = _told("ListenerCutOff", reason, self._cursor)
            # Past the response, whose write would wait: a piece in the chunked form that ends the body.
            transport.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
            transport.close()
            # Closing waits for what is buffered to be read, which may be never.
            asyncio.get_running_loop().call_later(self._service.limits.listener_timeout, transport.abort)


def _cursor(request: web.Request, *, default: int) -> int:
    text = request.headers.get("Last-Event-ID") or request.query.get("after")
    if text is None:
        return default
    # By length first: Python refuses to read a number of thousands of digits.
    if not (text.isascii() and text.isdigit()) or len(text) > _DIGITS or int(text) > _LARGEST:
        raise refusals.wrong_request("is the number of an event", where="Last-Event-ID")
    return int(text)


def _frame(row: StoredEvent) -> bytes:
    # JSON holds no line ends, so an event is one line.
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (row.number, row.event.encode(), row.body)


def _told(event: str, reason: str, cursor: int) -> bytes:
    body = msgspec.json.encode({"event": event, "reason": reason, "last_event_id": cursor})
    return b"event: %b\ndata: %b\n\n" % (event.encode(), body)
