"""`orchestrator local`: the local Azure Batch and blob service, until it is told to end; tokens for it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.errors import ConfigError, LocalServiceError
from orchestrator.local.batch.delays import Profile
from orchestrator.local.batch.versions import Casing

if TYPE_CHECKING:
    from orchestrator.local.faults import Script

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
    casing: Annotated[
        Casing, typer.Option(help="live: words as the real service writes them; sdk: in lower case.")
    ] = Casing.LIVE,
    tls: Annotated[
        bool, typer.Option("--tls", help="Speak https; the settings name the CA file to trust.")
    ] = False,
    blob_oauth: Annotated[
        bool,
        typer.Option(
            "--blob-oauth", help="With --tls: take bearer tokens for blobs. Nobody checks them: see the docs."
        ),
    ] = False,
    isolate_users: Annotated[
        bool,
        typer.Option(
            "--isolate-users", help="As root: run tasks that are no administrators' as users of their own."
        ),
    ] = False,
    profile: Annotated[
        Profile, typer.Option(help="instant: no delays; live: those measured on the real service.")
    ] = Profile.INSTANT,
    time_scale: Annotated[
        float, typer.Option(min=0.0, metavar="FACTOR", help="Of all delays: 0.01 makes a minute 0.6 s.")
    ] = 1.0,
    faults: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What goes wrong on purpose, TOML or JSON; see docs/fault-lab.md."),
    ] = None,
    pool_quota: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Pools that there may be; any number by default.")
    ] = None,
    job_quota: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="Active jobs and job schedules; any number by default."),
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
            casing=casing,
            tls=tls,
            blob_oauth=blob_oauth,
            isolate_users=isolate_users,
            profile=profile,
            time_scale=time_scale,
            faults=faults,
            pool_quota=pool_quota,
            job_quota=job_quota,
            until_stdin_closes=until_stdin_closes,
        )
    )


def local_token(
    state_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Of the service; the place of its own by default.")
    ] = None,
    env_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Of the service, in place of its folder.")
    ] = None,
    hours: Annotated[int, typer.Option(min=1, max=8760, metavar="N", help="How long it is good.")] = 1,
) -> None:
    """Print a bearer token for the Batch endpoint of a local service. It opens what the key opens."""
    from orchestrator.local.wire import times
    from orchestrator.local.wire.bearer import BearerTokens

    key = _key_in_file(env_file) if env_file is not None else _key_in_folder(state_dir)
    print(BearerTokens(key).make(at=times.now(), seconds=hours * 3600))


def _key_in_file(path: Path) -> str:
    from orchestrator.local.settings import BATCH_ACCESS_KEY, read_env_file

    try:
        key = read_env_file(path).get(BATCH_ACCESS_KEY)
    except (OSError, ValueError) as error:
        raise ConfigError(f"can't be read: {error}", where=str(path)) from error
    if not key:
        raise ConfigError(f"has no {BATCH_ACCESS_KEY}", where=str(path))
    return key


def _key_in_folder(path: Path | None) -> str:
    from orchestrator.local.state import default_state_directory, stored_keys

    folder = path or default_state_directory()
    keys = stored_keys(folder)
    if keys is None:
        raise ConfigError(
            "is no local service's folder yet: start `orchestrator local` there first", where=str(folder)
        )
    return keys.batch


async def _serve(
    *,
    batch_port: int,
    blob_port: int,
    state_dir: Path | None,
    env_file: Path | None,
    casing: Casing,
    tls: bool,
    blob_oauth: bool,
    isolate_users: bool,
    profile: Profile,
    time_scale: float,
    faults: Path | None,
    pool_quota: int | None,
    job_quota: int | None,
    until_stdin_closes: bool,
) -> None:
    if blob_oauth and not tls:
        raise ConfigError("no client sends a token without https: add --tls", where="--blob-oauth")
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
            state_dir=state_dir or default_state_directory(),
            batch_port=batch_port,
            blob_port=blob_port,
            casing=casing,
            tls=tls,
            blob_oauth=blob_oauth,
            isolate_users=isolate_users,
            profile=profile,
            time_scale=time_scale,
            faults=None if faults is None else _read_faults(faults),
            pool_quota=pool_quota,
            job_quota=job_quota,
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


def _read_faults(path: Path) -> Script:
    from orchestrator.local.faults import FaultScriptError, read_script

    try:
        return read_script(path)
    except FaultScriptError as error:
        raise ConfigError(error.why, where=error.where) from error
    except OSError as error:
        raise ConfigError(f"can't be read: {error}", where=str(path)) from error


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
