"""A server that agrees on TLS and then says nothing, and certificates for it."""

from __future__ import annotations

import contextlib
import datetime as dt
import socket
import ssl
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

DAY = dt.timedelta(days=1)


def certificate(path: Path, key: str = "RSA 2048", days: int = 400) -> Path:
    """A self-signed one with its key, which ends in so many days (or ended, below zero)."""
    kind, bits = key.split()
    made = ec.generate_private_key(ec.SECP256R1()) if kind == "EC" else rsa.generate_private_key(65537, int(bits))
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "pacs.invented.example")])
    end = dt.datetime.now(dt.UTC).replace(microsecond=0) + days * DAY
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(made.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - 500 * DAY)
        .not_valid_after(end)
        .sign(made, hashes.SHA256())
    )
    pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(pem + signed.public_bytes(Encoding.PEM))
    return path


def context(
    path: Path, *, ciphers: str = "", least: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2, asks: ssl.VerifyMode | None = None
) -> ssl.SSLContext:
    """A server's side with this certificate; `asks` for the client's."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if ciphers:
        made.set_ciphers(ciphers)
    made.load_cert_chain(path)
    with warnings.catch_warnings(action="ignore"):  # old versions are what is to be found
        made.minimum_version = least
    if asks is not None:
        made.verify_mode = asks
        made.load_verify_locations(path)
    return made


@contextlib.contextmanager
def tls_server(made: ssl.SSLContext) -> Iterator[int]:
    """It listens until the end of this; gives its port."""
    door = socket.create_server(("127.0.0.1", 0), backlog=64)

    def one(line: socket.socket) -> None:
        try:
            line.settimeout(20)
            with made.wrap_socket(line, server_side=True) as secured:
                secured.recv(10)
        except OSError:
            line.close()

    def loop() -> None:
        while True:
            try:
                line, _ = door.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(line,), daemon=True).start()

    threading.Thread(target=loop, daemon=True).start()
    try:
        yield int(door.getsockname()[1])
    finally:
        door.shutdown(socket.SHUT_RDWR)
        door.close()
