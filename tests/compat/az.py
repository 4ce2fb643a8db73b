"""The command line `az`, unmodified, as a process a command."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from tests.compat.clients import CLI

LIMIT: Final = 60.0
"""Seconds for one command; measured at 0.9 to 1.5, the first time 3."""

PATIENCE: Final = 30.0
"""Seconds until something that was asked for has to be seen."""

IMAGE: Final = (
    "--image",
    "canonical:ubuntu-24_04-lts:server",
    "--node-agent-sku-id",
    "batch.node.ubuntu 24.04",
)
SETTINGS: Final = {"AZURE_CORE_COLLECT_TELEMETRY": "no", "AZURE_CORE_NO_COLOR": "true"}


class Az:
    """Runs `az batch` commands.

    Args:
        environment: that they run in, the account's settings included.
        folder: that they run in, for files of theirs.
    """

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self._environment = {**environment, **SETTINGS, "AZURE_CONFIG_DIR": str(folder / "azure")}
        self.folder = folder

    def __call__(self, *arguments: object) -> Any:
        """Run a command that has to succeed.

        Args:
            arguments: after `az batch`.

        Returns:
            What it printed as JSON; None if nothing.
        """
        done = self.run(*arguments)
        assert done.returncode == 0, f"az batch {arguments}: exit code {done.returncode}\n{done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else None

    def run(self, *arguments: object, **settings: str | None) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, whatever that is.

        Args:
            arguments: after `az batch`.
            settings: other values of the environment; None takes one out.

        Returns:
            Its exit code and output.
        """
        environment = {**self._environment, **settings}
        return subprocess.run(
            [CLI.folder / "bin/az", "batch", *map(str, arguments)],
            env={name: value for name, value in environment.items() if value is not None},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )

    def until(self, wanted: Callable[[Any], object], *arguments: object) -> Any:
        """Run a command again and again until it says what is wanted; each takes its time, so nothing pauses.

        Args:
            wanted: tells whether what it printed is it.
            arguments: after `az batch`.

        Returns:
            What it printed then.
        """
        deadline = time.monotonic() + PATIENCE
        while not wanted(said := self(*arguments)):
            assert time.monotonic() < deadline, f"not within {PATIENCE:g} s; az batch {arguments} says {said}"
        return said

    def until_refused(self, code: str, *arguments: object) -> None:
        """Run a command again and again until the service refuses it.

        Args:
            code: of the error.
            arguments: after `az batch`.
        """
        deadline = time.monotonic() + PATIENCE
        while (done := self.run(*arguments)).returncode == 0:
            assert time.monotonic() < deadline, f"not refused within {PATIENCE:g} s: az batch {arguments}"
        assert code in done.stderr
