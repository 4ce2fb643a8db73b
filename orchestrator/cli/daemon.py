"""`orchestrator daemon`: take jobs day and night, until a signal ends it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.loop import run


def daemon(
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The configuration, TOML; the environment wins over it.", show_default=False
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Check the configuration, say what it comes to, and end.")
    ] = False,
) -> None:
    """Take jobs by HTTP and from a folder, run many at once, and go on after a restart."""
    from orchestrator.daemon.config import load_config

    loaded = load_config(config, os.environ)
    if check:
        from orchestrator.daemon.preflight import check_start

        check_start(loaded, os.environ)
        for line in (
            f"account      {loaded.service.account}",
            f"state        {loaded.state}",
            f"results      {loaded.results}",
            f"inputs       {loaded.inputs_root or 'only what comes with a job'}",
            f"inbox        {loaded.inbox.dir if loaded.inbox is not None else 'none'}",
            f"webhooks     {', '.join(hook.shown for hook in loaded.webhooks) or 'none'}",
            f"socket       {loaded.socket_path or 'none'}",
            f"address      {f'{loaded.listen.host}:{loaded.listen.port}' if loaded.listen.host else 'none'}",
            f"runs         {loaded.daemon_limits.max_runs} at once",
        ):
            typer.echo(line)
        return

    def work() -> int:
        from orchestrator.daemon.server import serve

        serving = serve(loaded, environ=os.environ, reread=lambda: load_config(config, os.environ))
        run(serving, prompt=True)
        return 0

    if os.getpid() == 1:
        from orchestrator.daemon.init import under_an_init

        raise typer.Exit(under_an_init(work))
    work()
