"""How commands speak: tables for people, JSON for programs, one sentence for errors, documented exit codes."""

from __future__ import annotations

import datetime as dt
import io
import json
import os
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, Protocol

from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
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
DAMAGED = EXIT_CODES[ErrorCode.DAMAGED]
DONE_IN_PART = 10
DEFECT = 70  # EX_SOFTWARE of sysexits.h
INTERRUPTED = 130  # 128 + SIGINT, as shells count
DEBUG = "LEADGLASS_DEBUG"

_UNLIMITED = 100_000
_JOINERS = "\u200c\u200d"  # not printable by Unicode's rule, and part of how names are written
_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


class Tell(Protocol):
    """Moves a progress bar: how many are done, of how many (None: not known)."""

    def __call__(self, done: int, total: int | None = None) -> None:
        """So many are done."""
        ...


def prepare() -> None:
    """A name that the terminal's encoding lacks is shown escaped; it does not end the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def fail(error: LeadglassError) -> NoReturn:
    """Say what is wrong and exit with the code of its kind."""
    _say_error(error.comment)
    sys.exit(EXIT_CODES.get(error.code, OTHER_FAILURE))


def fail_on_file(error: OSError) -> NoReturn:
    """The operating system refused something: say what, about which file."""
    where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
    full = error.errno is not None and os.strerror(error.errno) in ("No space left on device", "Disk quota exceeded")
    _say_error(f"{where}{error.strerror or error}.")
    sys.exit(EXIT_CODES[ErrorCode.OUT_OF_RESOURCES] if full else OTHER_FAILURE)


def fail_unexpectedly(error: Exception) -> NoReturn:
    """A defect of ours. The trace is told only to who asks for it: it may hold a patient's data."""
    if os.environ.get(DEBUG):
        traceback.print_exception(error)
    _say_error(
        f"something went wrong inside ({type(error).__name__}). This is a defect of Leadglass: please report it. "
        f"With {DEBUG}=1 the command prints where it happened; look for patients' data in it before you send it."
    )
    sys.exit(DEFECT)


def _say_error(sentence: str) -> None:
    errors.print(f"[bold red]leadglass:[/] {escape(shown(sentence))}", soft_wrap=True)


def shown(value: object) -> str:
    """Text that came from elsewhere, with everything escaped that would move the cursor or turn the line around."""
    return "".join(
        character if character.isprintable() or character in _JOINERS else ascii(character)[1:-1]
        for character in str(value)
    )


def say(text: str) -> None:
    """A line for people; markup in it is ours, values are escaped by the caller."""
    console.print(text, soft_wrap=True)  # lines to paste must stay whole


def complain(text: str) -> None:
    """A line on standard error, as it is."""
    errors.print(shown(text), markup=False, soft_wrap=True)


def as_json(value: Any) -> None:
    """One JSON document on standard output."""
    text = json.dumps(value, ensure_ascii=False, indent=2, default=str)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value, indent=2, default=str)
    sys.stdout.write(text + "\n")


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table with every value whole; too wide for the terminal, a block of lines per row; an empty one says so."""
    if not rows:
        say(f"{title}: none.")
        return
    cells = [[shown(cell) for cell in row] for row in rows]
    made = Table(title=title, title_justify="left", header_style="bold", box=None, padding=(0, 2, 0, 0))
    for column in columns:
        made.add_column(column, no_wrap=True)
    for row in cells:
        made.add_row(*map(escape, row))
    needed = Measurement.get(console, console.options.update(max_width=_UNLIMITED), made).maximum
    if needed > console.width and (console.is_terminal or "COLUMNS" in os.environ):
        blocks(title, columns, cells)
    else:
        Console(width=needed, highlight=False).print(made)


def blocks(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Each row as lines of name and value, whole, so that a value can be pasted; empty values are left out."""
    say(f"[italic]{escape(title)}[/]")
    widest = max(map(len, columns))
    for row in rows:
        say("")
        for column, value in zip(columns, row, strict=True):
            if str(value):
                say(f"  [bold]{escape(column):{widest}}[/]  {escape(shown(value))}")


def count(number: int, one: str, many: str) -> str:
    """`1 study`, `2 studies`."""
    return f"{number:,} {one if number == 1 else many}"


def size(number: int) -> str:
    """Bytes as people say them, in powers of 1000."""
    amount, unit = float(number), 0
    while amount >= 1000 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    return f"{number} bytes" if unit == 0 else f"{amount:.1f} {_UNITS[unit]}"


def moment(nanoseconds: int) -> str:
    """A time since the epoch as date and time, UTC."""
    return dt.datetime.fromtimestamp(nanoseconds // 1_000_000_000, dt.UTC).strftime("%Y-%m-%d %H:%M:%S")


@contextmanager
def bar(what: str) -> Iterator[Tell]:
    """A progress bar on a terminal; silence elsewhere."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    shape = (*columns, TimeRemainingColumn())
    with Progress(*shape, console=errors, transient=True, disable=not errors.is_terminal) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total=None: progress.update(task, completed=done, total=total)
