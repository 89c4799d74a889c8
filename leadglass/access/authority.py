"""The archive's own small CA: for its server certificate and for devices that bring none. EC P-384 over P-256 leaves.

Its private key is kept in state, sealed with the keyset's CA key. Times are aware datetimes, handed in.
"""

from __future__ import annotations

import base64
import ipaddress
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from os import urandom

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from leadglass.access.certificates import fingerprint, is_strong, iso_date
from leadglass.core.device import CertificateBinding, DeviceCertificate
from leadglass.core.errors import ErrorCode, LeadglassError

AUTHORITY_DAYS = 3650
SERVER_DAYS = 397  # what clients accept of public CAs; renews itself, so short costs nothing
DEVICE_DAYS = 825  # a person carries it to a modality: not every year
RENEW_DAYS = 60  # before the end: renewal of our own, warnings for devices
SHORTEST_PASSWORD = 8
_SKEW = timedelta(hours=1)  # modalities' clocks are off; a new certificate must not be from their future
_SEAL_CONTEXT = b"leadglass ca v1"
_NOT_SEALED = (ValueError, KeyError, TypeError, AttributeError, InvalidTag)


@dataclass(frozen=True, slots=True)
class Issued:
    """A new certificate. `key_pem` is unencrypted PKCS#8, empty if the key never was here (signed request)."""

    certificate_pem: bytes
    authority_pem: bytes
    not_after: datetime
    key_pem: bytes = field(default=b"", repr=False)

    @property
    def chain_pem(self) -> bytes:
        """The certificate and its CA, as a server presents them."""
        return self.certificate_pem + self.authority_pem

    def seal(self, ca_key: bytes) -> str:
        """Certificate, CA and encrypted key as JSON text, to be kept in state."""
        box = _sealed(self.key_pem, ca_key, self.certificate_pem)
        plain = {"certificate": self.certificate_pem.decode(), "authority": self.authority_pem.decode(), "key": box}
        return json.dumps(plain)

    @classmethod
    def open(cls, sealed: str, ca_key: bytes) -> Issued:
        """What `seal` wrote. LeadglassError(DAMAGED) if it is not that, or not under this key."""
        try:
            plain = json.loads(sealed)
            certificate, authority = plain["certificate"].encode(), plain["authority"].encode()
            key = _opened(plain["key"], ca_key, certificate)
            not_after = x509.load_pem_x509_certificate(certificate).not_valid_after_utc
        except _NOT_SEALED as problem:
            raise LeadglassError(ErrorCode.DAMAGED, "A certificate of the archive cannot be opened.") from problem
        return cls(certificate, authority, not_after, key)

    def is_for(self, names: Sequence[str]) -> bool:
        """Whether it names exactly these addresses and host names."""
        certificate = x509.load_pem_x509_certificate(self.certificate_pem)
        try:
            given = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return not names
        return set(given) == set(map(_general_name, names))

    def binding(self) -> DeviceCertificate:
        """How a device that holds it is recognised."""
        der = x509.load_pem_x509_certificate(self.certificate_pem).public_bytes(serialization.Encoding.DER)
        return DeviceCertificate(CertificateBinding.ISSUED, fingerprint(der), not_after=iso_date(self.not_after))

    def as_pkcs12(self, name: str, password: str) -> bytes:
        """Key, certificate and CA in one password-protected PKCS#12 file."""
        key = serialization.load_pem_private_key(self.key_pem, None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return pkcs12.serialize_key_and_certificates(
            name.encode(),
            key,
            x509.load_pem_x509_certificate(self.certificate_pem),
            [x509.load_pem_x509_certificate(self.authority_pem)],
            serialization.BestAvailableEncryption(_checked_password(password)),
        )

    def as_encrypted_pem(self, password: str) -> bytes:
        """The key encrypted (PKCS#8), then the certificate and its CA."""
        key = serialization.load_pem_private_key(self.key_pem, None)
        return (
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(_checked_password(password)),
            )
            + self.chain_pem
        )


