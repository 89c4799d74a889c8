"""scan run: look, show what is found as it is found, keep it."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from leadglass.app.audits.running import DEFAULT_FOLDER, Plan, digest_of, run_audit, unfinished
from leadglass.app.audits.sharing import Cluster, Task, check_cluster, run_shared, tasks_of
from leadglass.app.audits.trust import default_folder, signature_of
from leadglass.app.cli.opening import JsonOption
from leadglass.app.cli.output import as_json, complain, errors, say
from leadglass.app.cli.scan.permission import KeysOption, ScopeArgument, permitted
from leadglass.app.cli.scan.showing import headline, show_audit
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.exposure import run as runs
from leadglass.exposure.audit import Audit, Result
from leadglass.exposure.changes import is_open
from leadglass.exposure.findings import Rung
from leadglass.exposure.inputs import Given, read_targets
from leadglass.exposure.reports.plain import audit_to_plain
from leadglass.exposure.scope import Scope
from leadglass.exposure.targets import Shard

NOTHING_OPEN, FINDINGS, NOT_ALL = 0, 1, 2
REFUSED = 3

FolderOption = Annotated[Path, typer.Option("--folder", help="Where the ledger, reports and unfinished runs lie.")]


def register(scan: typer.Typer) -> None:
    """Add the commands of this file."""
    scan.command()(run)


def run(
    file: ScopeArgument,
    folder: FolderOption = DEFAULT_FOLDER,
    shard: Annotated[str, typer.Option(help="Only this part of the targets, as 0/4.")] = "0/1",
    seed: Annotated[int | None, typer.Option(help="The order of the targets; by chance if not given.")] = None,
    given: Annotated[
        Path | None,
        typer.Option("--input", help="Targets from nmap, masscan, zmap, naabu or CSV, cut to the scope.", exists=True),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Do not go on with an unfinished run.")] = False,
    keys: KeysOption = None,
    dask: Annotated[
        str,
        typer.Option(help="local, or tls://HOST:PORT of a Dask scheduler: shared by its workers.", show_default=False),
    ] = "",
    workers: Annotated[int, typer.Option(help="How many workers share it.", min=1, max=256)] = 2,
    dask_ca: Annotated[Path | None, typer.Option(exists=True, help="CA of the scheduler, PEM.")] = None,
    dask_cert: Annotated[Path | None, typer.Option(exists=True, help="Certificate to be let in with, PEM.")] = None,
    dask_key: Annotated[Path | None, typer.Option(exists=True, help="Its key, PEM.")] = None,
    json: JsonOption = False,
) -> None:
    """Audit a scope. Ctrl-C ends it within a moment; the same command then goes on where it was."""
    try:
        scope_file, _ = permitted(file, keys)
        part = _shard(shard)
        listed = _given(given, scope_file.scope)
        cluster = Cluster(dask, workers, dask_ca, dask_cert, dask_key)
        if dask:
            check_cluster(cluster)
    except LeadglassError as error:
        complain(error.comment)
        raise typer.Exit(REFUSED) from error
    if dask:
        audit = run_shared(_tasks(file, given, keys, seed, workers), cluster, folder)
        _end(audit, folder, json=json)
    plan = Plan(scope_file, digest_of(file.read_bytes()), seed, part, listed.services if listed else None, fresh)
    if unfinished(plan, folder).exists() and not fresh:
        complain("Going on with the unfinished run of this scope.")
    if listed and listed.outside:
        complain(f"{listed.outside:,} targets of {given} lie outside of the scope and are left.")
    with _Live(quiet=json) as live:
        audit = run_audit(plan, folder, live)
    _end(audit, folder, json=json)


def _tasks(file: Path, given: Path | None, keys: Path | None, seed: int | None, workers: int) -> list[Task]:
    """A task for each worker."""
    beside = signature_of(file)
    first = Task(
        file.read_bytes(),
        beside.read_bytes() if beside.exists() else None,
        str(keys or default_folder()),
        given.read_bytes() if given is not None else None,
        secrets.randbelow(2**32) if seed is None else seed,
        0,
        1,
    )
    return tasks_of(first, workers)


def _end(audit: Audit, folder: Path, *, json: bool) -> NoReturn:
    if json:
        as_json(audit_to_plain(audit))
    else:
        show_audit(audit)
        say(f"\nKept as {audit.id}. A report with pictures: leadglass scan report {audit.id} --folder {folder}")
    if not audit.complete:
        complain("The run was stopped; the same command goes on with it.")
    raise typer.Exit(exit_code(audit))


def exit_code(audit: Audit) -> int:
    """For scripts: 0 nothing open, 1 findings, 2 could not test all."""
    if any(is_open(result) for result in audit.results):
        return FINDINGS
    blind = any(_untested(result) for result in audit.results)
    return NOT_ALL if blind or not audit.complete else NOTHING_OPEN


def _untested(result: Result) -> bool:
    """Whether it is not known if a stranger gets in."""
    return result.assessment.rung is Rung.PORT_OPEN and "D01" in result.assessment.untested


class _Live:
    """Progress on a terminal, and a line for each open service as soon as it is judged."""

    def __init__(self, *, quiet: bool) -> None:
        shape = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._console: Console = errors
        self._progress = Progress(*shape, console=errors, transient=True, disable=quiet or not errors.is_terminal)
        self._knocks = self._progress.add_task("Knocking", total=None)
        self._asks = self._progress.add_task("Asking", total=None)
        self._quiet = quiet or not sys.stderr.isatty()

    def __enter__(self) -> _Live:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def moved(self, progress: runs.Progress) -> None:
        """See `runs.Watch`."""
        self._progress.update(self._knocks, completed=progress.knocked, total=progress.targets)
        self._progress.update(self._asks, completed=progress.observed, total=progress.services)

    def judged(self, result: Result) -> None:
        """See `runs.Watch`."""
        if not self._quiet and is_open(result):
            self._console.print(headline(result), markup=False, highlight=False)


def _shard(text: str) -> Shard:
    number, slash, of = text.partition("/")
    if not (slash and number.isdigit() and of.isdigit() and int(number) < int(of) <= 10_000):
        raise LeadglassError(ErrorCode.USAGE, "A shard is written as 0/4: the first of four.")
    return Shard(int(number), int(of))


def _given(path: Path | None, scope: Scope) -> Given | None:
    if path is None:
        return None
    try:
        return read_targets(path.read_bytes(), scope)
    except ValueError as error:
        raise LeadglassError(ErrorCode.USAGE, f"{path}: {error}.") from error
