"""What the running server says of itself in `run/live.json`: addresses and counts, nothing of patients."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


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
