"""`orchestrator watch RUN`: follow a run of a daemon, shown as `run` shows its own, with its exit codes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.daemon_client import DaemonClient, DaemonUrl, TokenFile, run_path
from orchestrator.cli.exit_codes import ExitCode, of_result
from orchestrator.cli.options import Output

if TYPE_CHECKING:
    from orchestrator.results import JobResult

RunId = Annotated[
    str, typer.Argument(metavar="RUN", help="The run's id, as `list` shows it.", show_default=False)
]

_RECONNECT_PAUSE = 1.0
_AWAY = "the daemon does not answer; waiting for it to come back (Ctrl-C ends the watching only)"


def watch(
    run: RunId,
    output: Annotated[Output, typer.Option(help="What is shown meanwhile.")] = Output.TEXT,
    daemon: DaemonUrl = None,
    token_file: TokenFile = None,
) -> None:
    """Follow a run of a daemon to its end. Leaving early ends nothing but the watching."""

    async def work() -> ExitCode:
        async with DaemonClient(daemon, token_file) as client:
            return await follow(client, run, output)

    raise typer.Exit(asyncio.run(work()))


async def follow(client: DaemonClient, run_id: str, output: Output) -> ExitCode:
    """Show a run's events from its first on, whatever the daemon does meanwhile, and its end.

    Args:
        client: inside of its block.
        run_id: of the run.
        output: how it is shown.

    Raises:
        DaemonError: there is no such run.
        UnreachableError: the daemon did not answer at first.
    """
    from orchestrator.cli.render.renderer import renderer_for
    from orchestrator.errors import UnreachableError
    from orchestrator.handlers.progress import ProgressHandler
    from orchestrator.journal.event_json import decode_events

    path = run_path(run_id)
    view: dict[str, Any] = await client.ask("GET", path)
    result: JobResult | None = None
    after, away = 0, False
    progress = ProgressHandler()
    with renderer_for(output) as renderer:
        renderer.follow(lambda: progress.snapshot, lambda _: None)
        while result is None and (view["phase"] != "finished" or view["result"] is not None):
            try:
                async for streamed in client.events(f"{path}/events", after=after):
                    after, away = streamed.number, False
                    for event in decode_events(f"[{streamed.body.decode()}]"):
                        await progress.handle(event)
                        renderer.show(event)
                        result = getattr(event, "result", None) or result
                view = await client.ask("GET", path)
            except UnreachableError:
                # It restarts: the stream goes on after the last event that came.
                if not away:
                    with renderer.paused():
                        typer.echo(f"orchestrator: {_AWAY}", err=True)
                away = True
                await asyncio.sleep(_RECONNECT_PAUSE)
        if result is not None:
            renderer.finish(result)
            return of_result(result)
    if view["error"]:
        typer.echo(f"orchestrator: {view['error']}", err=True)
    return ExitCode.INTERRUPTED if view["outcome"] == "cancelled" else ExitCode.SERVICE
