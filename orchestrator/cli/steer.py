"""`orchestrator logs|cancel|retry|clean`: look into a run of a daemon, and steer it."""

from __future__ import annotations

import asyncio
import enum
import sys
from typing import Annotated, Any

import typer

from orchestrator.cli.daemon_client import DaemonClient, DaemonUrl, TokenFile, run_path
from orchestrator.cli.list import state_of
from orchestrator.cli.watch import RunId


class Log(enum.StrEnum):
    """What a task writes to."""

    STDOUT = "stdout"
    STDERR = "stderr"


def logs(
    run: RunId,
    task: Annotated[str, typer.Argument(metavar="TASK", help="The task's id.", show_default=False)],
    log: Annotated[Log, typer.Option("--log", help="Which of the two.")] = Log.STDOUT,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the task ends.")] = False,
    daemon: DaemonUrl = None,
    token_file: TokenFile = None,
) -> None:
    """Print what a task writes, as it stands, from its node while it runs and from the disk afterwards."""

    async def work() -> None:
        async with DaemonClient(daemon, token_file) as client:
            path = run_path(run, "tasks", task, log.value)
            async for piece in client.pieces(path, params={"follow": "true" if follow else "false"}):
                sys.stdout.buffer.write(piece)
                sys.stdout.buffer.flush()

    asyncio.run(work())


def cancel(run: RunId, daemon: DaemonUrl = None, token_file: TokenFile = None) -> None:
    """End a run of a daemon early; clean-up goes by its job file. Says how it stands then."""
    view = asyncio.run(_ask("POST", run_path(run, "cancel"), daemon, token_file))
    over = f"over: {state_of(view)}" if view["phase"] == "finished" else "being cancelled"
    typer.echo(f"{view['id']} is {over}")


def retry(run: RunId, daemon: DaemonUrl = None, token_file: TokenFile = None) -> None:
    """Do the tasks of a run again that did not succeed, as a new run, and print its id."""
    view = asyncio.run(_ask("POST", run_path(run, "retry-failed"), daemon, token_file))
    typer.echo(view["id"])


def clean(
    run: Annotated[
        str | None,
        typer.Argument(metavar="RUN", help="One run; all that are over without it.", show_default=False),
    ] = None,
    daemon: DaemonUrl = None,
    token_file: TokenFile = None,
) -> None:
    """Make a daemon forget runs that are over, and the input files that came with them; results stay."""

    async def work() -> int:
        async with DaemonClient(daemon, token_file) as client:
            if run is not None:
                await client.ask("DELETE", run_path(run))
                return 1
            params = {"phase": "finished", "limit": "100"}
            forgotten = 0
            while runs := (await client.ask("GET", "/v1/runs", params=params))["runs"]:
                for view in runs:
                    await client.ask("DELETE", run_path(view["id"]))
                forgotten += len(runs)
            return forgotten

    many = asyncio.run(work())
    typer.echo(f"{many} {'run' if many == 1 else 'runs'} forgotten")


async def _ask(method: str, path: str, daemon: str | None, token_file: Any) -> Any:
    async with DaemonClient(daemon, token_file) as client:
        return await client.ask(method, path)
