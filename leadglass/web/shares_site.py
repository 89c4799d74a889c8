"""Where shares are opened: the address of the listener that is for them."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class SharesSite:
    """The listener for shares, if there is one. `public` is its address where that cannot be told from the listener:
    behind a proxy, or by another name."""

    listens: bool = False
    tls: bool = True
    port: int = 0
    public: str = ""

    def origin(self, asked: str) -> str:
        """The origin of shares for who asks the pages at the origin `asked`; "" if there is none."""
        if not self.listens or self.public:
            return self.public
        host = urlsplit(asked).hostname or ""
        return f"{'https' if self.tls else 'http'}://{f'[{host}]' if ':' in host else host}:{self.port}"
