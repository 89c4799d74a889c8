"""How commands speak: tables for people, JSON for programs, one sentence for errors, documented exit codes."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from leadglass.core.errors import ErrorCode, LeadglassError

EXIT_CODES: Mapping[ErrorCode, int] = {
    ErrorCode.USAGE: 2,
    ErrorCode.UNSAFE: 3,
    ErrorCode.IN_USE: 4,
    ErrorCode.NOT_FOUND: 5,
    ErrorCode.NOT_AUTHORISED: 6,
    ErrorCode.DAMAGED: 7,
    ErrorCode.DESTINATION_UNREACHABLE: 8,
    ErrorCode.UNAVAILABLE: 8,
    ErrorCode.OUT_OF_RESOURCES: 9,
}
OTHER_FAILURE = 1

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def fail(error: LeadglassError) -> NoReturn:
    """Say what is wrong and exit with the code of its kind."""
    errors.print(f"[bold red]leadglass:[/] {escape(error.comment)}")
    sys.exit(EXIT_CODES.get(error.code, OTHER_FAILURE))


def say(text: str) -> None:
    """A line for people; markup in it is ours, values are escaped by the caller."""
    console.print(text, soft_wrap=True)  # lines to paste must stay whole


def as_json(value: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table; an empty one says so."""
    if not rows:
        say(f"{title}: none.")
        return
    made = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(escape(str(cell)) for cell in row))
    console.print(made)
