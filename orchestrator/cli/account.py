"""Which account a command uses: the local service, unless Azure is named."""

from __future__ import annotations

import os
from pathlib import Path

from orchestrator.accounts.settings import AccountSettings, settings_from_environment
from orchestrator.cli.ask import Ask
from orchestrator.cli.options import Account
from orchestrator.errors import ConfigError
from orchestrator.runtime.embedded import named_service
from orchestrator.runtime.orchestrator import Orchestrator

CONFIG_FILE = "orchestrator.toml"
"""Read from the current folder, if it is there, for an account in Azure."""


def settings_for(account: Account, *, env_file: Path | None) -> AccountSettings:
    """The settings of an account that is there already, without a journal and without starting a service.

    Args:
        account: which.
        env_file: as of `orchestrator_for`.

    Raises:
        ConfigError: the settings are not complete, name no running local service, or are for the other
            account.
    """
    if account is Account.LOCAL:
        settings = named_service(os.environ, env_file)
        if settings is None:
            raise ConfigError(
                "no running local service is named: give --env-file, or export what it printed; "
                "--account azure is for an account in Azure",
                where="--account local",
            )
        return settings
    _refuse(env_file)
    return settings_from_environment(os.environ, config=_config())


def orchestrator_for(account: Account, *, env_file: Path | None, ask: Ask | None) -> Orchestrator:
    """The orchestrator for an account, not yet opened.

    Args:
        account: which.
        env_file: settings of a local service that already runs; only for the local account.
        ask: asks whether to delete something; None where nobody can be asked.

    Raises:
        ConfigError: the settings are not complete, or a file of local settings was given for Azure.
    """
    if account is Account.LOCAL:
        return Orchestrator.local(env_file=env_file, environ=os.environ, ask=ask)
    _refuse(env_file)
    return Orchestrator.from_env(os.environ, config=_config(), ask=ask)


def _refuse(env_file: Path | None) -> None:
    if env_file is not None:
        raise ConfigError(
            "only the local account takes it; Azure's settings come from the environment or "
            "orchestrator.toml",
            where="--env-file",
        )


def _config() -> Path | None:
    config = Path(CONFIG_FILE)
    return config if config.exists() else None
