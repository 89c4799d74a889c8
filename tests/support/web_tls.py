"""Web listeners with TLS of a served archive: written into its configuration, called, looked at."""

from __future__ import annotations

import datetime as dt
import json
import socket
import ssl
from pathlib import Path

import archives
from enrolling import leadglass

from leadglass.access.authority import SERVER_DAYS, Authority, Issued
from leadglass.app.certificates import authority_of, utc_now
from leadglass.app.home import Home

PATIENCE = 20.0


def listen(home: Home, *lines: str) -> None:
    """Add a `[[web]]` table."""
    home.config.write_text(home.config.read_text() + "\n[[web]]\n" + "\n".join(lines) + "\n")


def listen_tls(home: Home, port: int, *lines: str) -> None:
    """Add a `[[web]]` table with TLS on loopback."""
    listen(home, 'host = "127.0.0.1"', f"port = {port}", *lines)


class Given:
    """Certificate and key files that an administrator gives, from a CA of their own."""

    def __init__(self, folder: Path, names: tuple[str, ...] = ("127.0.0.1", "localhost")) -> None:
        self.names = names
        self.certificate, self.key = folder / "web.pem", folder / "web.key"
        self.authority = Authority.create("hospital", utc_now() - dt.timedelta(days=SERVER_DAYS + 2))

    @property
    def lines(self) -> tuple[str, str]:
        return f'certificate = "{self.certificate}"', f'key = "{self.key}"'

    @property
    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self.authority.pem.decode())

    def put(self, until: dt.datetime) -> bytes:
        """Put a new certificate there that ends at `until`; as DER."""
        issued = self.authority.issue_server(self.names, until - dt.timedelta(days=SERVER_DAYS))
        self.key.write_bytes(issued.key_pem)
        self.key.chmod(0o600)
        self.certificate.write_bytes(issued.chain_pem)
        return der(issued)


def der(issued: Issued) -> bytes:
    """The certificate as TLS carries it."""
    return ssl.PEM_cert_to_DER_cert(issued.certificate_pem.decode())


def own_trust(home: Home) -> ssl.SSLContext:
    """Trust in the archive's own CA."""
    with archives.opened(home) as archive:
        return ssl.create_default_context(cadata=authority_of(archive.state, archive.keys.ca).pem.decode())


def connected(port: int, trust: ssl.SSLContext) -> ssl.SSLSocket:
    """A connection to a port of loopback."""
    raw = socket.create_connection(("127.0.0.1", port), PATIENCE)
    return trust.wrap_socket(raw, server_hostname="localhost")


def presented(port: int, trust: ssl.SSLContext) -> bytes:
    """The certificate that is shown, as DER; empty if nobody listens."""
    try:
        with connected(port, trust) as peer:
            return peer.getpeercert(binary_form=True) or b""
    except OSError:
        return b""


def token(home: Home) -> dict[str, str]:
    """A header that lets in, as `tester`, to read and store."""
    words = ("token", "issue", "tester", "--scope", "read", "--scope", "store")
    return {"authorization": f"Bearer {leadglass(home, *words).stdout.strip()}"}


def addresses(home: Home) -> set[str]:
    """From where the journal says that queries came."""
    entries = json.loads(leadglass(home, "journal", "show", "--json").stdout)
    return {entry["address"] for entry in entries if entry["kind"] == "query"}
