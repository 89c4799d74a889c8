"""What the running server says of itself in `run/live.json`: addresses and counts, nothing of patients."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from leadglass.app.home import Home

MAX_WEB_PROCESSES: Final = 16  # looked for; there are two at most today


def write_live(path: Path, facts: Mapping[str, Any]) -> None:
    """Replace the file, whole or not at all."""
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(facts), "utf-8")
    draft.chmod(0o600)
    draft.replace(path)


def read_live(path: Path) -> dict[str, Any] | None:
    """What the server last said; None if none runs (its process is gone) or it never said anything."""
    try:
        facts = json.loads(path.read_text("utf-8"))
        os.kill(int(facts["pid"]), 0)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return facts if isinstance(facts, dict) else None


def read_web(home: Home) -> dict[int, dict[str, Any]]:
    """What the web processes that run last said, by their number."""
    found = ((number, read_live(home.live_web(number))) for number in range(1, MAX_WEB_PROCESSES + 1))
    return {number: facts for number, facts in found if facts is not None}