class Authority:
    """The archive's CA. `create` once, then `open` what `seal` gave."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._certificate = certificate
        self._key = key

    @classmethod
    def create(cls, name: str, now: datetime) -> Authority:
        """A new CA for AUTHORITY_DAYS whose name says which archive it is of."""
        key = ec.generate_private_key(ec.SECP384R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Leadglass CA {name}"[:64])])
        builder = (
            _builder(subject, subject, key.public_key(), now, now + timedelta(days=AUTHORITY_DAYS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
        )
        return cls(builder.sign(key, hashes.SHA384()), key)

    @classmethod
    def open(cls, sealed: str, ca_key: bytes) -> Authority:
        """The CA that `seal` wrote. LeadglassError(DAMAGED) if it is not one, or not under this key."""
        try:
            plain = json.loads(sealed)
            certificate = x509.load_pem_x509_certificate(plain["certificate"].encode())
            key = serialization.load_der_private_key(_opened(plain["key"], ca_key, _der(certificate)), None)
        except _NOT_SEALED as problem:
            raise LeadglassError(ErrorCode.DAMAGED, "The archive's own CA cannot be opened.") from problem
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return cls(certificate, key)

    def seal(self, ca_key: bytes) -> str:
        """Certificate and encrypted key as JSON text, to be kept in state."""
        der = self._key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        box = _sealed(der, ca_key, _der(self._certificate))
        return json.dumps({"certificate": self.pem.decode(), "key": box})

    @property
    def pem(self) -> bytes:
        """The CA's certificate."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def not_after(self) -> datetime:
        """When the CA ends."""
        return self._certificate.not_valid_after_utc

    def issue_server(self, names: Sequence[str], now: datetime) -> Issued:
        """A certificate for this archive's own listeners; `names` are its addresses and host names, at least one."""
        if not names:
            raise LeadglassError(ErrorCode.USAGE, "A server certificate needs at least one address or host name.")
        usages = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
        return self._issue(names[0], names, now, SERVER_DAYS, usages)

    def issue_device(self, name: str, now: datetime, names: Sequence[str] = ()) -> Issued:
        """A certificate and key for a device; `names` are where it listens, if it does, since it is a server there."""
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if names else [])]
        return self._issue(name, names, now, DEVICE_DAYS, usages)

    def sign_request(self, request: bytes, name: str, now: datetime, names: Sequence[str] = ()) -> Issued:
        """A certificate for a device's own key (PEM or DER PKCS#10). Of the request only the key is taken: name and
        extensions are ours. LeadglassError(USAGE) if it is no request, not signed by its key, or its key is weak."""
        try:
            loaded = x509.load_pem_x509_csr(request) if b"-----BEGIN" in request else x509.load_der_x509_csr(request)
            signed, public_key = loaded.is_signature_valid, loaded.public_key()
        except Exception as problem:  # a foreign file: the library raises various things
            raise LeadglassError(ErrorCode.USAGE, "That is no certificate request (PKCS#10).") from problem
        if not signed or not is_strong(public_key):
            raise LeadglassError(
                ErrorCode.USAGE, "The request is not signed by its own key, or the key is weak (RSA below 2048 bits)."
            )
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if names else [])]
        certificate = self._sign(name, names, public_key, now=now, days=DEVICE_DAYS, usages=usages)
        return Issued(_pem(certificate), self.pem, certificate.not_valid_after_utc)

    def _issue(
        self, name: str, names: Sequence[str], now: datetime, days: int, usages: Sequence[x509.ObjectIdentifier]
    ) -> Issued:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(name, names, key.public_key(), now=now, days=days, usages=usages)
        key_pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return Issued(_pem(certificate), self.pem, certificate.not_valid_after_utc, key_pem)

    def _sign(
        self,
        name: str,
        names: Sequence[str],
        public_key: CertificatePublicKeyTypes,
        *,
        now: datetime,
        days: int,
        usages: Sequence[x509.ObjectIdentifier],
    ) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
        end = min(now + timedelta(days=days), self.not_after)
        if end <= now:
            raise LeadglassError(ErrorCode.UNAVAILABLE, "The archive's own CA has expired; make a new one.")
        builder = (
            _builder(subject, self._certificate.subject, public_key, now, end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName(list(map(_general_name, names))), critical=False
            )
        return builder.sign(self._key, hashes.SHA384())


def renewal_due(not_after: datetime, now: datetime) -> bool:
    """Whether a certificate ends within RENEW_DAYS: ours is renewed, a device's is warned of."""
    return now + timedelta(days=RENEW_DAYS) >= not_after


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: CertificatePublicKeyTypes, now: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now.astimezone(UTC) - _SKEW)
        .not_valid_after(end.astimezone(UTC))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        return x509.DNSName(name.encode("idna").decode("ascii"))
    except (UnicodeError, ValueError) as problem:
        raise LeadglassError(ErrorCode.USAGE, "That is neither an address nor a host name.") from problem


def _checked_password(password: str) -> bytes:
    if len(password) < SHORTEST_PASSWORD:
        raise LeadglassError(
            ErrorCode.UNSAFE,
            f"A short password does not protect the key on its way: use at least {SHORTEST_PASSWORD} characters.",
        )
    return password.encode()


def _sealed(plain: bytes, ca_key: bytes, bound_to: bytes) -> str:
    """AES-256-GCM under the keyset's CA key, bound to the certificate it belongs to; nonce first, base64."""
    nonce = urandom(12)
    return base64.b64encode(nonce + AESGCM(ca_key).encrypt(nonce, plain, _SEAL_CONTEXT + bound_to)).decode()


def _opened(box: str, ca_key: bytes, bound_to: bytes) -> bytes:
    raw = base64.b64decode(box, validate=True)
    return AESGCM(ca_key).decrypt(raw[:12], raw[12:], _SEAL_CONTEXT + bound_to)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)
