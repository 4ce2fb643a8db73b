"""`orchestrator run JOB`: run a job from its files to its results, and clean up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import Account, DownloadDir, EnvFile, JobFile, Output

if TYPE_CHECKING:
    from orchestrator.runtime.job_run import JobRun
    from orchestrator.runtime.orchestrator import Orchestrator
    from orchestrator.spec.job import JobSpec


_NAMED = 3


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
    only_failed: Annotated[
        Path | None,
        typer.Option(
            "--only-failed",
            metavar="FILE",
            help="Run again only what the failed.json of an earlier run lists.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Run a job: stage its files, run its tasks, download their outputs as they end, clean up."""
    from orchestrator.cli.logs import configure_logs
    from orchestrator.cli.session import Session, remark
    from orchestrator.spec import load_job, new_run_id, plan_run
    from orchestrator.spec.only import only_failed as reduced
    from orchestrator.spec.only import read_failed

    configure_logs()
    spec = _adjusted(load_job(job), download_dir=download_dir, keep=keep)
    # Planned here too, so that no service is started, or asked, for a job that can't be right.
    plan = plan_run(spec, new_run_id())
    if only_failed is not None:
        reduced(plan, read_failed(only_failed))
    session = Session(account=account, output=output, env_file=env_file, cleanup=spec.cleanup)

    async def begin(orchestrator: Orchestrator) -> AsyncIterator[JobRun]:
        # Before the run begins: nothing may come between that and listening to its events.
        unfinished = await orchestrator.unfinished()
        job_run = await orchestrator.submit(spec, only_failed=only_failed)
        if job_run.resumed:
            remark(f"job {job_run.job_id} is under way already: goes on with run {job_run.run_id}")
        if others := [run.run_id for run in unfinished if run.run_id != job_run.run_id]:
            named = ", ".join(others[:_NAMED]) + (", ..." if len(others) > _NAMED else "")
            remark(
                f"{len(others)} unfinished: {named}; `orchestrator resume` takes up what a dead program left"
            )
        yield job_run

    raise typer.Exit(session.run(begin))


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
