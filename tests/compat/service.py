"""What a client is given: the settings of a service under test, and an environment without anybody else's."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_OURS: Final = ("AZURE_", "AZ_", "ORCHESTRATOR_", "PYTHON", "NODE_")
LOOPBACK: Final = "127.0.0.1,localhost"


def read_settings(path: Path) -> dict[str, str]:
    """Read a settings file.

    Args:
        path: one that `orchestrator local --env-file` wrote.

    Returns:
        Value by name.
    """
    return dict(line.split("=", 1) for line in path.read_text().splitlines())


def trust(authority: Path) -> dict[str, str]:
    """Make the settings by which each client learns whom to trust, as `docs/local-access.md` has them.

    Args:
        authority: certificate of the service's.

    Returns:
        Value by name.
    """
    bundle = str(authority.with_name("bundle.pem"))
    return {"REQUESTS_CA_BUNDLE": bundle, "SSL_CERT_FILE": bundle, "NODE_EXTRA_CA_CERTS": str(authority)}


def client_environment(home: Path, settings: dict[str, str]) -> dict[str, str]:
    """Make what a client runs in: this machine's environment, with no account but the one under test.

    Args:
        home: where whatever it writes goes.
        settings: of the service.

    Returns:
        Value by name.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    # Behind a proxy a client would look for the service there.
    return {**inherited, "HOME": str(home), "NO_PROXY": LOOPBACK, "no_proxy": LOOPBACK, **settings}
