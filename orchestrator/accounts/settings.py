"""Where the account is and what opens it: from the environment, or `[account]` in `orchestrator.toml`."""

from __future__ import annotations

import base64
import binascii
import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from orchestrator.errors import ConfigError
from orchestrator.spec.secret import SecretText

BATCH_ACCOUNT = "AZURE_BATCH_ACCOUNT"
BATCH_ENDPOINT = "AZURE_BATCH_ENDPOINT"
BATCH_KEY = "AZURE_BATCH_ACCESS_KEY"
STORAGE_CONNECTION_STRING = "AZURE_STORAGE_CONNECTION_STRING"
STORAGE_BLOB_ENDPOINT = "AZURE_STORAGE_BLOB_ENDPOINT"
LOCAL_CA_FILE = "ORCHESTRATOR_LOCAL_CA_FILE"

_LOCAL = "or use the local service, which needs none of this (`--account local`, `Orchestrator.local()`)"
_TABLE = "[account] of orchestrator.toml"
_SECRET_KEYS = ("batch_key", "storage_connection_string")


class AccountSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where a Batch account and its storage account are, and what opens them.

    Args:
        batch_account: its name.
        batch_endpoint: such as `https://NAME.REGION.batch.azure.com`, without a slash at the end.
        batch_key: its access key; None to use a token (`DefaultAzureCredential`).
        storage_connection_string: with an account key; None to use a token.
        storage_blob_endpoint: such as `https://NAME.blob.core.windows.net`, for use with a token.
        local_ca_file: certificate of a local service that speaks https; trusted for loopback only.
    """

    batch_account: str
    batch_endpoint: str
    batch_key: SecretText | None = None
    storage_connection_string: SecretText | None = None
    storage_blob_endpoint: str | None = None
    local_ca_file: str | None = None


class StorageConnection(msgspec.Struct, frozen=True, kw_only=True):
    """What a storage connection string says."""

    account: str
    key: SecretText
    blob_endpoint: str


def settings_from_environment(environ: Mapping[str, str], *, config: Path | None = None) -> AccountSettings:
    """Read the settings of the account; the environment wins over the file.

    Args:
        environ: usually `os.environ`.
        config: an `orchestrator.toml`; its table `[account]` may have `batch_account`, `batch_endpoint`,
            `batch_key`, `storage_connection_string` and `storage_blob_endpoint`. Keys and connection strings
            are given there as `{ secret = "env:NAME" }` only.

    Returns:
        Settings that are complete and can be right.

    Raises:
        ConfigError: one is missing or can't be right; `.where` names it, the message tells the remedy.
    """
    table = _read_table(config, environ) if config is not None else {}

    def value(variable: str, key: str) -> str | None:
        return environ.get(variable, "").strip() or table.get(key) or None

    endpoint = value(BATCH_ENDPOINT, "batch_endpoint")
    if endpoint is None:
        raise ConfigError(
            "is not set: export the account's address, such as https://NAME.REGION.batch.azure.com, "
            f"or write it as batch_endpoint into {_TABLE}; {_LOCAL}",
            where=BATCH_ENDPOINT,
        )
    endpoint = _checked_endpoint(endpoint, where=BATCH_ENDPOINT)
    key = value(BATCH_KEY, "batch_key")
    if key is not None:
        _check_key(key, where=BATCH_KEY)
    elif endpoint.startswith("http:"):
        raise ConfigError(
            f"is not set, and a token can't go to {endpoint}, which is not https: export the access key",
            where=BATCH_KEY,
        )
    connection = value(STORAGE_CONNECTION_STRING, "storage_connection_string")
    blob_endpoint = value(STORAGE_BLOB_ENDPOINT, "storage_blob_endpoint")
    if connection is not None:
        parse_connection_string(connection)
    elif blob_endpoint is not None:
        blob_endpoint = _checked_endpoint(blob_endpoint, where=STORAGE_BLOB_ENDPOINT)
        if blob_endpoint.startswith("http:"):
            raise ConfigError(
                "a token can't go to an address that is not https: export the connection string instead, as "
                + STORAGE_CONNECTION_STRING,
                where=STORAGE_BLOB_ENDPOINT,
            )
    else:
        raise ConfigError(
            f"is not set: export it, or {STORAGE_BLOB_ENDPOINT} to use a token, or write one of them into "
            f'{_TABLE} (storage_blob_endpoint, or storage_connection_string = {{ secret = "env:NAME" }}); '
            f"{_LOCAL}",
            where=STORAGE_CONNECTION_STRING,
        )
    return AccountSettings(
        batch_account=value(BATCH_ACCOUNT, "batch_account") or _name_in(endpoint),
        batch_endpoint=endpoint,
        batch_key=SecretText(key) if key is not None else None,
        storage_connection_string=SecretText(connection) if connection is not None else None,
        storage_blob_endpoint=blob_endpoint,
        local_ca_file=environ.get(LOCAL_CA_FILE, "").strip() or None,
    )


def parse_connection_string(text: str) -> StorageConnection:
    """Read a storage connection string.

    Source of facts: the page "Configure Azure Storage connection strings".

    Args:
        text: `Name=value` pairs joined by semicolons.

    Returns:
        The account, its key, and where its blobs are.

    Raises:
        ConfigError: it has no account key, or its address can't be right.
    """
    where = STORAGE_CONNECTION_STRING
    pairs = dict(_pair(part, where=where) for part in text.split(";") if part.strip())
    if pairs.get("usedevelopmentstorage", "").lower() == "true":
        raise ConfigError(
            "UseDevelopmentStorage names no address; write the emulator's own string, with BlobEndpoint",
            where=where,
        )
    account, key = pairs.get("accountname"), pairs.get("accountkey")
    if not account or not key:
        raise ConfigError(
            "has no AccountName and AccountKey, without which no SAS can be signed: copy the whole string "
            f"from the account's access keys, or unset it and export {STORAGE_BLOB_ENDPOINT} to use a token",
            where=where,
        )
    _check_key(key, where=f"{where}: AccountKey")
    endpoint = pairs.get("blobendpoint")
    if not endpoint:
        scheme = pairs.get("defaultendpointsprotocol", "https")
        endpoint = f"{scheme}://{account}.blob.{pairs.get('endpointsuffix', 'core.windows.net')}"
    return StorageConnection(
        account=account,
        key=SecretText(key),
        blob_endpoint=_checked_endpoint(endpoint, where=f"{where}: BlobEndpoint"),
    )


def is_loopback(url: str) -> bool:
    """Whether an address stays on this machine.

    Args:
        url: with its scheme.

    Returns:
        True for `localhost`, names below it, and loopback addresses.
    """
    host = (urlsplit(url).hostname or "").rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _pair(part: str, *, where: str) -> tuple[str, str]:
    name, equals, value = part.strip().partition("=")
    if not equals:
        raise ConfigError(
            "is not a list of Name=value joined by semicolons: copy the whole string", where=where
        )
    return name.strip().lower(), value.strip()


def _check_key(key: str, *, where: str) -> None:
    try:
        base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        # From None: the cause would show nothing of the key, but nothing of use either.
        raise ConfigError("is not an access key, which is base64: copy the whole key", where=where) from None


def _checked_endpoint(text: str, *, where: str) -> str:
    endpoint = text if "://" in text else f"https://{text}"
    try:
        parts = urlsplit(endpoint)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ConfigError("is not an address like https://NAME.REGION.batch.azure.com", where=where) from None
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigError("is not an address like https://NAME.REGION.batch.azure.com", where=where)
    if parts.query or parts.fragment or parts.username is not None:
        raise ConfigError(
            "is more than an address: leave out the query, the fragment and the user", where=where
        )
    if parts.scheme == "http" and not is_loopback(endpoint):
        raise ConfigError(
            f"{host} is not on this machine: use https, so that data and signatures don't travel in the open",
            where=where,
        )
    return endpoint.rstrip("/")


def _name_in(endpoint: str) -> str:
    host = urlsplit(endpoint).hostname or ""
    label, dot, _ = host.partition(".")
    if not dot or is_loopback(endpoint) or label.isdigit():
        raise ConfigError(
            f"is not set, and {endpoint} does not tell it: export the account's name, or write it as "
            f"batch_account into {_TABLE}",
            where=BATCH_ACCOUNT,
        )
    return label


def _read_table(config: Path, environ: Mapping[str, str]) -> dict[str, str]:
    try:
        document = msgspec.toml.decode(config.read_bytes())
    except OSError as unreadable:
        raise ConfigError(f"can't be read: {unreadable.strerror}", where=str(config)) from unreadable
    except (msgspec.DecodeError, UnicodeDecodeError) as malformed:
        raise ConfigError(f"is not TOML: {malformed}", where=str(config)) from malformed
    account = document.get("account", {})
    if not isinstance(account, dict):
        raise ConfigError("must be a table", where=f"{config.name}: account")
    known = set(AccountSettings.__struct_fields__)
    table: dict[str, str] = {}
    for key, given in account.items():
        where = f"{config.name}: account.{key}"
        if key not in known:
            raise ConfigError(f"is not a setting; there are {', '.join(sorted(known))}", where=where)
        table[key] = (
            _secret(given, environ, where=where) if key in _SECRET_KEYS else _text(given, where=where)
        )
    return table


def _text(given: Any, *, where: str) -> str:
    if not isinstance(given, str) or not given.strip():
        raise ConfigError("must be a text that is not empty", where=where)
    return given.strip()


def _secret(given: Any, environ: Mapping[str, str], *, where: str) -> str:
    reference = given.get("secret") if isinstance(given, dict) and set(given) == {"secret"} else None
    source, _, name = reference.partition(":") if isinstance(reference, str) else ("", "", "")
    if source != "env" or not name:
        raise ConfigError(
            'a secret is never written into a file: write { secret = "env:NAME" } and export NAME',
            where=where,
        )
    found = environ.get(name, "").strip()
    if not found:
        raise ConfigError(f"the environment variable {name} is not set: export it", where=where)
    return found
