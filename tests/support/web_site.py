"""A served archive with DICOMweb twice, plain on loopback and over TLS of its own CA, and a token for everything."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import archives

from leadglass.app.certificates import authority_of
from leadglass.app.cli.opening import operator
from leadglass.app.home import Home
from leadglass.core.tokens import Scope
from leadglass.services.tokens import Wanted
from leadglass.web.urls import BASE

_TLS = '\n[[web]]\nhost = "127.0.0.1"\nport = {port}\ntls = true\n'
_SCOPES = frozenset({Scope.READ, Scope.STORE, Scope.DELETE})


@dataclass(frozen=True)
class WebSite:
    """Where it is and what opens it; `authority` is a file with the certificate of the archive's CA."""

    home: Home
    plain: str
    tls: str
    token: str
    authority: Path

    @property
    def bearer(self) -> str:
        return f"Bearer {self.token}"

    @property
    def roots(self) -> dict[str, str]:
        """Name of a listener -> its DICOMweb root."""
        return {"plain": self.plain, "tls": self.tls}


@contextlib.contextmanager
def web_site(folder: Path) -> Iterator[WebSite]:
    """Serve a new, empty archive below `folder`."""
    port, tls_port = archives.free_port(), archives.free_port()
    home = archives.make(folder, [], web_port=port)
    with home.config.open("a", encoding="utf-8") as config:
        config.write(_TLS.format(port=tls_port))
    authority = folder / "ca.pem"
    with archives.opened(home) as archive:
        token = archive.tokens.issue(operator(), Wanted("client", _SCOPES)).text
        authority.write_bytes(authority_of(archive.state, archive.keys.ca).pem)
    with archives.served(home):
        yield WebSite(home, f"http://127.0.0.1:{port}{BASE}", f"https://127.0.0.1:{tls_port}{BASE}", token, authority)
