"""A local service in a process of its own, on a state directory: it may be killed, and starts again."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.acceptance.program import LIMIT, Running
from tests.conformance.waiting import descendants, running_with, until


class KillableService:
    """The service; a context manager that ends it in order.

    Args:
        home: gets its state, its settings and what it says.
    """

    def __init__(self, home: Path) -> None:
        self.env_file = home / "settings.env"
        self._home = home
        self._running = self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._running as service:
            service.signal(signal.SIGTERM)
            assert service.process.wait(LIMIT) == 0

    def kill(self) -> None:
        """End it with -9 and start it on the same state directory; it must be where it was."""
        before = self.env_file.read_text()
        with self._running as service:
            service.signal(signal.SIGKILL)
            service.process.wait(LIMIT)
        self._running = self._start()
        assert self.env_file.read_text() == before

    def stop_blobs(self) -> None:
        """Stop the blob server in order; the service starts it again on the same port."""
        (stopped,) = self._blob_servers()
        os.kill(stopped, signal.SIGTERM)
        asyncio.run(until(lambda: self._blob_servers() not in ([], [stopped]), "another blob server"))

    def _blob_servers(self) -> list[int]:
        below = descendants(self._running.process.pid)
        return [pid for pid in running_with("--blobPort") if pid in below]

    def _start(self) -> Running:
        with (self._home / "service.log").open("ab") as log:
            running = Running(
                *("local", "--state-dir", self._home / "service", "--env-file", self.env_file),
                home=self._home,
                stderr=log.fileno(),
            )
        assert running.line() == "ready", (self._home / "service.log").read_text()
        return running
