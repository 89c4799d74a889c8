"""Certificates of devices: how one is bound at enrolment, and whether a presented one is the device's.

TLS has proved that the peer holds the key of what it presents. Here it is decided whose it is: by fingerprint (issued
by our CA, or pinned), or by a foreign CA and the exact subject. Dates are checked here in every case.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from leadglass.core.device import CertificateBinding, Device, DeviceCertificate
from leadglass.core.errors import ErrorCode, LeadglassError

ExtensionT = TypeVar("ExtensionT", bound=x509.ExtensionType)

SHORTEST_RSA = 2048
LONGEST_RSA = 16_384  # verifying must not become work for its own sake
_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_UNDERSTOOD = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.CERTIFICATE_POLICIES,  # asks nothing of us: no policy is required here
    }
)  # a critical extension outside these says something that would be ignored (RFC 5280 4.2)


def fingerprint(der: bytes) -> str:
    """SHA-256 of a DER certificate, in hexadecimal."""
    return hashlib.sha256(der).hexdigest()


def iso_date(moment: datetime) -> str:
    """2027-01-31T12:00:00Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def expiry(certificate: DeviceCertificate) -> datetime:
    """When a device's certificate ends; where a foreign CA issues it, when the last certificate of that CA does."""
    if certificate.binding is CertificateBinding.AUTHORITY:
        return max(item.not_valid_after_utc for item in _load(certificate.authority.encode("ascii")))
    return datetime.fromisoformat(certificate.not_after)


def end_of(pem: bytes) -> datetime:
    """When the first certificate of `pem` (the server's own, its chain behind it) ends. LeadglassError(USAGE) if there
    is none."""
    return _load(pem)[0].not_valid_after_utc


def pin(data: bytes, now: datetime) -> DeviceCertificate:
    """Bind an existing certificate (PEM or DER), whoever issued it. `authority` keeps its PEM, which TLS needs.

    LeadglassError(USAGE) if it is none, not valid now, weak, or a CA's.
    """
    certificates = _load(data)
    leaf = certificates[0]
    if not _in_force(leaf, now):
        raise LeadglassError(ErrorCode.USAGE, "The certificate is not valid now: expired, or not yet begun.")
    if not is_strong(leaf.public_key()):
        raise LeadglassError(ErrorCode.USAGE, "The certificate's key is weak (RSA below 2048 bits, DSA).")
    if _is_authority(leaf) and leaf.subject != leaf.issuer:  # simple tools mark self-signed ones as CAs
        raise LeadglassError(ErrorCode.USAGE, "This is a CA's certificate; bind it as a CA with a subject.")
    if not _fits_clients(leaf):
        raise LeadglassError(ErrorCode.USAGE, "The certificate is not meant for callers (extended key usage).")
    return DeviceCertificate(
        CertificateBinding.PINNED,
        fingerprint(leaf.public_bytes(serialization.Encoding.DER)),
        leaf.public_bytes(serialization.Encoding.PEM).decode("ascii"),
        iso_date(leaf.not_valid_after_utc),
    )


def bind_authority(data: bytes, subject: str, now: datetime) -> DeviceCertificate:
    """Bind whatever certificate a foreign CA issues to exactly `subject` (RFC 4514, as `openssl x509 -nameopt RFC2253`
    prints it). LeadglassError(USAGE) if `data` (PEM or DER) holds no CA in force, or the subject is no name."""
    authorities = _load(data)
    try:
        name = x509.Name.from_rfc4514_string(subject)
    except ValueError as problem:
        raise LeadglassError(ErrorCode.USAGE, "The subject is not a name such as CN=ct1,O=Hospital.") from problem
    if not list(name):
        raise LeadglassError(ErrorCode.USAGE, "An empty subject would admit whatever the CA issued without one.")
    if not all(_may_issue(authority, now) for authority in authorities):
        raise LeadglassError(
            ErrorCode.USAGE,
            "That is no usable CA: not a CA's certificate, not valid now, weak, or limited in a way not understood.",
        )
    pem = b"".join(authority.public_bytes(serialization.Encoding.PEM) for authority in authorities)
    return DeviceCertificate(CertificateBinding.AUTHORITY, name.rfc4514_string(), pem.decode("ascii"))


