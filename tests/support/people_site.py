"""An archive for browser tests: sample studies, people with a password, listeners for pages, viewer and shares."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import archives

from leadglass.access.passwords import hash_password
from leadglass.app.archive import Archive
from leadglass.app.home import Home
from leadglass.app.samples import write_samples
from leadglass.core.accounts import Account, Role
from leadglass.core.tokens import Grant

PASSWORD = "many quiet herons by the pond"
_NO_SECOND = "\n[accounts]\nsecond_factor = []\n"
CHIEF, CLINICIAN, TECHNICIAN, AUDITOR, NOBODY = "chief", "rossi", "tech", "audit", "lodger"


@dataclass(frozen=True)
class Site:
    """A served archive: its home, the origins of its listeners, a study and a series that the clinician may see."""

    home: Home
    origin: str
    shares: str
    study: str
    series: str = ""


def made_site(folder: Path, *, people: bool = True, samples: bool = True) -> Site:
    """Make the archive below `folder`; it is served by archives.served."""
    port, shares = archives.free_port(), archives.free_port()
    home = archives.make(folder, [archives.device("ct")], web_port=port)
    listener = f'\n[[web]]\nhost = "127.0.0.1"\nport = {shares}\ntls = false\nserves = "shares"\n'
    home.config.write_text(home.config.read_text("utf-8") + (_NO_SECOND if people else "") + listener, "utf-8")
    if samples:
        _fill(home, folder / "samples")
    with archives.opened(home) as archive:
        study, series = _people(archive) if people else ("", "")
    return Site(home, f"http://localhost:{port}", f"http://localhost:{shares}", study, series)


def _fill(home: Home, folder: Path) -> None:
    write_samples(folder)
    words = [sys.executable, "-m", "leadglass.app", "import", "--home", str(home.root), str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _people(archive: Archive) -> tuple[str, str]:
    """Accounts, and a study with its largest series."""
    kept = hash_password(PASSWORD)
    found = Counter(
        (one.identity.study_uid, one.identity.series_uid)
        for one in archive.catalog.instances()
        if one.identity.study_uid
    )
    studies = sorted({study for study, _ in found})
    for name, display, role in (
        (CHIEF, "Ada Chief", Role.ADMINISTRATOR),
        (CLINICIAN, "Anna Rossi", Role.CLINICIAN),
        (TECHNICIAN, "Tom Technician", Role.TECHNOLOGIST),
        (AUDITOR, "Olga Auditor", Role.AUDITOR),
        (NOBODY, "Lea Lodger", Role.CLINICIAN),
    ):
        archive.state.people.add_account(Account(name, display, frozenset({role}), 1, "test", password_hash=kept))
    for study in studies:
        for name in (CLINICIAN, TECHNICIAN):
            archive.state.put_grant(Grant(name, study_uid=study))
    return max(found, key=lambda pair: (found[pair], pair)) if found else ("", "")
