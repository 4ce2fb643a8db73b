"""`python -m orchestrator.local.blob`: install the blob server if it is not there, and print where it is."""

from __future__ import annotations

import sys

import structlog

from orchestrator.local.blob.install import AzuriteInstallError, NodeMissingError, ensure_azurite, place


def main() -> int:
    """Install Azurite.

    Returns:
        The exit code: 0 if it is there, 1 if it could not be installed.
    """
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # stdout is the answer's
    try:
        ensure_azurite()
    except (AzuriteInstallError, NodeMissingError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{place()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
