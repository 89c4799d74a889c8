"""What a run wrote down so far, so that a killed one goes on: one JSON line for an event, each on disk when it counts.

No value of a patient can be in it: it has positions, services and facts. A service whose observation is not in it is
asked again from the beginning, its count included.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from leadglass.exposure.facts import Observation, from_plain, to_plain
from leadglass.exposure.service import Service


class JournalError(Exception):
    """The journal is of another run, or damaged beyond its last line."""


class RunJournal:
    """Of one run. `head` says which: a journal with another head is not gone on with."""

    def __init__(self, path: Path, head: dict[str, Any]) -> None:
        self.position = 0  # everything before was knocked at
        self.unanswered = 0
        self.contacted = 0
        self.open: dict[Service, None] = {}  # in the order in which they were found
        self.observations: dict[Service, Observation] = {}
        fresh = not path.exists()
        if not fresh:
            self._read(path, head)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._file = os.fdopen(descriptor, "a", encoding="ascii")
        if fresh:
            self._write({"head": head})

    @property
    def pending(self) -> list[Service]:
        """Open services that were not observed."""
        return [service for service in self.open if service not in self.observations]

    def reached(self, position: int, contacted: int, unanswered: int) -> None:
        """Everything before `position` was knocked at."""
        self.position, self.contacted, self.unanswered = position, contacted, unanswered
        self._write({"position": position, "contacted": contacted, "unanswered": unanswered})

    def found(self, service: Service) -> None:
        """This service is open."""
        if service not in self.open:
            self.open[service] = None
            self._write({"open": [service.address, service.port, service.name]})

    def observed(self, observation: Observation) -> None:
        """This service was looked at, the whole of it."""
        self.observations[observation.service] = observation
        self._write({"observation": to_plain(observation)})

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line, separators=(",", ":")) + "\n")
        self._file.flush()

    def _read(self, path: Path, head: dict[str, Any]) -> None:
        lines = path.read_bytes().split(b"\n")
        whole = lines[:-1]  # what was cut off in the middle of a line is asked again
        if len(lines[-1]):
            with path.open("r+b") as file:
                file.truncate(sum(len(line) + 1 for line in whole))
        try:
            if not whole or json.loads(whole[0])["head"] != head:
                raise JournalError("The run that is to be gone on with had another scope, seed or shard.")
            for line in whole[1:]:
                self._take(json.loads(line))
        except (ValueError, KeyError, TypeError) as error:
            raise JournalError("The journal of the run is damaged.") from error

    def _take(self, line: dict[str, Any]) -> None:
        if "position" in line:
            self.position, self.contacted, self.unanswered = line["position"], line["contacted"], line["unanswered"]
        elif "open" in line:
            self.open[Service(*line["open"])] = None
        else:
            observation = from_plain(line["observation"])
            self.open[observation.service] = None
            self.observations[observation.service] = observation
