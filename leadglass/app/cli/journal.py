"""journal show, verify, head."""

from __future__ import annotations

import datetime as dt
import sys
from typing import Annotated

import typer

from leadglass.app.cli.opening import HomeOption, JsonOption, opened, operator
from leadglass.app.cli.output import as_json, errors, say, table
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind, JournalEvent
from leadglass.journal.codec import entry_to_dict, iso_time
from leadglass.journal.reader import JournalFilter, read_journal
from leadglass.journal.verify import verify_journal

DAMAGED = 7


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    group = typer.Typer(help="Read and verify the audit trail.", no_args_is_help=True)
    for command in (show, verify, head):
        group.command()(command)
    app.add_typer(group, name="journal")


def show(
    kind: Annotated[str, typer.Option(help="One kind of event, such as query or security-alert.")] = "",
    principal: Annotated[str, typer.Option(help="Whose events.")] = "",
    text: Annotated[str, typer.Option(help="Somewhere in the event.")] = "",
    since: Annotated[str, typer.Option(help="From this date on, such as 2026-11-01.")] = "",
    last: Annotated[int, typer.Option(help="At most so many, the latest.")] = 200,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show events, oldest first. Reading the journal is itself journalled."""
    wanted = JournalFilter(_kinds(kind), principal, _time(since), None, text)
    with opened(home) as archive:
        who = operator()
        archive.journal.record(JournalEvent(EventKind.AUDIT_LOG_USED, "journal-read", who.name, who.address))
        archive.journal.flush()
        entries = list(read_journal(archive.home.journal, archive.keys.journal, wanted, _warn))[-last:]
    if json:
        as_json([entry_to_dict(entry) for entry in entries])
        return
    rows = [
        (
            iso_time(entry.time),
            entry.event.what,
            entry.event.principal,
            entry.event.address,
            entry.event.outcome.name.lower(),
            " ".join(f"{key}={value}" for key, value in entry.event.details.items()),
        )
        for entry in entries
    ]
    table("Journal", ("when (UTC)", "what", "who", "from", "outcome", "details"), rows)


def verify(home: HomeOption = None, json: JsonOption = False) -> None:
    """Follow every chain and the root chain; exit 7 if anything was changed, removed or cut."""
    with opened(home) as archive:
        archive.journal.flush()
        result = verify_journal(archive.home.journal, archive.keys.journal)
    if json:
        as_json({"problems": list(result.problems), "notes": list(result.notes), "entries": result.entries})
    else:
        for problem in result.problems:
            errors.print(f"damaged: {problem}", markup=False)
        for note in result.notes:
            say(f"note: {note}")
        say(f"{result.entries} entries, {len(result.problems)} problem(s).")
    if result.problems:
        sys.exit(DAMAGED)


def head(home: HomeOption = None) -> None:
    """The signed head of the journal: keep it elsewhere, and a journal cut back behind it is found out."""
    with opened(home) as archive:
        say(str(archive.journal.head()))


def _kinds(text: str) -> frozenset[EventKind]:
    if not text:
        return frozenset()
    try:
        return frozenset({EventKind(text)})
    except ValueError:
        known = ", ".join(kind.value for kind in EventKind)
        raise LeadglassError(ErrorCode.USAGE, f"There is no kind '{text}'; there are {known}.") from None


def _time(text: str) -> int | None:
    if not text:
        return None
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise LeadglassError(ErrorCode.USAGE, "--since is a date such as 2026-11-01.") from None
    return int(moment.replace(tzinfo=moment.tzinfo or dt.UTC).timestamp()) * 1_000_000_000


def _warn(problem: str) -> None:
    errors.print(f"damaged: {problem}", markup=False)
