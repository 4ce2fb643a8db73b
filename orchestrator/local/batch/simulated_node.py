"""A node without a process: what it "runs" ends when its time is up, with the exit code that was asked for.

No file comes or goes, and nothing is written: for tests of very many tasks.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from orchestrator.local.batch.execution import Execution, Outcome, Wire
from orchestrator.local.batch.simulation import VARIABLE, Pretence, read_command
from orchestrator.local.node_agent import failures

log = structlog.get_logger("orchestrator.local.batch")

_KILLED: Final = -9


class Alarms:
    """Calls that are due at a time: one timer for all of them, however many there are."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int]] = []
        self._calls: dict[int, Callable[[], None]] = {}
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    def set(self, seconds: float, call: Callable[[], None]) -> int:
        """Have something called after a while, never at once.

        Args:
            seconds: from now.
            call: that raises nothing.

        Returns:
            A number to cancel it by.
        """
        loop = asyncio.get_running_loop()
        number = next(self._numbers)
        when = loop.time() + seconds
        self._calls[number] = call
        heapq.heappush(self._heap, (when, number))
        if self._timer is None or when < self._timer.when():
            self._arm(loop)
        return number

    def cancel(self, number: int) -> None:
        """Have something not called.

        Args:
            number: of `set`; one that was called is fine.
        """
        self._calls.pop(number, None)

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
        while self._heap and self._heap[0][1] not in self._calls:
            heapq.heappop(self._heap)
        self._timer = loop.call_at(self._heap[0][0], self._ring, loop) if self._heap else None

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        # What the calls set anew waits for the next round, or it would never end.
        due = []
        now = loop.time()
        while self._heap and self._heap[0][0] <= now:
            due.append(heapq.heappop(self._heap)[1])
        for number in due:
            call = self._calls.pop(number, None)
            if call is None:
                continue
            try:
                call()
            except Exception:  # the border: one broken call must not take the others down
                log.exception("simulation.alarm.broken")
        self._timer = None
        self._arm(loop)


@dataclass(slots=True)
class _Running:
    alarm: int
    started_at: datetime
    on_ended: Callable[[Outcome], None]


class SimulatedNode:
    """Implements `Node`, and `begin`, which needs no task of the event loop's while something runs.

    Args:
        root: its folder, which stays empty.
        alarms: shared by all simulated nodes of an account.
    """

    def __init__(self, root: Path, alarms: Alarms) -> None:
        self._root = root
        self._alarms = alarms
        self._running: dict[str, _Running] = {}
        self._gone = asyncio.Event()
        self._lost = False

    @property
    def root(self) -> Path:
        """The folder that AZ_BATCH_NODE_ROOT_DIR names."""
        return self._root

    def begin(self, execution: Execution, on_ended: Callable[[Outcome], None]) -> None:
        """Begin what `execute` does, from now on.

        Args:
            execution: what to pretend; its files don't matter.
            on_ended: called with how it went, never at once.
        """
        name = execution.execution_id
        seconds, exit_code, failure = _plan(execution)

        def end() -> None:
            running = self._running.pop(name)
            on_ended(_outcome(running.started_at, exit_code, failure))

        started_at = datetime.now(UTC)
        self._running[name] = _Running(self._alarms.set(seconds, end), started_at, on_ended)
        if self._gone.is_set():
            self._lose(name)

    async def execute(self, execution: Execution, *, on_started: Callable[[datetime], None]) -> Outcome:
        """Wait until the command's time is up; see `Node`.

        Args:
            execution: what to pretend; its files don't matter.
            on_started: called at once.
        """
        ended: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def tell(outcome: Outcome) -> None:
            if not ended.done():
                ended.set_result(outcome)

        self.begin(execution, tell)
        on_started(datetime.now(UTC))
        return await ended

    async def kill(self, execution_id: str, *, code: str, message: str) -> None:
        """End an execution; its Outcome carries this failure code.

        Args:
            execution_id: of `Execution`.
            code: of the failure.
            message: of the failure.
        """
        running = self._running.pop(execution_id, None)
        if running is not None:
            self._alarms.cancel(running.alarm)
            running.on_ended(_outcome(running.started_at, _KILLED, failures.ended(code, message)))

    async def remove(self, directory: str) -> None:
        """Nothing is there.

        Args:
            directory: relative to the root.
        """

    async def died(self) -> bool:
        """Wait for the end; tell whether it came by `lose`."""
        await self._gone.wait()
        return self._lost

    def lose(self) -> None:
        """Die: what runs comes back as lost, soon."""
        self._lost = True
        self._end()

    async def close(self) -> None:
        """End everything."""
        self._end()

    def _end(self) -> None:
        self._gone.set()
        for name in list(self._running):
            self._lose(name)

    def _lose(self, name: str) -> None:
        running = self._running.pop(name)
        self._alarms.cancel(running.alarm)

        def end() -> None:
            now = datetime.now(UTC)
            running.on_ended(
                Outcome(exit_code=None, failure=None, started_at=running.started_at, ended_at=now, lost=True)
            )

        self._alarms.set(0.0, end)


def _plan(execution: Execution) -> tuple[float, int | None, Wire | None]:
    stated = execution.environment.get(VARIABLE)
    pretence = read_command(execution.command_line if stated is None else f"simulate {stated}")
    if not isinstance(pretence, Pretence):
        return 0.0, None, failures.command_launch_failed(pretence)
    limit = execution.max_wall_clock_seconds
    if limit is not None and pretence.seconds > limit:
        return limit, _KILLED, failures.wall_clock_exceeded()
    failure = failures.failure_exit_code() if pretence.exit_code else None
    return pretence.seconds, pretence.exit_code, failure


def _outcome(started_at: datetime, exit_code: int | None, failure: Wire | None) -> Outcome:
    return Outcome(exit_code=exit_code, failure=failure, started_at=started_at, ended_at=datetime.now(UTC))
