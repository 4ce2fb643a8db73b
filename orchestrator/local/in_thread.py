"""The local service in a thread of its own, for programs and tests that have no event loop to spare."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Any, Self

from orchestrator.local.faults.lab import FaultLab
from orchestrator.local.service import LocalService
from orchestrator.local.settings import LocalSettings


class LocalServiceThread:
    """A `LocalService` that lives in a thread; a context manager.

    Args:
        options: of `LocalService`.
    """

    def __init__(self, **options: Any) -> None:
        self._service = LocalService(**options)
        self._thread = threading.Thread(target=self._run, name="local service", daemon=True)
        self._started = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._error: BaseException | None = None

    @property
    def settings(self) -> LocalSettings:
        """What a client needs to reach it.

        Raises:
            RuntimeError: if the service is not running.
        """
        return self._service.settings

    @property
    def faults(self) -> FaultLab:
        """Its fault lab; any thread may use it."""
        return self._service.faults

    def __enter__(self) -> Self:
        """Start it and wait until it answers; blocks.

        Raises:
            BaseException: what `LocalService` raises.
        """
        self._thread.start()
        self._started.wait()
        if self._error is not None:
            self._thread.join()
            raise self._error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it; blocks until nothing is left."""
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # told to whoever waits for the thread
            self._error = error
        finally:
            self._started.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with self._service:
            self._started.set()
            await self._stop.wait()
