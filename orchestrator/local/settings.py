"""What a client needs to reach a local service, and the file that carries it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

BATCH_ACCOUNT = "AZURE_BATCH_ACCOUNT"
BATCH_ENDPOINT = "AZURE_BATCH_ENDPOINT"
BATCH_ACCESS_KEY = "AZURE_BATCH_ACCESS_KEY"
STORAGE_CONNECTION_STRING = "AZURE_STORAGE_CONNECTION_STRING"
CA_FILE = "ORCHESTRATOR_LOCAL_CA_FILE"
CONTROL_KEY = "ORCHESTRATOR_LOCAL_CONTROL_KEY"

_QUOTES = ("'", '"')


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalSettings:
    """Where a local service listens and how to sign for it. Its repr shows no key.

    Args:
        account_name: of the Batch and the storage account.
        batch_endpoint: URL of the Batch endpoint.
        batch_key: base64, for SharedKey.
        blob_endpoint: URL of the storage account's blobs.
        storage_connection_string: for storage clients; it holds the account's key.
        ca_file: of the certificate that clients have to trust, where the endpoints speak https.
        control_key: for the fault lab's control endpoint.
    """

    account_name: str
    batch_endpoint: str
    batch_key: str = field(repr=False)
    blob_endpoint: str
    storage_connection_string: str = field(repr=False)
    ca_file: Path | None = None
    control_key: str = field(default="", repr=False)

    def as_environment(self) -> dict[str, str]:
        """Give the settings as the environment variables that Azure clients read.

        Returns:
            `AZURE_BATCH_ACCOUNT`, `AZURE_BATCH_ENDPOINT`, `AZURE_BATCH_ACCESS_KEY`,
            `AZURE_STORAGE_CONNECTION_STRING`, `ORCHESTRATOR_LOCAL_CONTROL_KEY`, and with https
            `ORCHESTRATOR_LOCAL_CA_FILE`.
        """
        control = {CONTROL_KEY: self.control_key} if self.control_key else {}
        trust = {} if self.ca_file is None else {CA_FILE: str(self.ca_file)}
        return {
            BATCH_ACCOUNT: self.account_name,
            BATCH_ENDPOINT: self.batch_endpoint,
            BATCH_ACCESS_KEY: self.batch_key,
            STORAGE_CONNECTION_STRING: self.storage_connection_string,
            **control,
            **trust,
        }

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings back from environment variables, or from a file's; see `read_env_file`.

        Args:
            environment: with the names of `as_environment`.

        Returns:
            The settings.

        Raises:
            ValueError: if a name is missing, or the connection string names no blob endpoint.
        """
        names = (BATCH_ACCOUNT, BATCH_ENDPOINT, BATCH_ACCESS_KEY, STORAGE_CONNECTION_STRING)
        missing = [name for name in names if not environment.get(name)]
        if missing:
            raise ValueError(f"not set: {', '.join(missing)}")
        connection_string = environment[STORAGE_CONNECTION_STRING]
        parts = dict(part.split("=", 1) for part in connection_string.split(";") if "=" in part)
        if "BlobEndpoint" not in parts:
            raise ValueError(f"{STORAGE_CONNECTION_STRING} has no BlobEndpoint")
        return cls(
            account_name=environment[BATCH_ACCOUNT],
            batch_endpoint=environment[BATCH_ENDPOINT],
            batch_key=environment[BATCH_ACCESS_KEY],
            blob_endpoint=parts["BlobEndpoint"],
            storage_connection_string=connection_string,
            ca_file=Path(environment[CA_FILE]) if environment.get(CA_FILE) else None,
            control_key=environment.get(CONTROL_KEY, ""),
        )

    def write_env_file(self, path: Path) -> None:
        """Write the settings to a file that only its owner may read, as lines `NAME=value`; blocks.

        It appears whole or not at all: who waits for it never reads half.

        Args:
            path: of the file; replaced if it is there.

        Raises:
            OSError: if that can't be done.
        """
        lines = "".join(f"{name}={value}\n" for name, value in self.as_environment().items())
        write_private(path, lines.encode())


def read_env_file(path: Path) -> dict[str, str]:
    """Read a file of lines `NAME=value`; blocks.

    Args:
        path: of the file. Empty lines and lines that start with `#` are skipped, `export ` before a name and
            a pair of quotes around a value are dropped; nothing is expanded.

    Returns:
        The values by name, also of names that are not ours.

    Raises:
        OSError: if it can't be read.
        ValueError: if a line has no `=`; it names the line.
    """
    values: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        text = line.strip().removeprefix("export ").lstrip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            # The line itself is not shown: it may hold a key.
            raise ValueError(f"{path}: line {number} is not NAME=value")
        value = value.strip()
        for quote in _QUOTES:
            if len(value) > 1 and value.startswith(quote) and value.endswith(quote):
                value = value[1:-1]
                break
        values[name.strip()] = value
    return values


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, whole or not at all; blocks.

    Args:
        path: of the file; replaced if it is there.
        content: of the file.

    Raises:
        OSError: if that can't be done; nothing is left behind then.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
