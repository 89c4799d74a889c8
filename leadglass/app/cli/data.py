"""import, export, delete, undelete, trash, check, reindex."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from leadglass.app.archive import Archive, open_archive
from leadglass.app.cli.opening import HomeOption, JsonOption, home_of, keys_of, opened, operator
from leadglass.app.cli.output import as_json, errors, say, table
from leadglass.app.config import read_config
from leadglass.app.exporting import add_dicomdir, export_instances, zip_folder
from leadglass.app.importing import import_paths
from leadglass.app.lock import server_lock
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind, JournalEvent
from leadglass.core.query import Level, Selection

SOME_FAILED = 10


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("import")(import_)
    for command in (export, delete, undelete, trash, check, reindex):
        app.command()(command)


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int | None], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors, transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def import_(
    paths: Annotated[list[Path], typer.Argument(help="Files, folders, ZIPs.")], home: HomeOption = None
) -> None:
    """Take DICOM files in. Doing it again is free: what is there already is not stored twice."""
    with opened(home) as archive, _bar("files") as progress:
        report = asyncio.run(import_paths(archive.ingest, operator(), paths, lambda done: progress(done, None)))
        who = operator()
        counts: dict[str, str | int] = {"stored": report.stored, "unreadable": len(report.unreadable)}
        event = JournalEvent(EventKind.DATA_IMPORT, "imported", who.name, who.address, details=counts)
        archive.journal.record(event, durable=True)
    say(f"Stored {report.stored}, there already {report.already}, not imported {len(report.unreadable)}.")
    for name, reason in report.unreadable:
        errors.print(f"  {name}: {reason}", markup=False)
    if report.unreadable:
        sys.exit(SOME_FAILED)


def export(
    target: Annotated[Path, typer.Argument(help="A new folder, or a new file that ends in .zip.")],
    study: Annotated[list[str] | None, typer.Option(help="Study Instance UID; may be repeated.")] = None,
    series: Annotated[list[str] | None, typer.Option(help="Series Instance UID; may be repeated.")] = None,
    patient: Annotated[str, typer.Option(help="Patient ID.")] = "",
    home: HomeOption = None,
) -> None:
    """Write studies as DICOM files with a DICOMDIR, into a folder or a ZIP."""
    if target.exists():
        raise LeadglassError(ErrorCode.USAGE, f"{target} exists already; nothing is overwritten.")
    selection = _selection(study or [], series or [], patient)
    with opened(home) as archive, _bar("images") as progress:
        failures = asyncio.run(_export(archive, selection, target, progress))
    for uid, reason in failures:
        errors.print(f"  {uid}: {reason}", markup=False)
    say(f"Wrote {target}.")
    if failures:
        sys.exit(SOME_FAILED)


async def _export(
    archive: Archive, selection: Selection, target: Path, progress: Callable[[int, int | None], None]
) -> list[tuple[str, str]]:
    who = operator()
    instances = await archive.retrieve.select(who, selection)
    if not instances:
        raise LeadglassError(ErrorCode.NOT_FOUND, "Nothing in the archive matches.")
    details: dict[str, str | int] = {"instances": len(instances)}
    archive.journal.record(
        JournalEvent(EventKind.DATA_EXPORT, "export", who.name, who.address, details=details), durable=True
    )
    source = archive.retrieve.source(who)
    if target.suffix.lower() != ".zip":
        failures = await export_instances(source, instances, target, lambda done: progress(done, len(instances)))
        add_dicomdir(target)
        return failures
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".leadglass-export-") as scratch:
        folder = Path(scratch)
        failures = await export_instances(source, instances, folder, lambda done: progress(done, len(instances)))
        add_dicomdir(folder)
        zip_folder(folder, target)
    return failures


def delete(
    study: Annotated[list[str] | None, typer.Option(help="Study Instance UID; may be repeated.")] = None,
    patient: Annotated[str, typer.Option(help="Patient ID: all studies of the patient.")] = "",
    reason: Annotated[str, typer.Option(help="Why; kept in the journal.")] = "",
    home: HomeOption = None,
) -> None:
    """Put studies into the trash. They can be brought back for 30 days."""
    if not reason.strip():
        raise LeadglassError(ErrorCode.USAGE, "Say why with --reason; it is kept in the journal.")
    with opened(home) as archive:
        studies = archive.trash.delete(operator(), _selection(study or [], [], patient), reason)
    say(f"{len(studies)} study(ies) in the trash; 'leadglass undelete' brings them back.")


def undelete(study: Annotated[list[str], typer.Argument(help="Study Instance UIDs.")], home: HomeOption = None) -> None:
    """Bring studies back from the trash."""
    with opened(home) as archive:
        studies = archive.trash.undelete(operator(), study)
    say(f"Brought back {len(studies)} study(ies).")


def trash(home: HomeOption = None, json: JsonOption = False) -> None:
    """What is in the trash."""
    with opened(home) as archive:
        entries = archive.trash.entries(operator())
    rows = [(entry.study_uid, entry.trashed_at, entry.principal, entry.reason) for entry in entries]
    if json:
        as_json([dict(zip(("study", "trashed_at", "by", "reason"), row, strict=True)) for row in rows])
    else:
        table("Trash", ("study", "since (ns)", "by", "reason"), rows)


def check(
    read_data: Annotated[bool, typer.Option(help="Read every image from the disk and compare its digest.")] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Prove that what should be there is there. Reports, never deletes; exit 7 if anything is damaged."""
    with opened(home) as archive, _bar("records") as progress:
        report = archive.maintenance.check(operator(), read_data=read_data, progress=progress)
    if json:
        as_json({"instances": report.instances, "records": report.records, "problems": report.problems})
    else:
        for problem in report.problems:
            errors.print(f"damaged: {problem}", markup=False)
        say(f"{report.instances} instances, {report.records} records, {len(report.problems)} problem(s).")
    if report.problems:
        sys.exit(7)


def reindex(home: HomeOption = None) -> None:
    """Forget the catalog and rebuild it from the images. The server must be stopped."""
    place = home_of(home)
    config = read_config(place.config)
    with server_lock(place.lock), open_archive(place, config, keys_of(place, config)) as archive, _bar("images") as bar:
        report = archive.recovery.reindex(operator(), bar)
    say(f"Catalogued {report.added} instances of {report.segments} segments, {len(report.damage)} damaged stretch(es).")


def _selection(studies: list[str], series: list[str], patient: str) -> Selection:
    if series:
        return Selection(Level.SERIES, patient, None, tuple(studies), tuple(series))
    if studies:
        return Selection(Level.STUDY, patient, None, tuple(studies))
    if patient:
        return Selection(Level.PATIENT, patient)
    raise LeadglassError(ErrorCode.USAGE, "Name what is meant with --study, --series or --patient.")