def matches(der: bytes, device: Device, now: datetime) -> bool:
    """Whether the presented certificate (DER) is one of the device's, in force at `now`. Never raises on its bytes."""
    try:
        leaf = x509.load_der_x509_certificate(der)
        if not _in_force(leaf, now):
            return False
        presented = fingerprint(der)
        return any(_is_bound(leaf, presented, item, now) for item in device.certificates)
    except Exception:  # a stranger's bytes: the library raises some ten unrelated kinds, and each means "no"
        return False


def trust_anchors(devices: Iterable[Device], own_authority: bytes) -> bytes:
    """PEM of all that TLS must let through for `matches` to judge: our CA, pinned certificates, foreign CAs. With
    partial chains allowed (net.tls does), a pinned certificate is its own anchor."""
    pems = {own_authority: None}
    for device in devices:
        if device.enabled:
            pems |= dict.fromkeys(item.authority.encode("ascii") for item in device.certificates if item.authority)
    return b"".join(pem.rstrip() + b"\n" for pem in pems if pem)


def is_strong(key: object) -> bool:
    """RSA from 2048 bits, NIST curves from 256, Ed25519, Ed448; never DSA."""
    if isinstance(key, rsa.RSAPublicKey):
        return SHORTEST_RSA <= key.key_size <= LONGEST_RSA
    if isinstance(key, ec.EllipticCurvePublicKey):
        return isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1 | ec.SECP521R1)
    return isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey)


def _is_bound(leaf: x509.Certificate, presented: str, bound: DeviceCertificate, now: datetime) -> bool:
    if bound.binding is not CertificateBinding.AUTHORITY:
        return presented == bound.value
    return (
        bool(bound.value)
        and leaf.subject.rfc4514_string() == bound.value
        and not _is_authority(leaf)
        and is_strong(leaf.public_key())
        and _fits_clients(leaf)
        and _understood(leaf)
        and any(_issued_by(leaf, authority, now) for authority in _load(bound.authority.encode("ascii")))
    )


def _issued_by(leaf: x509.Certificate, authority: x509.Certificate, now: datetime) -> bool:
    """The administrator named the issuing CA, so the chain is this one step (RFC 5280 6.1 with it as anchor)."""
    if not _may_issue(authority, now) or not _well_signed(leaf):
        return False
    try:
        leaf.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _may_issue(authority: x509.Certificate, now: datetime) -> bool:
    usage = _extension(authority, x509.KeyUsage)
    return (
        _is_authority(authority)
        and (usage is None or usage.key_cert_sign)
        and is_strong(authority.public_key())
        and _in_force(authority, now)
        and _understood(authority)
    )


def _well_signed(certificate: x509.Certificate) -> bool:
    """No MD5, no SHA-1; EdDSA names no hash of its own."""
    algorithm = certificate.signature_hash_algorithm
    return algorithm is None or isinstance(algorithm, _HASHES)


def _in_force(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _is_authority(certificate: x509.Certificate) -> bool:
    constraints = _extension(certificate, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def _fits_clients(leaf: x509.Certificate) -> bool:
    """Key usage and extended key usage, where they are there, allow a TLS client (RFC 5280 4.2.1.12)."""
    usage, extended = _extension(leaf, x509.KeyUsage), _extension(leaf, x509.ExtendedKeyUsage)
    meant = {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    return (usage is None or usage.digital_signature) and (extended is None or not meant.isdisjoint(extended))


def _understood(certificate: x509.Certificate) -> bool:
    return all(item.oid in _UNDERSTOOD for item in certificate.extensions if item.critical)


def _load(data: bytes) -> list[x509.Certificate]:
    """Certificates whose key and extensions can be read too. LeadglassError(USAGE) otherwise."""
    try:
        found = (
            x509.load_pem_x509_certificates(data) if b"-----BEGIN" in data else [x509.load_der_x509_certificate(data)]
        )
        for certificate in found:
            certificate.public_key()
            len(certificate.extensions)
    except Exception as problem:  # a foreign file: the library raises various things
        raise LeadglassError(ErrorCode.USAGE, "That is no certificate (PEM or DER) that can be used here.") from problem
    return found


def _extension(certificate: x509.Certificate, kind: type[ExtensionT]) -> ExtensionT | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
