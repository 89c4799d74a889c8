"""journal show, verify, head."""

from __future__ import annotations

import datetime as dt
import sys
from typing import Annotated

import typer
from rich.markup import escape

from leadglass.app.cli.opening import HomeOption, JsonOption, opened, operator
from leadglass.app.cli.output import DAMAGED, as_json, complain, count, moment, say, shown
from leadglass.core.audit import JournalEntry, JournalFilter
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind, JournalEvent, Outcome
from leadglass.journal.codec import entry_to_dict
from leadglass.journal.reader import read_journal
from leadglass.journal.roots import RootHead
from leadglass.journal.verify import verify_journal


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
    if not entries:
        say("Journal: none.")
    for entry in entries:
        _tell(entry)


def _tell(entry: JournalEntry) -> None:
    """Two lines for people: what, who, from where; below it the details."""
    event = entry.event
    outcome = "" if event.outcome is Outcome.SUCCESS else f" [red]{event.outcome.name.lower().replace('_', ' ')}[/]"
    whom = " ".join(escape(shown(part)) for part in (event.principal, event.address and f"({event.address})") if part)
    say(f"{moment(entry.time)}  [bold]{escape(shown(event.what))}[/]{outcome}  {whom}")
    details = "  ".join(f"{key}={value}" for key, value in event.details.items() if str(value))
    if details:
        say(f"    {escape(shown(details))}")


def verify(
    head: Annotated[
        list[str] | None, typer.Option(help="A head that was kept elsewhere ('journal head'); may be repeated.")
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Follow every chain and the root chain; exit 7 if anything was changed, removed or cut."""
    kept = [_head(text) for text in head or []]
    with opened(home) as archive:
        archive.journal.flush()
        result = verify_journal(archive.home.journal, archive.keys.journal, kept)
    if json:
        as_json({"problems": list(result.problems), "notes": list(result.notes), "entries": result.entries})
    else:
        for problem in result.problems:
            complain(f"damaged: {problem}")
        for note in result.notes:
            say(f"note: {escape(shown(note))}")
        say(f"{count(result.entries, 'entry', 'entries')}, {count(len(result.problems), 'problem', 'problems')}.")
    if result.problems:
        sys.exit(DAMAGED)


def head(home: HomeOption = None, json: JsonOption = False) -> None:
    """The signed head of the journal: keep it elsewhere, and 'journal verify --head' finds any later cut."""
    with opened(home) as archive:
        found = archive.journal.head()
    if json:
        as_json({"sequence": found.sequence, "digest": found.digest.hex(), "head": str(found)})
    else:
        say(str(found))


def _head(text: str) -> RootHead:
    sequence, colon, digest = text.strip().partition(":")
    try:
        return RootHead(int(sequence), bytes.fromhex(digest if colon else "-"))
    except ValueError:
        raise LeadglassError(ErrorCode.USAGE, "--head is a line that 'leadglass journal head' printed.") from None


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
    complain(f"damaged: {problem}")
