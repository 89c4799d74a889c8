"""`leadglass demo`: an archive with sample studies, filled through its own DICOM port, served on loopback."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

from leadglass.core.errors import ErrorCode, LeadglassError

Say = Callable[[str], None]


def run(folder: Path, port: int, *, keep_serving: bool, say: Say) -> None:
    """Make the demo in `folder` if it is not there, then serve it."""
    raise LeadglassError(ErrorCode.UNAVAILABLE, f"The demo is not built yet ({folder.name}, {port}, {secrets.token_hex(2)}).")
