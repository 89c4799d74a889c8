"""Where another listener of the archive is, for the pages that lead there."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A listener beside the one that is asked, if there is one. `public` is its address where that cannot be told from
    the listener: behind a proxy, or by another name."""

    listens: bool = False
    tls: bool = True
    port: int = 0
    public: str = ""

    def origin(self, asked: str) -> str:
        """Its origin for who asks at the origin `asked`; "" if there is none."""
        if not self.listens or self.public:
            return self.public
        host = urlsplit(asked).hostname or ""
        return f"{'https' if self.tls else 'http'}://{f'[{host}]' if ':' in host else host}:{self.port}"
