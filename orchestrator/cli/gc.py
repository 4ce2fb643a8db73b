"""`orchestrator gc`: what runs have left on an account and nobody stands for any more, and its deletion."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.options import Account, EnvFile

if TYPE_CHECKING:
    from orchestrator.cli.render.garbage import Found
    from orchestrator.runtime.garbage_collection import Collected, GarbageCollection
    from orchestrator.spec.prices import Prices


class GarbageOutput(enum.StrEnum):
    """How what was found is shown."""

    TEXT = "text"
    JSON = "json"


def gc(
    account: Annotated[
        Account, typer.Option(help="Where to look; Azure is never touched unless named.")
    ] = Account.LOCAL,
    yes: Annotated[bool, typer.Option("--yes", help="Delete what has expired, without asking.")] = False,
    output: Annotated[GarbageOutput, typer.Option(help="How it is shown.")] = GarbageOutput.TEXT,
    grace: Annotated[
        str,
        typer.Option(metavar="TIME", help="How long after its expiry a thing is left alone: clocks differ."),
    ] = "15m",
    prices: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="What a node of each size costs an hour, TOML.", show_default=False
        ),
    ] = None,
    env_file: EnvFile = None,
) -> None:
    """List what runs have left behind and nobody stands for any more, with its cost; delete it if told to."""
    from orchestrator.cli.ask import confirm, has_terminal
    from orchestrator.cli.logs import configure_logs
    from orchestrator.cli.render.garbage import renderer_for
    from orchestrator.spec.prices import Prices, load_prices

    configure_logs()
    session = _Session(
        account,
        env_file=env_file,
        grace=_duration(grace),
        prices=load_prices(prices) if prices is not None else Prices(),
    )
    renderer = renderer_for(output.value)
    found = asyncio.run(session.find())
    renderer.found(found)
    free = [one for one in found if one.garbage.needed_by is None]
    if not free:
        return
    if not yes and not (has_terminal() and confirm(f"Delete {len(free)} of them?")):
        print("orchestrator: nothing was deleted; --yes deletes what has expired", file=sys.stderr)
        raise typer.Exit(ExitCode.LEFT_BEHIND)
    collected = asyncio.run(session.delete(free))
    renderer.collected(collected)
    if any(one.left for one in collected):
        raise typer.Exit(ExitCode.LEFT_BEHIND)


def _duration(text: str) -> timedelta:
    from orchestrator.errors import ConfigError
    from orchestrator.spec.duration import Duration

    try:
        return Duration(text).timedelta
    except ValueError as error:
        raise ConfigError(str(error), where="--grace") from error


class _Session:
    """Two visits to an account: one to look, one to delete. Nobody holds a connection while a user thinks."""

    def __init__(self, account: Account, *, env_file: Path | None, grace: timedelta, prices: Prices) -> None:
        from orchestrator.cli.account import settings_for

        self._settings = settings_for(account, env_file=env_file)
        self._grace = grace
        self._prices = prices

    @contextlib.asynccontextmanager
    async def _open(self) -> AsyncIterator[GarbageCollection]:
        from orchestrator.accounts.account import Account as Opened
        from orchestrator.limits import Limits
        from orchestrator.runtime.garbage_collection import GarbageCollection

        opened = Opened(self._settings, Limits())
        await opened.open()
        try:
            yield GarbageCollection(opened, limits=Limits(), grace=self._grace)
        finally:
            await opened.close()

    async def find(self) -> tuple[Found, ...]:
        from orchestrator.cli.render.garbage import Found
        from orchestrator.tracker.garbage import GarbageKind

        found = []
        async with self._open() as collection:
            for garbage in await collection.find():
                pool = garbage.kind is GarbageKind.POOL
                running = await collection.running(garbage.id) if pool else None
                found.append(Found(garbage=garbage, running=running, prices=self._prices))
        return tuple(found)

    async def delete(self, found: list[Found]) -> tuple[Collected, ...]:
        async with self._open() as collection:
            return await collection.delete(one.garbage for one in found)
