"""`orchestrator local`: the local Azure Batch and blob service, until it is told to end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import sys
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.errors import ConfigError, LocalServiceError

Port = Annotated[int, typer.Option(min=0, max=65535, metavar="N", help="0: one that is free.")]


def local(
    batch_port: Port = 0,
    blob_port: Port = 0,
    state_dir: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where it keeps its state; a place of its own by default."),
    ] = None,
    env_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write the settings there, for this user only, and not to the terminal."
        ),
    ] = None,
    until_stdin_closes: Annotated[bool, typer.Option("--until-stdin-closes", hidden=True)] = False,
) -> None:
    """Serve Azure Batch and blobs on this machine; prints `ready` and the settings once both answer."""
    asyncio.run(
        _serve(
            batch_port=batch_port,
            blob_port=blob_port,
            state_dir=state_dir,
            env_file=env_file,
            until_stdin_closes=until_stdin_closes,
        )
    )


async def _serve(
    *,
    batch_port: int,
    blob_port: int,
    state_dir: Path | None,
    env_file: Path | None,
    until_stdin_closes: bool,
) -> None:
    from orchestrator.cli.interrupts import Interrupts
    from orchestrator.cli.logs import configure_logs
    from orchestrator.local import LocalService
    from orchestrator.local.state import default_state_directory

    configure_logs()
    ended = asyncio.Event()
    # A signal that comes while the service starts is obeyed as soon as it can be stopped in order.
    interrupts = Interrupts(first=lambda _name: ended.set(), second=lambda: None)
    with interrupts.installed():
        if until_stdin_closes:
            _watch_stdin(ended)
        service = LocalService(
            state_dir=state_dir or default_state_directory(), batch_port=batch_port, blob_port=blob_port
        )
        async with contextlib.AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(service)
            except RuntimeError as error:
                # What keeps it from starting (a folder in use, no Node, ...) says itself what to do about it.
                raise LocalServiceError(str(error)) from error
            if env_file is None:
                lines = [f"{name}={value}" for name, value in service.settings.as_environment().items()]
            else:
                service.settings.write_env_file(env_file)
                lines = [str(env_file)]
            sys.stdout.write("\n".join(["ready", *lines]) + "\n")
            sys.stdout.flush()
            await ended.wait()


def _watch_stdin(ended: asyncio.Event) -> None:
    descriptor = sys.stdin.fileno()
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        raise ConfigError("stdin has to be a pipe that the parent holds open", where="--until-stdin-closes")
    loop = asyncio.get_running_loop()

    def readable() -> None:
        # The parent writes nothing: what can be read is the end, which the system makes however it died.
        if not os.read(descriptor, 4096):
            loop.remove_reader(descriptor)
            ended.set()

    loop.add_reader(descriptor, readable)
