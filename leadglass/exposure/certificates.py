"""What is wrong with a server's certificate, seen by a client that trusts nobody in particular."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.x509.oid import ExtensionOID

from leadglass.exposure.facts import technical

_SOON = dt.timedelta(days=21)
_MAX_NAMES = 32


@dataclass(frozen=True, slots=True)
class Looked:
    """`problems` in the words of D19; `not_after` is seconds since 1970, `key` as `RSA 2048`, `names` those in it."""

    problems: tuple[str, ...]
    not_after: int
    key: str
    names: tuple[str, ...]


def look_at(certificate: bytes, name: str, now: float) -> Looked | None:
    """Look at a DER certificate; None if it cannot be read. `name` is the host name asked for, "" if none."""
    try:
        found = x509.load_der_x509_certificate(certificate)
        moment = dt.datetime.fromtimestamp(now, dt.UTC)
        begin, end = found.not_valid_before_utc, found.not_valid_after_utc
        key, weak = _key(found)
        names = _names(found)
        problems = [
            problem
            for problem, holds in (
                ("expired", moment > end),
                ("not-yet-valid", moment < begin),
                ("expires-soon", end - _SOON < moment <= end),
                ("self-signed", _self_signed(found)),
                ("wrong-name", bool(name) and not any(_fits(pattern, name) for pattern in names)),
                ("weak-key", weak),
                ("weak-signature", _weak_signature(found)),
            )
            if holds
        ]
        return Looked(tuple(problems), int(end.timestamp()), key, names)
    except (ValueError, TypeError, OverflowError, UnsupportedAlgorithm):
        return None


def _key(found: x509.Certificate) -> tuple[str, bool]:
    key = found.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}", key.key_size < 2048
    if isinstance(key, dsa.DSAPublicKey):
        return f"DSA {key.key_size}", True
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {key.key_size}", key.key_size < 224
    return type(key).__name__.removesuffix("PublicKey"), False


def _self_signed(found: x509.Certificate) -> bool:
    if found.issuer != found.subject:
        return False
    try:
        found.verify_directly_issued_by(found)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _weak_signature(found: x509.Certificate) -> bool:
    try:
        algorithm = found.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return True
    return algorithm is not None and algorithm.name in ("md5", "sha1", "md2", "md4")


def _names(found: x509.Certificate) -> tuple[str, ...]:
    """Host names and addresses that it is for. A subject's common name counts only where there are none (RFC 9525)."""
    try:
        alternative = found.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
        assert isinstance(alternative, x509.SubjectAlternativeName)
        listed = alternative.get_values_for_type(x509.DNSName)
        listed += [str(address) for address in alternative.get_values_for_type(x509.IPAddress)]
    except x509.ExtensionNotFound:
        listed = [str(item.value) for item in found.subject if item.oid == x509.NameOID.COMMON_NAME]
    return tuple(technical(item) for item in listed[:_MAX_NAMES])


def _fits(pattern: str, name: str) -> bool:
    pattern = pattern.lower().rstrip(".")
    if pattern.startswith("*."):
        return name.partition(".")[2] == pattern[2:]
    return name == pattern
