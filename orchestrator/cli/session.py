"""Runs as the command line drives them: what is shown, what is asked, and what the signals do."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.cli.exit_codes import ExitCode, of_result
from orchestrator.cli.loop import run
from orchestrator.cli.options import Account, Output

if TYPE_CHECKING:
    from orchestrator.cli.ask import Ask
    from orchestrator.cli.render.renderer import Renderer
    from orchestrator.runtime.job_run import JobRun
    from orchestrator.runtime.orchestrator import Orchestrator
    from orchestrator.spec.job import CleanupSpec


def remark(text: str) -> None:
    """Say something on stderr that belongs to no run's events."""
    print(f"orchestrator: {text}", file=sys.stderr, flush=True)


class Session:
    """One run after the other on one account.

    Args:
        account: where they are.
        output: what is shown of them.
        env_file: settings of a local service that runs already.
        cleanup: the policies of which `ask` is said to be impossible without a terminal; None says nothing.
    """

    def __init__(
        self, *, account: Account, output: Output, env_file: Path | None, cleanup: CleanupSpec | None = None
    ) -> None:
        from orchestrator.cli.interrupts import Interrupts

        self._account = account
        self._output = output
        self._env_file = env_file
        self._cleanup = cleanup
        self._renderer: Renderer | None = None
        self._interrupts = Interrupts(first=self._first, second=self._second)
        self._main: asyncio.Task[object] | None = None
        self._job_run: JobRun | None = None

    def run(self, begin: Callable[[Orchestrator], AsyncIterator[JobRun]]) -> ExitCode:
        """Open the account, and follow each run to its end.

        Args:
            begin: gives the runs, the next one when the last is over.

        Returns:
            What the program ends with: that something was left behind wins, then the first that went wrong.
        """
        try:
            return run(self._run(begin))
        except asyncio.CancelledError:
            return ExitCode.INTERRUPTED

    async def _run(self, begin: Callable[[Orchestrator], AsyncIterator[JobRun]]) -> ExitCode:
        from orchestrator.cli.account import orchestrator_for

        self._main = asyncio.current_task()
        codes: list[ExitCode] = []
        with self._interrupts.installed():
            async with orchestrator_for(
                self._account, env_file=self._env_file, ask=self._asker()
            ) as orchestrator:
                async for job_run in begin(orchestrator):
                    codes.append(await self._follow(job_run))
                    if self._interrupts.asked:
                        break
        if ExitCode.LEFT_BEHIND in codes:
            return ExitCode.LEFT_BEHIND
        return next((code for code in codes if code is not ExitCode.SUCCEEDED), ExitCode.SUCCEEDED)

    async def _follow(self, job_run: JobRun) -> ExitCode:
        from orchestrator.cli.render.renderer import renderer_for

        self._job_run = job_run
        events = job_run.events()
        with renderer_for(self._output) as renderer:
            self._renderer = renderer
            renderer.follow(lambda: job_run.progress, job_run.input_name)
            async for event in events:
                renderer.show(event)
            result = await job_run.wait()
            renderer.finish(result)
        return of_result(result, job_run.error)

    def _asker(self) -> Ask | None:
        from orchestrator.cli.ask import asked_for, has_terminal

        if has_terminal():
            return self._ask
        if self._cleanup is not None and (names := asked_for(self._cleanup)):
            remark(f"nobody can be asked without a terminal: on_success is used for {', '.join(names)}")
        return None

    async def _ask(self, kind: str, name: str) -> bool:
        from orchestrator.cli.ask import delete_on_terminal

        if self._renderer is None:
            return False
        with self._renderer.paused():
            return await delete_on_terminal(kind, name, interrupts=self._interrupts)

    def _first(self, signal_name: str) -> None:
        if self._job_run is not None:
            remark(f"{signal_name}: giving up what is unfinished, then cleaning up; once more ends at once")
            self._job_run.cancel(f"interrupted by {signal_name}")
        elif self._main is not None:
            # There is no run yet, and nothing was created: ending at once is ending well.
            self._main.cancel()

    def _second(self) -> None:
        if self._job_run is not None:
            remark("ended at once, without clean-up")
            self._job_run.stop()
