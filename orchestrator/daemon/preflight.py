"""What would keep the daemon from starting, as far as it can be found without starting it."""

from __future__ import annotations

import socket
from collections.abc import Mapping

from orchestrator.daemon.account import make_orchestrator
from orchestrator.daemon.config import DaemonConfig
from orchestrator.daemon.tokens import named_token
from orchestrator.daemon.webhooks import secret_of
from orchestrator.errors import ConfigError


def check_start(config: DaemonConfig, environ: Mapping[str, str]) -> None:
    """Look for all that the configuration names: the account's settings, secrets, the address.

    Nothing is made, started or asked.

    Args:
        config: checked.
        environ: where secrets and the account's settings are looked up.

    Raises:
        ConfigError: something is missing; the message names it.
    """
    make_orchestrator(config, environ)
    for name, reference in (("read", config.tokens.read), ("write", config.tokens.write)):
        if reference is not None:
            named_token(reference, environ, config.state, f"{config.source}: tokens.{name}")
    for webhook in config.webhooks:
        secret_of(webhook, daemon=config, environ=environ)
    _check_address(config)


def _check_address(config: DaemonConfig) -> None:
    if not config.listen.host:
        return
    try:
        socket.getaddrinfo(config.listen.host, config.listen.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # the second for what is no name at all
        raise ConfigError(
            f"{config.listen.host} is no address here: {getattr(error, 'strerror', None) or error}",
            where=f"{config.source}: listen.host",
        ) from error
