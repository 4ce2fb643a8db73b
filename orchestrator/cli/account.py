"""Which account a command uses: the local service, unless Azure is named."""

from __future__ import annotations

import os
from pathlib import Path

from orchestrator.cli.ask import Ask
from orchestrator.cli.options import Account
from orchestrator.errors import ConfigError
from orchestrator.runtime.orchestrator import Orchestrator

CONFIG_FILE = "orchestrator.toml"
"""Read from the current folder, if it is there, for an account in Azure."""


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
    if env_file is not None:
        raise ConfigError(
            "only the local account takes it; Azure's settings come from the environment or "
            "orchestrator.toml",
            where="--env-file",
        )
    config = Path(CONFIG_FILE)
    return Orchestrator.from_env(os.environ, config=config if config.exists() else None, ask=ask)
