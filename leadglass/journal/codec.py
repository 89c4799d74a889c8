"""An event <-> the JSON inside an entry. Text from peers is bounded and escaped to ASCII, so it stays text."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from leadglass.core.audit import JournalEntry
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind, JournalEvent, Outcome

MAX_TEXT = 1024  # characters kept of one text; ours are short, a peer's may not be
MAX_DETAILS = 32  # details kept of one event
MAX_ENCODED = 48 * 1024  # an entry holds 64 KiB

_KINDS = {kind.value: kind for kind in EventKind}
_OUTCOMES = {outcome.value: outcome for outcome in Outcome}
_OUTCOME_NAMES = {outcome: outcome.name.lower().replace("_", "-") for outcome in Outcome}


def encode_event(event: JournalEvent, time: int) -> bytes:
    """The JSON of an entry, at most MAX_ENCODED bytes."""
    plain = {
        "t": time,
        "k": event.kind.value,
        "w": event.what[:MAX_TEXT],
        "p": event.principal[:MAX_TEXT],
        "a": event.address[:MAX_TEXT],
        "o": event.outcome.value,
        "d": {name[:64]: _bounded(value) for name, value in list(event.details.items())[:MAX_DETAILS]},
    }
    encoded = json.dumps(plain, separators=(",", ":")).encode("ascii")
    if len(encoded) <= MAX_ENCODED:
        return encoded
    plain["d"] = {"details": "left out, too long"}  # escapes can make text up to twelve times longer
    return json.dumps(plain, separators=(",", ":")).encode("ascii")


def decode_event(encoded: bytes, file_id: bytes, sequence: int) -> JournalEntry:
    """What `encode_event` wrote. Raises LeadglassError(DAMAGED) on anything else."""
    try:
        plain = json.loads(encoded)
        event = JournalEvent(
            _KINDS[plain["k"]], plain["w"], plain["p"], plain["a"], _OUTCOMES[plain["o"]], dict(plain["d"])
        )
        return JournalEntry(int(plain["t"]), event, file_id, sequence)
    except (ValueError, KeyError, TypeError) as problem:
        raise LeadglassError(ErrorCode.DAMAGED, "A journal entry does not hold an event.") from problem


def entry_to_dict(entry: JournalEntry) -> dict[str, Any]:
    """The stable form for `--json`: time is ISO 8601 in UTC with microseconds."""
    event = entry.event
    return {
        "time": iso_time(entry.time),
        "kind": event.kind.value,
        "what": event.what,
        "principal": event.principal,
        "address": event.address,
        "outcome": _OUTCOME_NAMES[event.outcome],
        "details": dict(event.details),
        "file": entry.file_id.hex(),
        "sequence": entry.sequence,
    }


def iso_time(time: int) -> str:
    """Nanoseconds since the epoch as 2026-03-01T12:00:00.000000Z."""
    seconds, nanoseconds = divmod(time, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None, microsecond=nanoseconds // 1000)
    return moment.isoformat(timespec="microseconds") + "Z"


def _bounded(value: str | int) -> str | int:
    return value[:MAX_TEXT] if isinstance(value, str) else value
