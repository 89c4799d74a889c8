"""device refused: who was turned away lately, and the command that would let each in."""

from __future__ import annotations

import os
import re
import shlex
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from leadglass.access.titles import is_valid_title
from leadglass.app.cli.opening import HomeOption, JsonOption, opened
from leadglass.app.cli.output import as_json, table
from leadglass.core.audit import JournalFilter
from leadglass.core.events import EventKind
from leadglass.journal.reader import read_journal
from leadglass.services.refused import DAY, REFUSALS, Refusal


def refused(
    days: Annotated[int, typer.Option(help="How far to look back.", min=1)] = 7,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Who was refused lately, and the command that would let each in. Look before you paste: strangers call too."""
    since = time.time_ns() - days * DAY
    with opened(home) as archive:
        archive.journal.flush()
        wanted = JournalFilter(kinds=frozenset({EventKind.SECURITY_ALERT}), since=since)
        entries = list(read_journal(archive.home.journal, archive.keys.journal, wanted))
    found = [Refusal.of(entry.event) for entry in entries if entry.event.what in REFUSALS]
    rows = [(item.address, item.title, item.hint, _at(command(item), home)) for item in dict.fromkeys(found)]
    if json:
        as_json([dict(zip(("address", "title", "why", "enrol"), row, strict=True)) for row in rows])
    else:
        table("Refused", ("from", "calling title", "why", "to let it in"), rows)


def command(refusal: Refusal) -> str:
    """What would let it in, ready for a shell: everything that a stranger chose is quoted. Empty if nothing
    should: a public address over plain DICOM, a title that cannot be one, a guesser."""
    make = _COMMANDS.get(refusal.cause)
    return make(refusal) if make else ""


def _at(command: str, home: Path | None) -> str:
    if not command or home is None or os.environ.get("LEADGLASS_HOME") == str(home):
        return command
    return f"{command} --home {shlex.quote(str(home))}"


def _add(refusal: Refusal) -> str:
    if not is_valid_title(refusal.title):
        return ""
    how = "--cert" if refusal.tls else "--plain"
    name = re.sub(r"[^a-z0-9._-]+", "-", refusal.title.lower()).strip("-._") or "NAME"
    title, network = shlex.quote(f"--title={refusal.title}"), shlex.quote(refusal.address)
    return f"leadglass device add {name} {title} --network {network} {how}"


def _on_device(words: str) -> Callable[[Refusal], str]:
    return lambda refusal: f"leadglass device {words.format(name=shlex.quote(refusal.device))}"


_COMMANDS: Mapping[str, Callable[[Refusal], str]] = {
    "unknown-address": _add,
    "unknown-title": _add,
    "certificate": _on_device("certify {name} --cert"),
    "gateway": _on_device("certify {name} --cert"),
    "passcode": _on_device("passcode {name}"),
    "disabled": _on_device("enable {name}"),
}
