"""The certificate files of a state directory: whom they vouch for, how long, and who may read them."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import AuthorityKeyIdentifier, DNSName, SubjectAlternativeName

from orchestrator.local.tls import issue
from orchestrator.local.tls.certificates import Certificates, ensure_certificates

NOW = datetime.now(UTC)


def made(folder: Path, now: datetime = NOW) -> Certificates:
    return ensure_certificates(folder, account_name="local", now=now)


def shake_hands(certificates: Certificates, host: str, client: ssl.SSLContext | None = None) -> None:
    """Both sides of a TLS handshake, in memory."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = certificates.server_context().wrap_bio(to_server, to_client, server_side=True)
    context = client or certificates.client_context()
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    mine = context.wrap_bio(to_client, to_server, server_hostname=host)
    left = [mine, server]
    for _ in range(10):
        for side in list(left):
            try:
                side.do_handshake()
                left.remove(side)
            except ssl.SSLWantReadError:
                continue
    assert not left


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "::1", "localhost", "local.blob.core.localhost"],
    ids=["v4", "v6", "name", "account"],
)
def test_the_server_is_who_it_says_under_its_names_and_addresses(tmp_path: Path, host: str) -> None:
    shake_hands(made(tmp_path), host)


@pytest.mark.parametrize("host", ["example.org", "127.0.0.2", "other.blob.core.localhost"])
def test_it_is_nobody_else(tmp_path: Path, host: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(made(tmp_path), host)


def test_the_bundle_trusts_it_too(tmp_path: Path) -> None:
    certificates = made(tmp_path)
    shake_hands(certificates, "localhost", ssl.create_default_context(cafile=str(certificates.bundle)))


def test_another_directorys_authority_does_not_vouch_for_it(tmp_path: Path) -> None:
    one, other = made(tmp_path / "one"), made(tmp_path / "other")
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(one, "localhost", other.client_context())


def test_the_authority_vouches_for_nothing_beyond_this_machine(tmp_path: Path) -> None:
    certificates = made(tmp_path)
    authority = issue.Identity.load(certificates.authority.read_bytes(), (tmp_path / "ca.key").read_bytes())
    honest = issue.new_server(authority, account_name="local", now=NOW)
    builder = issue._builder(
        honest.certificate.subject, authority.certificate.subject, honest.key, NOW, timedelta(days=1)
    )
    builder = builder.add_extension(SubjectAlternativeName([DNSName("example.org")]), critical=False)
    builder = builder.add_extension(
        AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False
    )
    forged = issue.Identity(builder.sign(authority.key, SHA256()), honest.key)
    certificates.server.write_bytes(forged.pem())
    certificates.server_key.write_bytes(forged.key_pem())
    client = certificates.client_context()
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree"):
        shake_hands(certificates, "example.org", client)


def test_keys_are_private_and_certificates_are_not(tmp_path: Path) -> None:
    certificates = made(tmp_path)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {
        "ca.key": 0o600,
        "server.key": 0o600,
        "ca.pem": 0o644,
        "server.pem": 0o644,
        "bundle.pem": 0o644,
    }
    assert b"PRIVATE" not in certificates.authority.read_bytes() + certificates.bundle.read_bytes()


def test_they_are_made_once(tmp_path: Path) -> None:
    made(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    made(tmp_path, NOW + timedelta(days=300))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_certificate_near_its_end_is_renewed_and_the_authority_stays(tmp_path: Path) -> None:
    certificates = made(tmp_path, NOW - timedelta(days=380))
    authority, server = certificates.authority.read_bytes(), certificates.server.read_bytes()
    made(tmp_path)
    assert certificates.authority.read_bytes() == authority
    assert certificates.server.read_bytes() != server
    shake_hands(certificates, "localhost")


@pytest.mark.parametrize("name", ["ca.key", "ca.pem", "server.key", "server.pem"])
def test_a_file_that_is_missing_or_broken_is_made_anew(tmp_path: Path, name: str) -> None:
    made(tmp_path)
    (tmp_path / name).write_text("half")
    shake_hands(made(tmp_path), "localhost")
    (tmp_path / name).unlink()
    shake_hands(made(tmp_path), "localhost")


def test_a_bundle_that_is_its_own_source_does_not_grow(tmp_path: Path) -> None:
    bundle = made(tmp_path).bundle
    before = bundle.read_bytes()
    ensure_certificates(tmp_path, account_name="local", now=NOW, trusted=bundle)
    assert bundle.read_bytes() == before
