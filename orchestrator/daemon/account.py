"""The account that the configuration names, and the orchestrator on it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from orchestrator.daemon.config import AccountKind, DaemonConfig
from orchestrator.runtime.orchestrator import Orchestrator


def make_orchestrator(config: DaemonConfig, environ: Mapping[str, str]) -> Orchestrator:
    """The daemon's orchestrator, not open yet. Settings are read for it, and nothing is asked or started.

    Args:
        config: checked.
        environ: where the account's settings and secrets are looked up.

    Raises:
        ConfigError: a setting of the account is missing or can't be right.
    """
    service = config.service
    if service.account is AccountKind.AZURE:
        return Orchestrator.from_env(
            environ,
            config=Path(service.config) if service.config is not None else None,
            limits=config.limits,
            journal_dir=config.state,
        )
    return Orchestrator.local(
        state_dir=config.state / "local-service",
        env_file=Path(service.env_file) if service.env_file is not None else None,
        environ=environ,
        limits=config.limits,
        journal_dir=config.state,
    )
