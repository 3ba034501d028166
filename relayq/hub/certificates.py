"""The hub's own certificate authority: one server certificate, one certificate for each user.

The address of a hub changes (a tailnet name, a new IP), so its certificate carries one
fixed name and the address proves nothing. Clients believe this authority alone, the
server lets nobody in without a certificate of it, and a client's certificate cannot
stand for the server: each says what it is for. Keys are P-256, which every OpenSSL
and LibreSSL speaks (Ed25519 would spare 70 bytes).

Certificates begin in 1970: a Raspberry Pi without a battery clock starts there.
"""

from __future__ import annotations

import datetime
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from relayq.trust.ticket import SERVER_NAME

BEGINNING = datetime.datetime(1970, 1, 2, tzinfo=datetime.UTC)
LIFE = datetime.timedelta(days=20 * 365)


class Pair(NamedTuple):
    """A certificate and its private key, both DER."""

    certificate: bytes
    key: bytes

    def pem(self) -> str:
        """Both as one PEM text, the key first."""
        return key_pem(self.key) + certificate_pem(self.certificate)


def make_authority() -> Pair:
    """A new authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("RelayQ hub authority")
    builder = _builder(name, name, key.public_key(), _forever()).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    return _signed(builder.add_extension(_usage(is_authority=True), critical=True), key, key)


def make_server(authority: Pair) -> Pair:
    """The certificate of the hub's server."""
    return _issue(authority, SERVER_NAME, ExtendedKeyUsageOID.SERVER_AUTH, _forever())


def make_client(authority: Pair, user: str, until: datetime.datetime | None = None) -> Pair:
    """The certificate of one user, good until then; without `until`, for twenty years."""
    return _issue(authority, user, ExtendedKeyUsageOID.CLIENT_AUTH, until or _forever())


def certificate_pem(der: bytes) -> str:
    """A certificate as PEM."""
    return x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM).decode()


def key_pem(der: bytes) -> str:
    """A private key as PEM."""
    key = serialization.load_der_private_key(der, None)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def read_pem(text: str) -> Pair:
    """The pair that `Pair.pem` wrote; ValueError for anything else."""
    certificate = x509.load_pem_x509_certificate(text.encode())
    key = serialization.load_pem_private_key(text.encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return Pair(certificate.public_bytes(serialization.Encoding.DER), _key_der(key))


def end_of(pem: str) -> datetime.datetime:
    """When the certificate in this text ends; ValueError when there is none."""
    certificate = x509.load_pem_x509_certificate(pem.encode())
    aware = getattr(certificate, "not_valid_after_utc", None)  # from cryptography 42 on
    return aware or certificate.not_valid_after.replace(tzinfo=datetime.UTC)


def is_pair(pair: Pair) -> bool:
    """Does the key belong to the certificate?"""
    try:
        key = serialization.load_der_private_key(pair.key, None)
        return key.public_key() == x509.load_der_x509_certificate(pair.certificate).public_key()
    except (ValueError, TypeError):
        return False


def is_issued_by(certificate: bytes, authority: bytes) -> bool:
    """Did this authority sign the certificate?"""
    try:
        signed = x509.load_der_x509_certificate(certificate)
        public = x509.load_der_x509_certificate(authority).public_key()
        assert isinstance(public, ec.EllipticCurvePublicKey)
        public.verify(signed.signature, signed.tbs_certificate_bytes, ec.ECDSA(hashes.SHA256()))
    except (ValueError, InvalidSignature, AssertionError):
        return False
    return True


def _issue(authority: Pair, name: str, purpose: x509.ObjectIdentifier, until: datetime.datetime) -> Pair:
    signer = serialization.load_der_private_key(authority.key, None)
    parent = x509.load_der_x509_certificate(authority.certificate)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        _builder(_name(name), parent.subject, key.public_key(), until)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(is_authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    if purpose == ExtendedKeyUsageOID.SERVER_AUTH:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    return _signed(builder, signer, key)


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, until: datetime.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(BEGINNING)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _signed(
    builder: x509.CertificateBuilder, signer: ec.EllipticCurvePrivateKey, key: ec.EllipticCurvePrivateKey
) -> Pair:
    certificate = builder.sign(signer, hashes.SHA256())
    return Pair(certificate.public_bytes(serialization.Encoding.DER), _key_der(key))


def _key_der(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The short form: 121 bytes instead of 138."""
    return key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def _usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _forever() -> datetime.datetime:
    return (datetime.datetime.now(datetime.UTC) + LIFE).replace(microsecond=0)
