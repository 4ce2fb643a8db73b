"""The certificate files of one state directory.

Both keys are readable for their owner only; what clients and tasks are told to trust is readable for all,
since it holds nothing secret.
"""

from __future__ import annotations

import contextlib
import os
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from orchestrator.local.settings import write_private

if TYPE_CHECKING:
    from orchestrator.local.tls.issue import Identity

_log = structlog.get_logger("orchestrator.local")

_PUBLIC: Final = 0o644


class CertificatesMissingError(RuntimeError):
    """HTTPS needs the package `cryptography`: `pip install 'orchestrator[local]'` brings it."""

    def __init__(self) -> None:
        super().__init__(
            "HTTPS needs the package cryptography, and it is not there: "
            "pip install 'orchestrator[local]' brings it"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Certificates:
    """Files of PEM.

    Args:
        authority: the certificate that clients have to trust.
        bundle: the same behind all that this machine trusts anyway, for programs that know one file only.
        server: the endpoints' certificate.
        server_key: its key.
    """

    authority: Path
    bundle: Path
    server: Path
    server_key: Path

    def server_context(self) -> ssl.SSLContext:
        """Make what an endpoint listens with; blocks.

        Raises:
            OSError: if a file can't be read.
        """
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.server, self.server_key)
        return context

    def client_context(self) -> ssl.SSLContext:
        """Make what a client connects with that trusts this authority only; blocks.

        Raises:
            OSError: if the file can't be read.
        """
        return ssl.create_default_context(cafile=str(self.authority))

    def as_environment(self) -> dict[str, str]:
        """Give the variables by which common programs learn whom to trust."""
        return {
            "SSL_CERT_FILE": str(self.bundle),
            "REQUESTS_CA_BUNDLE": str(self.bundle),
            "NODE_EXTRA_CA_CERTS": str(self.authority),
        }


def ensure_certificates(
    folder: Path, *, account_name: str, now: datetime | None = None, trusted: Path | None = None
) -> Certificates:
    """Give the certificates of a state directory; made if they are not there, renewed when due; blocks.

    Args:
        folder: theirs; made if it is not there.
        account_name: of the storage account, which has a name of its own below `localhost`.
        now: an aware time; the present one by default.
        trusted: file of what the bundle has besides; by default what `SSL_CERT_FILE` or the system names.

    Returns:
        Files that fit together.

    Raises:
        CertificatesMissingError: without the package `cryptography`.
        OSError: if a file can't be read or written.
    """
    try:
        from orchestrator.local.tls import issue  # noqa: PLC0415  # most services never need it
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] != "cryptography":
            raise
        raise CertificatesMissingError from missing
    now = now or datetime.now(UTC)
    files = Certificates(
        authority=folder / "ca.pem",
        bundle=folder / "bundle.pem",
        server=folder / "server.pem",
        server_key=folder / "server.key",
    )
    folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    authority_key = folder / "ca.key"
    authority = _stored(files.authority, authority_key)
    if authority is None or authority.due(now):
        authority = issue.new_authority(now)
        _store(authority, files.authority, authority_key)
        _log.info("tls.authority.made", file=str(files.authority))
    server = _stored(files.server, files.server_key)
    if server is None or server.due(now) or not server.issued_by(authority):
        server = issue.new_server(authority, account_name=account_name, now=now)
        _store(server, files.server, files.server_key)
        _log.info("tls.certificate.made", file=str(files.server))
    others, ours = _others(trusted), authority.pem()
    # It is there already where our own bundle is what the machine was told to trust.
    _write_public(files.bundle, others if ours in others else others + ours)
    return files


def _stored(certificate: Path, key: Path) -> Identity | None:
    from orchestrator.local.tls.issue import Identity  # noqa: PLC0415  # as above

    # What a write that was broken off left is as good as nothing.
    with contextlib.suppress(FileNotFoundError, ValueError):
        return Identity.load(certificate.read_bytes(), key.read_bytes())
    return None


def _store(identity: Identity, certificate: Path, key: Path) -> None:
    write_private(key, identity.key_pem())
    _write_public(certificate, identity.pem())


def _write_public(path: Path, content: bytes) -> None:
    write_private(path, content)
    path.chmod(_PUBLIC)


def _others(file: Path | None) -> bytes:
    if file is None:
        # What SSL_CERT_FILE names in our environment counts here: a task's own takes its place.
        known = ssl.get_default_verify_paths().cafile
        file = None if known is None else Path(known)
    if file is None or not os.access(file, os.R_OK):
        return b""
    return file.read_bytes().rstrip() + b"\n"
