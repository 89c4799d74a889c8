"""Where things lie in an archive's home. The one place that knows the file names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of one archive (mode 0700)."""

    root: Path

    @property
    def config(self) -> Path:
        """`leadglass.toml`."""
        return self.root / "leadglass.toml"

    @property
    def keyset(self) -> Path:
        """The wrapped keys."""
        return self.root / "keyset.json"

    @property
    def vault(self) -> Path:
        """Segments and key ring."""
        return self.root / "vault"

    @property
    def state(self) -> Path:
        """Decisions."""
        return self.root / "index" / "state.db"

    @property
    def catalog(self) -> Path:
        """What is derived."""
        return self.root / "index" / "catalog.db"

    @property
    def journal(self) -> Path:
        """The audit trail."""
        return self.root / "journal"

    @property
    def lock(self) -> Path:
        """Held by the one server of this archive."""
        return self.root / "run" / "server.lock"

    @property
    def live(self) -> Path:
        """What the running server says of itself: addresses and counts, nothing of patients."""
        return self.root / "run" / "live.json"

    def live_web(self, number: int) -> Path:
        """The same of a web process."""
        return self.root / "run" / f"web-{number}.json"

    @property
    def quotas(self) -> Path:
        """What the web processes count together of each token's quota."""
        return self.root / "run" / "quotas"

    def make(self) -> None:
        """Create the folders, for the owner alone."""
        for folder in (self.root, self.vault, self.state.parent, self.journal, self.lock.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
