"""Starts the laboratory, writes what an audit of it needs, and ends all of it."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import datetime as dt
import ssl
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from leadglass.app.lab.peers import peers
from leadglass.app.lab.places import DICOM, TLS_PORT, WEB, Light, crowd, light_servers
from leadglass.app.lab.truth import Place
from leadglass.core.errors import ErrorCode, LeadglassError

# Invented: the domains are reserved (RFC 2606), and the addresses are this machine's own.
_OWNERS = (
    ("127.77.0.10/31", "IT", "Clinica Inventata", "security@clinica-inventata.example"),
    ("127.77.0.12/30", "DE", "Praxis Erfunden", "it@praxis-erfunden.example"),
    ("127.77.0.16/28", "US", "Invented Imaging Center", "security@invented-imaging.example"),
    ("127.77.0.0/16", "ES", "Hospital Inventado", "seguridad@hospital-inventado.example"),
    ("127.78.0.0/15", "US", "Crowd Hosting", "abuse@crowd-hosting.example"),
)

SCOPE = """# The laboratory of Leadglass: loopback addresses only, so no signature is needed.
[permission]
title = "The laboratory"
authorised_by = "whoever runs this machine"
contact = "nobody: it does not leave this machine"
from = {begin}
until = {end}

[targets]
networks = {networks}
ports = [{ports}]

[pace]                           # there is nobody to be gentle with here
per_host = 1000
total = 100000
concurrent = 512
connect_timeout = 3
probe_timeout = {patience}
"""


@contextlib.asynccontextmanager
async def lights(servers: Iterable[Light], folder: Path) -> AsyncIterator[list[Place]]:
    """These light servers, listening until the end of this. IN_USE if an address is taken."""
    context = _expired(folder)
    loop = asyncio.get_running_loop()
    async with contextlib.AsyncExitStack() as stack:
        places = []
        for light in servers:
            place = light.place
            try:
                server = await loop.create_server(
                    light.protocol, place.address, place.port, ssl=context if light.tls else None, backlog=64
                )
            except OSError as error:
                raise LeadglassError(
                    ErrorCode.IN_USE, f"{place.address}:{place.port} is taken: is a lab running?"
                ) from error
            stack.callback(server.close)
            places.append(place)
        yield places


def chosen(fakes: int, closed: frozenset[str]) -> list[Light]:
    """The light servers without those that are closed, and so many more. USAGE for a name that there is not."""
    servers = light_servers()
    unknown = closed - {light.place.name for light in servers} - {peer.name for peer in peers()}
    if unknown:
        raise LeadglassError(ErrorCode.USAGE, f"The laboratory has no server called {min(unknown)}.")
    return [light for light in servers if light.place.name not in closed] + crowd(fakes)


def write_scope(folder: Path, *, fakes: int, patience: int = 5) -> Path:
    """The scope of the laboratory and the file of its invented owners; gives the scope's path."""
    today = dt.datetime.now(dt.UTC).date()
    networks = ['"127.77.0.0/23"', '"127.77.2.0/26"']
    if fakes:
        networks.append(f'"127.78.0.1-127.78.{(fakes - 1) // 250}.{(fakes - 1) % 250 + 1}"')
    path = folder / "scope.toml"
    path.write_text(
        SCOPE.format(
            begin=today,
            end=today + dt.timedelta(days=300),
            networks=f"[{', '.join(networks)}]",
            ports=f"{DICOM}, {TLS_PORT}, {WEB}",
            patience=patience,
        )
    )
    with (folder / "owners.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("network", "country", "organisation", "contact"))
        writer.writerows(_OWNERS)
    return path


def _expired(folder: Path) -> ssl.SSLContext:
    """A certificate that ended years ago, and its key, made for this run."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pacs.invented.example")])
    begin = dt.datetime(2019, 9, 17, tzinfo=dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + dt.timedelta(days=365))
        .sign(key, hashes.SHA256())
    )
    path = folder / "expired.pem"
    path.touch(mode=0o600)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(pem + certificate.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    path.unlink()
    return context
