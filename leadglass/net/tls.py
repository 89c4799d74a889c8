"""TLS contexts by PS3.15 B.12 and B.13 (BCP 195): TLS 1.2 with ECDHE and AEAD ciphers, and TLS 1.3; nothing else.

Certificates and keys are handed in as PEM bytes: keys lie encrypted elsewhere and never on disk in clear. OpenSSL takes
a chain from a file only, so it is read through an anonymous file in memory.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from enum import Enum

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"  # for TLS 1.2; those of 1.3 are AEAD all


class ClientCertificates(Enum):
    """Whether a server asks its callers for a certificate."""

    REQUIRED = ssl.CERT_REQUIRED
    OPTIONAL = ssl.CERT_OPTIONAL
    IGNORED = ssl.CERT_NONE


def server_context(
    certificate: bytes,
    key: bytes,
    *,
    client_authorities: bytes = b"",
    client_certificates: ClientCertificates = ClientCertificates.REQUIRED,
) -> ssl.SSLContext:
    """A context to accept with. `client_authorities` holds every CA and every pinned certificate a caller may show.

    Raises ssl.SSLError if certificate and key do not fit, ValueError if callers need a certificate and none is trusted.
    """
    context = _base(ssl.PROTOCOL_TLS_SERVER)
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_SINGLE_ECDH_USE
    context.num_tickets = 0  # every association proves its certificate anew, so a removed device is out at once
    _load_chain(context, certificate, key)
    if client_authorities:
        _trust(context, client_authorities)
    elif client_certificates is ClientCertificates.REQUIRED:
        raise ValueError("client certificates are required and none is trusted")
    context.verify_mode = client_certificates.value
    return context


def client_context(
    authorities: bytes, *, certificate: bytes = b"", key: bytes = b"", check_hostname: bool = True
) -> ssl.SSLContext:
    """A context to dial with. `authorities` holds the CAs or pinned certificates the server may show; there is no
    default store and no way to verify nothing. `check_hostname` may be off where a peer's certificate is pinned."""
    context = _base(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = check_hostname
    _trust(context, authorities)
    if certificate:
        _load_chain(context, certificate, key)
    return context


class RenewableContext:
    """A context source for a listener whose certificate, or list of trusted callers, changes while it runs.

    New connections get the newest context, running ones keep theirs. A failing `make` keeps the context that worked.
    """

    def __init__(self, make: Callable[[], ssl.SSLContext]) -> None:
        self._make = make
        self._context = make()

    def __call__(self) -> ssl.SSLContext:
        """The context for the next connection."""
        return self._context

    def reload(self) -> None:
        """Make the context again; what `make` raises goes on and nothing is changed."""
        self._context = self._make()


def _base(protocol: ssl._SSLMethod) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
    return context


def _trust(context: ssl.SSLContext, authorities: bytes) -> None:
    context.load_verify_locations(cadata=authorities.decode("ascii"))
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # a pinned certificate is its own end of the chain


def _load_chain(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    descriptor = os.memfd_create("chain", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, certificate.rstrip() + b"\n" + key)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}", password=lambda: b"")
    finally:
        os.close(descriptor)
