"""Makes and checks certificates: an authority for this machine only, and servers' certificates.

The authority may vouch for names and addresses of this machine only (name constraints), so that a user who
trusts it gives nothing else away.
"""

from __future__ import annotations

import ipaddress
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_AUTHORITY_LIFE: Final = timedelta(days=3650)
# Some clients refuse a server's certificate that is good for longer.
_LIFE: Final = timedelta(days=397)
_RENEW_BEFORE: Final = timedelta(days=30)
# Clocks of virtual machines jump, and a certificate is used as soon as it is made.
_EARLIER: Final = timedelta(hours=1)
_ADDRESSES: Final = ("127.0.0.1", "::1")
_OWN_NETWORKS: Final = ("127.0.0.0/8", "::1/128")


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def load(cls, certificate: bytes, key: bytes) -> Self:
        """Read both from PEM.

        Raises:
            ValueError: if one is broken, or they don't belong together.
        """
        loaded = cls(x509.load_pem_x509_certificate(certificate), _ec_key(key))
        if loaded.certificate.public_key() != loaded.key.public_key():
            raise ValueError("a certificate and another's key")
        return loaded

    def pem(self) -> bytes:
        """Write the certificate down."""
        return self.certificate.public_bytes(Encoding.PEM)

    def key_pem(self) -> bytes:
        """Write the key down."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def due(self, now: datetime) -> bool:
        """Tell whether it is time for a new one."""
        return now + _RENEW_BEFORE > self.certificate.not_valid_after_utc

    def issued_by(self, authority: Identity) -> bool:
        """Tell whether an authority vouches for it."""
        try:
            self.certificate.verify_directly_issued_by(authority.certificate)
        except (InvalidSignature, ValueError, TypeError):
            return False
        return True


def new_authority(now: datetime) -> Identity:
    """Make an authority.

    Args:
        now: an aware time.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    # A name of its own: two state directories' authorities may stand in one list of trusted ones.
    name = _name(f"orchestrator local CA {secrets.token_hex(4)}")
    allowed: list[x509.GeneralName] = [x509.DNSName("localhost")]  # and all below it
    allowed += [x509.IPAddress(ipaddress.ip_network(network)) for network in _OWN_NETWORKS]
    builder = (
        _builder(name, name, key, now, _AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.NameConstraints(allowed, None), critical=True)
    )
    return Identity(builder.sign(key, SHA256()), key)


def new_server(authority: Identity, *, account_name: str, now: datetime) -> Identity:
    """Make the endpoints' certificate: for loopback's addresses and names.

    Args:
        authority: that vouches for it.
        account_name: of the storage account, whose own name is below `localhost`.
        now: an aware time.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority.certificate
    names = ("localhost", "*.localhost", f"{account_name}.blob.core.localhost")
    alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
    alternatives += [x509.IPAddress(ipaddress.ip_address(address)) for address in _ADDRESSES]
    life = min(_LIFE, issuer.not_valid_after_utc - now)
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    builder = (
        _builder(_name("orchestrator local service"), issuer.subject, key, now, life)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(issuer_key, critical=False)
    )
    return Identity(builder.sign(authority.key, SHA256()), key)


def _ec_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key(pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("not one of our keys")  # noqa: TRY004  # the file's content, not a caller's mistake
    return key


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
