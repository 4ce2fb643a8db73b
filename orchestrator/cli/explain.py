"""`orchestrator explain RUN|JOB`: why a run does not get on, and what to do about it."""

from __future__ import annotations

import asyncio
import enum
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import Account, EnvFile
from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    from orchestrator.accounts.settings import AccountSettings
    from orchestrator.runtime.explain import Explanation


class Form(enum.StrEnum):
    """How the explanation is shown."""

    TEXT = "text"
    JSON = "json"


def explain(
    name: Annotated[str, typer.Argument(metavar="RUN|JOB", help="A run's id, or any job's.")],
    account: Annotated[
        Account, typer.Option(help="Where the job is; Azure is never touched unless named.")
    ] = Account.LOCAL,
    output: Annotated[Form, typer.Option(help="How it is shown.")] = Form.TEXT,
    env_file: EnvFile = None,
) -> None:
    """Tell why a run does not get on, and what to do about it; nothing is changed."""
    import msgspec

    from orchestrator.cli.logs import configure_logs
    from orchestrator.cli.render.escape import shown

    configure_logs()
    told = asyncio.run(_ask(name, _settings(account, env_file)))
    if output is Form.JSON:
        sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
        return
    for line in explanation_lines(told):
        sys.stdout.write(f"{shown(line)}\n")


def explanation_lines(told: Explanation) -> Iterator[str]:
    """An explanation as lines of text.

    Args:
        told: any.
    """
    yield (
        f"job {told.job} is {told.state}: {told.active} tasks wait, {told.running} run, "
        f"{told.succeeded} succeeded, {told.failed} failed"
    )
    if not told.reasons:
        yield "nothing is known to hold it up"
    for reason in told.reasons:
        yield f"{reason.code}: {reason.text}"
        if reason.remedy:
            yield f"    {reason.remedy}"


async def _ask(name: str, settings: AccountSettings) -> Explanation:
    from orchestrator.accounts.account import Account as OpenAccount
    from orchestrator.limits import Limits
    from orchestrator.runtime.explain import explain as ask

    account = OpenAccount(settings, Limits())
    await account.open()
    try:
        return await ask(name, account.batch)
    finally:
        await account.close()


def _settings(account: Account, env_file: Path | None) -> AccountSettings:
    from orchestrator.accounts.settings import settings_from_environment
    from orchestrator.cli.account import CONFIG_FILE
    from orchestrator.runtime.embedded import named_service

    if account is Account.AZURE:
        if env_file is not None:
            raise ConfigError("only the local account takes it", where="--env-file")
        config = Path(CONFIG_FILE)
        return settings_from_environment(os.environ, config=config if config.exists() else None)
    settings = named_service(os.environ, env_file)
    if settings is None:
        raise ConfigError(
            "name the local service that has the job, as its orchestrator local --env-file wrote it",
            where="--env-file",
        )
    return settings
