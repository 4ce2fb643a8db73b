"""Who waits for room under the account's quotas, in the order of asking."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
import structlog

from orchestrator.errors import QuotaError, error_text

T = TypeVar("T")

_log = structlog.get_logger("orchestrator.accounts")


class QuotaLine:
    """Lets runs wait for room instead of ending, where somebody runs many of them.

    A quota counts what others in the account have too, and nothing tells when it has room again: the first
    in line asks again when a run here is over, and now and then. Neither those behind ask nor those who come
    later, so that nobody is overtaken; while nobody is in line, all ask at once.

    Args:
        interval: seconds between two tries while nothing is known to have changed.

    Attributes:
        patient: whether runs wait at all; else a quota that is used up is raised at once.
    """

    def __init__(self, *, interval: float) -> None:
        self.patient = False
        self._interval = interval
        self._lines: dict[str, dict[str, str]] = {}
        self._changed = anyio.Event()

    async def through(self, kind: str, run_id: str, attempt: Callable[[], Awaitable[T]]) -> T:
        """Do what takes a place under a quota, once there is room.

        Args:
            kind: of the quota, such as `job`: each has a line of its own.
            run_id: who asks.
            attempt: takes the place; raises QuotaError where there is none.

        Raises:
            QuotaError: there is no room, and nobody waits here.
        """
        if not self.patient:
            return await attempt()
        line = self._lines.setdefault(kind, {})
        reason = "others wait for the same quota"
        if not line:
            try:
                return await attempt()
            except QuotaError as error:
                reason = error_text(error)
                _log.info("quota.waiting", run=run_id, kind=kind, error=reason)
        line[run_id] = reason
        try:
            while True:
                changed = self._changed
                if next(iter(line)) == run_id:
                    try:
                        return await attempt()
                    except QuotaError as error:
                        if line[run_id] != (reason := error_text(error)):
                            _log.info("quota.waiting", run=run_id, kind=kind, error=reason)
                        line[run_id] = reason
                with anyio.move_on_after(self._interval):
                    await changed.wait()
        finally:
            del line[run_id]
            self.look_again()

    def look_again(self) -> None:
        """Something is gone that may have counted."""
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def place(self, run_id: str) -> int | None:
        """The place of a run in its line, from 1; None if it waits in none."""
        for line in self._lines.values():
            if run_id in line:
                return list(line).index(run_id) + 1
        return None

    def reason(self, run_id: str) -> str | None:
        """What the service says; None if the run waits in no line."""
        return next((line[run_id] for line in self._lines.values() if run_id in line), None)
