"""Where the viewer is: its files, and the address of its origin."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from leadglass.web.viewer.files import ViewerFiles


@dataclass(frozen=True, slots=True)
class ViewerSite:
    """The viewer of one archive: what tools/viewer fetched, if it did, and the listener it is served on, if there is
    one. `public` is its address where that cannot be told from the listener: behind a proxy, or by another name."""

    files: ViewerFiles | None = None
    listens: bool = False
    tls: bool = True
    port: int = 0
    public: str = ""

    def origin(self, asked: str) -> str:
        """The origin of the viewer for who asks the pages at the origin `asked`; "" if there is none."""
        if not self.listens or self.public:
            return self.public
        host = urlsplit(asked).hostname or ""
        return f"{'https' if self.tls else 'http'}://{f'[{host}]' if ':' in host else host}:{self.port}"
