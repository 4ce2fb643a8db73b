"""`orchestrator submit JOB`: hand a job and its files to a daemon."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.daemon_client import DaemonClient, DaemonUrl, TokenFile, Wait, wait_until_ready
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.options import JobFile, Output

if TYPE_CHECKING:
    import aiohttp

    from orchestrator.spec import RunPlan


def submit(
    job: JobFile,
    output: Annotated[
        Output, typer.Option(help="text: the run's id; json: the run; with --watch as `run` has it.")
    ] = Output.TEXT,
    watch: Annotated[
        bool, typer.Option("--watch", help="Follow it to its end, with `run`'s exit codes.")
    ] = False,
    priority: Annotated[
        int, typer.Option(min=-1000, max=1000, metavar="N", help="Higher ones begin first.")
    ] = 0,
    submitter: Annotated[
        str, typer.Option(metavar="NAME", help="Whose turn it takes; submitters take turns.")
    ] = "cli",
    key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY", help="The same key with the same job gives the same run.", show_default=False
        ),
    ] = None,
    wait: Wait = 0,
    daemon: DaemonUrl = None,
    token_file: TokenFile = None,
) -> None:
    """Hand a job and its input files to a daemon; once the id is printed, the run can't be lost."""
    from orchestrator.spec import load_job, new_run_id, plan_run

    # Planned here, so that a job that can't be right is told before anything is sent. Its secrets are the
    # daemon's: only their form is looked at here.
    plan = plan_run(load_job(job), new_run_id(), environ=_AnySecret(os.environ))

    async def work() -> ExitCode:
        if wait:
            await wait_until_ready(daemon, token_file, seconds=wait)
        async with DaemonClient(daemon, token_file) as client:
            view = await client.ask(
                "POST",
                "/v1/runs",
                data=_form(job, plan),
                params={"priority": str(priority), "submitter": submitter},
                headers={"Idempotency-Key": key} if key is not None else {},
            )
            if watch:
                from orchestrator.cli.watch import follow

                return await follow(client, view["id"], output)
            if output is Output.JSON:
                import msgspec

                sys.stdout.write(msgspec.json.encode(view).decode() + "\n")
            elif output is Output.TEXT:
                typer.echo(view["id"])
            return ExitCode.SUCCEEDED

    raise typer.Exit(asyncio.run(work()))


class _AnySecret(dict[str, str]):
    """An environment in which every variable is set to something."""

    def get(self, key: str, default: object = None) -> str:
        return super().get(key) or "set where the daemon runs"


def _form(job: Path, plan: RunPlan) -> aiohttp.FormData:
    """The job file as it stands, and every file it names under its path from their common folder."""
    import aiohttp

    files = _files(plan)
    base = Path(plan.spec.base_dir)
    root = Path(os.path.commonpath([base, *(file.parent for file in files)]))
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("base", base.relative_to(root).as_posix())
    form.add_field("job", job.read_bytes(), filename=job.name)
    for file in files:
        form.add_field("file", file.open("rb"), filename=file.relative_to(root).as_posix())
    return form


def _files(plan: RunPlan) -> list[Path]:
    files = {file.path for file in plan.inputs}
    for path in plan.application:
        files |= (
            {path}
            if path.is_file()
            else {each for each in path.rglob("*") if each.is_file() and "__pycache__" not in each.parts}
        )
    return sorted(files)
