"""Who may ask for what: two tokens, made at the first start, compared in constant time."""

from __future__ import annotations

import contextlib
import enum
import hashlib
import hmac
import os
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path

from orchestrator.daemon.config import DaemonConfig
from orchestrator.errors import ConfigError, SpecError
from orchestrator.spec.resolve import resolve
from orchestrator.spec.secret import SecretReference, SecretText

READ_FILE, WRITE_FILE = "read.token", "write.token"
_SHORTEST = 16
_BYTES = 32


class Scope(enum.StrEnum):
    """What a token allows."""

    READ = "read"
    WRITE = "write"


class Tokens:
    """The two tokens.

    Args:
        read: may look.
        write: may look and act.
    """

    def __init__(self, *, read: SecretText, write: SecretText) -> None:
        self._read = read
        self._write = write

    def scope_of(self, token: str) -> Scope | None:
        """What a token allows; None for one that is not ours. Both are compared, whatever the first says."""
        given = token.encode("utf-8", "surrogateescape")
        write = hmac.compare_digest(given, self._write.reveal().encode())
        read = hmac.compare_digest(given, self._read.reveal().encode())
        if write:
            return Scope.WRITE
        return Scope.READ if read else None

    def derived_key(self, purpose: bytes) -> bytes:
        """A key that only who has both tokens can make, and that ends with either.

        Args:
            purpose: keys of different purposes say nothing of each other.
        """
        both = "\n".join((self._read.reveal(), self._write.reveal()))
        return hmac.new(both.encode(), purpose, hashlib.sha256).digest()


def load_tokens(config: DaemonConfig, environ: Mapping[str, str]) -> Tokens:
    """The tokens that the configuration names, or those in the state directory, made if need be.

    Raises:
        ConfigError: one can't be read, is too short, or both are the same.
    """
    read = _token(config.tokens.read, config.state / READ_FILE, environ, f"{config.source}: tokens.read")
    write = _token(config.tokens.write, config.state / WRITE_FILE, environ, f"{config.source}: tokens.write")
    if read == write:
        raise ConfigError("must not be the same as tokens.write", where=f"{config.source}: tokens.read")
    return Tokens(read=read, write=write)


def named_token(
    reference: SecretReference, environ: Mapping[str, str], folder: Path, where: str
) -> SecretText:
    """The token that a reference names.

    Args:
        reference: of the configuration.
        environ: for `env:`.
        folder: for `file:`, which is relative to it.
        where: the place in the configuration, for the message.

    Raises:
        ConfigError: it can't be read, or is too short.
    """
    try:
        token = resolve(reference, environ, folder)
    except SpecError as error:
        raise ConfigError(str(error), where=where) from error
    if len(token.reveal()) < _SHORTEST:
        raise ConfigError(f"must have {_SHORTEST} characters or more", where=where)
    return token


def _token(
    reference: SecretReference | None, path: Path, environ: Mapping[str, str], where: str
) -> SecretText:
    if reference is None:
        return SecretText(_made(path))
    return named_token(reference, environ, path.parent, where)


def _made(path: Path) -> str:
    """The token in a file that its owner alone can read; of several that make it, all get the same."""
    if not path.exists():
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".token-")
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(_BYTES) + "\n")
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):
                os.link(temporary, path)
        finally:
            Path(temporary).unlink()
    try:
        return path.read_text().strip()
    except OSError as error:
        raise ConfigError(f"can't be read: {error.strerror}", where=str(path)) from error
