"""scan history, diff: what earlier audits saw, and what became of it."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import typer

from leadglass.app.audits.running import DEFAULT_FOLDER, ledger_of
from leadglass.app.cli.opening import JsonOption
from leadglass.app.cli.output import as_json, say, table
from leadglass.app.cli.scan.running import FolderOption
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.exposure.audit import Audit
from leadglass.exposure.changes import Change, changes
from leadglass.exposure.facts import Facts
from leadglass.exposure.ledger import Ledger
from leadglass.exposure.reports.words import RUNGS, exposed


def register(scan: typer.Typer) -> None:
    """Add the commands of this file."""
    scan.command()(history)
    scan.command()(diff)


def history(folder: FolderOption = DEFAULT_FOLDER, json: JsonOption = False) -> None:
    """Every audit that is kept."""
    heads = ledger_of(folder).audits()
    if json:
        as_json([head._asdict() for head in heads])
        return
    rows = [
        (head.id, _day(head.started), head.title, f"{head.services:,}", "whole" if head.complete else "stopped")
        for head in heads
    ]
    table("Audits", ("id", "begun", "title", "open ports", ""), rows)


def diff(
    older: Annotated[str, typer.Argument(help="An audit; the last but one if not given.")] = "",
    newer: Annotated[str, typer.Argument(help="A later one; the last if not given.")] = "",
    folder: FolderOption = DEFAULT_FOLDER,
    json: JsonOption = False,
) -> None:
    """What was closed, what is still open, what is new between two audits."""
    before, after, earlier = two_audits(ledger_of(folder), older, newer)
    found = changes(before, after, earlier=earlier)
    if json:
        as_json(
            {
                "older": before.id,
                "newer": after.id,
                "changes": [{"kind": change.kind.value, "service": change.service.label} for change in found],
            }
        )
        return
    table(f"From {before.id} to {after.id}", ("service", "", "before", "now"), [_row(change) for change in found])
    if not found:
        say("Nothing was open, and nothing is.")


def two_audits(ledger: Ledger, older: str, newer: str) -> tuple[Audit, Audit, tuple[Audit, ...]]:
    """Two audits by name, or the last two; and those before. NOT_FOUND if there are none."""
    names = [head.id for head in ledger.audits()]
    after = newer or (names[-1] if names else "")
    before = older or next((name for name in reversed(names) if name < after), "")
    return (
        one_audit(ledger, before),
        one_audit(ledger, after),
        tuple(ledger.audit(name) for name in names if name < before),
    )


def one_audit(ledger: Ledger, name: str) -> Audit:
    """One audit by name, the last if it is empty. NOT_FOUND if there is none."""
    names = [head.id for head in ledger.audits()]
    wanted = name or (names[-1] if names else "")
    if wanted not in names:
        raise LeadglassError(ErrorCode.NOT_FOUND, "There is no such audit: leadglass scan history lists them.")
    return ledger.audit(wanted)


def _row(change: Change) -> tuple[str, ...]:
    cells = []
    for result in (change.before, change.after):
        if result is None:
            cells.append("nothing there")
        else:
            facts = exposed(Facts(result.observation.facts))
            cells.append(" ".join(part for part in (RUNGS[result.assessment.rung], facts) if part))
    return (change.service.label, change.kind.value.replace("-", " "), *cells)


def _day(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%d %H:%M")
