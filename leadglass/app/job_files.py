"""Jobs of the web processes, told to each other by small files below `run`: counts, nothing of patients."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Final

from leadglass.app.live import write_live
from leadglass.core.jobs import JobState, SendJob

_IDENTIFIER: Final = re.compile(r"[0-9a-f]{32}")
MAX_FILES: Final = 200  # the oldest go


class JobFiles:
    """core.jobs.JobBoard."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, job: SendJob) -> None:
        """Tell how far a job is."""
        with contextlib.suppress(OSError):  # a full disk: the job goes on
            path = self._path(job.identifier)
            new = not path.exists()
            write_live(path, {**asdict(job), "state": job.state.value})
            if new:
                self._sweep()

    def get(self, identifier: str) -> SendJob | None:
        """What was told last."""
        if not _IDENTIFIER.fullmatch(identifier):
            return None
        try:
            kept = json.loads(self._path(identifier).read_text("utf-8"))
            return SendJob(**{**kept, "state": JobState(kept["state"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def _path(self, identifier: str) -> Path:
        return self._folder / f"send-{identifier}.json"

    def _sweep(self) -> None:
        files = sorted(self._folder.glob("send-*.json"), key=lambda path: path.stat().st_mtime)
        for path in files[:-MAX_FILES]:
            path.unlink(missing_ok=True)
