"""`orchestrator run JOB`: run a job from its files to its results, and clean up."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.exit_codes import ExitCode, of_result
from orchestrator.cli.options import Account, DownloadDir, EnvFile, JobFile, Output

if TYPE_CHECKING:
    from orchestrator.cli.ask import Ask
    from orchestrator.runtime.job_run import JobRun
    from orchestrator.spec.job import JobSpec


def run(
    job: JobFile,
    account: Annotated[
        Account, typer.Option(help="Where it runs; Azure is never touched unless named.")
    ] = Account.LOCAL,
    download_dir: DownloadDir = None,
    output: Annotated[Output, typer.Option(help="What is shown meanwhile.")] = Output.TEXT,
    keep: Annotated[
        bool, typer.Option("--keep", help="Delete nothing: containers, job and pool stay, and cost money.")
    ] = False,
    env_file: EnvFile = None,
) -> None:
    """Run a job: stage its files, run its tasks, download their outputs as they end, clean up."""
    from orchestrator.cli.logs import configure_logs
    from orchestrator.spec import load_job, new_run_id, plan_run

    configure_logs()
    spec = _adjusted(load_job(job), download_dir=download_dir, keep=keep)
    # Planned here too, so that no service is started, or asked, for a job that can't be right.
    plan_run(spec, new_run_id())
    session = _Session(spec, account=account, output=output, env_file=env_file)
    try:
        code = asyncio.run(session.run())
    except asyncio.CancelledError:
        code = ExitCode.INTERRUPTED
    raise typer.Exit(code)


def _adjusted(spec: JobSpec, *, download_dir: Path | None, keep: bool) -> JobSpec:
    import msgspec

    from orchestrator.spec.job import CleanupSpec, CleanupWhen

    if download_dir is not None:
        # Absolute, since the job file's own is relative to the job file and not to where the user stands.
        spec = msgspec.structs.replace(spec, download_dir=str(download_dir.absolute()))
    if keep:
        never = CleanupWhen.NEVER
        spec = msgspec.structs.replace(spec, cleanup=CleanupSpec(containers=never, job=never, pool=never))
    return spec


def _remark(text: str) -> None:
    print(f"orchestrator: {text}", file=sys.stderr, flush=True)


class _Session:
    """One run from the command line, and what the signals do to it."""

    def __init__(self, spec: JobSpec, *, account: Account, output: Output, env_file: Path | None) -> None:
        from orchestrator.cli.interrupts import Interrupts
        from orchestrator.cli.render.renderer import renderer_for

        self._spec = spec
        self._account = account
        self._env_file = env_file
        self._renderer = renderer_for(output)
        self._interrupts = Interrupts(first=self._first, second=self._second)
        self._main: asyncio.Task[object] | None = None
        self._job_run: JobRun | None = None

    async def run(self) -> ExitCode:
        from orchestrator.cli.account import orchestrator_for

        self._main = asyncio.current_task()
        with self._interrupts.installed(), self._renderer as renderer:
            async with orchestrator_for(
                self._account, env_file=self._env_file, ask=self._asker()
            ) as orchestrator:
                self._job_run = job_run = await orchestrator.submit(self._spec)
                renderer.follow(lambda: job_run.progress, job_run.input_name)
                async for event in job_run.events():
                    renderer.show(event)
                result = await job_run.wait()
            renderer.finish(result)
        return of_result(result, job_run.error)

    def _asker(self) -> Ask | None:
        from orchestrator.cli.ask import asked_for, has_terminal

        if has_terminal():
            return self._ask
        if names := asked_for(self._spec.cleanup):
            _remark(f"nobody can be asked without a terminal: on_success is used for {', '.join(names)}")
        return None

    async def _ask(self, kind: str, name: str) -> bool:
        from orchestrator.cli.ask import delete_on_terminal

        with self._renderer.paused():
            return await delete_on_terminal(kind, name, interrupts=self._interrupts)

    def _first(self, signal_name: str) -> None:
        if self._job_run is not None:
            _remark(f"{signal_name}: giving up what is unfinished, then cleaning up; once more ends at once")
            self._job_run.cancel(f"interrupted by {signal_name}")
        elif self._main is not None:
            # There is no run yet, and nothing was created: ending at once is ending well.
            self._main.cancel()

    def _second(self) -> None:
        if self._job_run is not None:
            _remark("ended at once, without clean-up")
            self._job_run.stop()
