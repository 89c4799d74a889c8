"""import, export, delete, undelete, trash, check, reindex."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from leadglass.app.archive import Archive, open_archive
from leadglass.app.cli.opening import HomeOption, JsonOption, home_of, keys_of, opened, operator
from leadglass.app.cli.output import (
    DAMAGED,
    DONE_IN_PART,
    INTERRUPTED,
    Tell,
    as_json,
    bar,
    complain,
    count,
    moment,
    say,
    shown,
    table,
)
from leadglass.app.config import read_config
from leadglass.app.exporting import ExportReport, export_instances, shelf
from leadglass.app.importing import ImportReport, import_paths
from leadglass.app.lock import server_lock
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind, JournalEvent
from leadglass.core.query import Level, Selection


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("import")(import_)
    for command in (export, delete, undelete, trash, check, reindex):
        app.command()(command)


def import_(
    paths: Annotated[list[Path], typer.Argument(help="DICOM files, folders, ZIPs, DICOMDIRs.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Take DICOM files in. Doing it again is free: what is there already is not stored twice.

    What cannot be read is listed with the reason, and the rest goes on; the exit code is then 10.
    """
    report = ImportReport()
    interrupted = False
    with opened(home) as archive:
        try:
            with bar("files") as progress:
                asyncio.run(import_paths(archive.ingest, operator(), paths, report, progress))
        except KeyboardInterrupt:
            interrupted = True
        finally:
            _journal_import(archive, report)
    _tell_import(report, json=json)
    if interrupted:
        complain("Interrupted. What was stored stays; the same command goes on where it ended.")
        sys.exit(INTERRUPTED)
    if report.unreadable:
        sys.exit(DONE_IN_PART)


def _journal_import(archive: Archive, report: ImportReport) -> None:
    who = operator()
    counts: dict[str, str | int] = {
        "stored": report.stored,
        "already": report.already,
        "unreadable": len(report.unreadable),
    }
    event = JournalEvent(EventKind.DATA_IMPORT, "imported", who.name, who.address, details=counts)
    archive.journal.record(event, durable=True)


def _tell_import(report: ImportReport, *, json: bool) -> None:
    if json:
        unreadable = [{"file": item.name, "reason": item.reason} for item in report.unreadable]
        as_json({"stored": report.stored, "already": report.already, "unreadable": unreadable})
        return
    say(f"Stored {report.stored:,}, there already {report.already:,}, not imported {len(report.unreadable):,}.")
    for item in report.unreadable:
        complain(f"  {item.name}: {item.reason}")


def export(
    target: Annotated[Path, typer.Argument(help="A new folder, or a new file that ends in .zip.")],
    study: Annotated[list[str] | None, typer.Option(help="Study Instance UID; may be repeated.")] = None,
    series: Annotated[list[str] | None, typer.Option(help="Series Instance UID; may be repeated.")] = None,
    patient: Annotated[str, typer.Option(help="Patient ID.")] = "",
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Write studies as DICOM files with a DICOMDIR, into a folder or a ZIP. The files are not encrypted."""
    if target.exists():
        raise LeadglassError(ErrorCode.USAGE, f"{target} exists already; nothing is overwritten.")
    if not target.absolute().parent.is_dir():
        raise LeadglassError(ErrorCode.USAGE, f"There is no folder {target.absolute().parent}; make it first.")
    selection = _selection(study or [], series or [], patient)
    with opened(home) as archive, bar("images") as progress:
        report = asyncio.run(_export(archive, selection, target, progress))
    if json:
        failed = [{"instance": uid, "reason": reason} for uid, reason in report.failures]
        as_json({"target": str(target), "written": report.written, "unlisted": report.unlisted, "failed": failed})
    else:
        for uid, reason in report.failures:
            complain(f"  {uid}: {reason}")
        say(f"Wrote {count(report.written, 'object', 'objects')} and a DICOMDIR to {shown(target)}.")
        if report.unlisted:
            say(f"{count(report.unlisted, 'object is', 'objects are')} there but not listed in the DICOMDIR.")
    if report.failures:
        sys.exit(DONE_IN_PART)


async def _export(archive: Archive, selection: Selection, target: Path, progress: Tell) -> ExportReport:
    who = operator()
    instances = await archive.retrieve.select(who, selection)
    if not instances:
        raise LeadglassError(ErrorCode.NOT_FOUND, "Nothing in the archive matches.")
    details: dict[str, str | int] = {"instances": len(instances)}
    archive.journal.record(
        JournalEvent(EventKind.DATA_EXPORT, "export", who.name, who.address, details=details), durable=True
    )
    source = archive.retrieve.source(who)
    with shelf(target) as place:
        return await export_instances(source, instances, place, progress)


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
    say(f"{count(len(studies), 'study', 'studies')} in the trash; 'leadglass undelete' brings them back.")


def undelete(study: Annotated[list[str], typer.Argument(help="Study Instance UIDs.")], home: HomeOption = None) -> None:
    """Bring studies back from the trash. Of a study that does not lie there itself, the instances that do come back."""
    with opened(home) as archive:
        waiting = {entry.study_uid for entry in archive.trash.entries(operator())}
        if waiting.isdisjoint(study):
            parts = Selection(Level.STUDY, study_uids=tuple(study))
            brought = count(archive.trash.undelete_instances(operator(), parts), "instance", "instances")
        else:
            brought = count(len(archive.trash.undelete(operator(), study)), "study", "studies")
    say(f"Brought back {brought}.")


def trash(home: HomeOption = None, json: JsonOption = False) -> None:
    """What is in the trash."""
    with opened(home) as archive:
        entries = archive.trash.entries(operator())
        parts = archive.trash.instance_entries(operator())
    rows: list[tuple[str, str, str, str, str, int | str]] = [
        (entry.study_uid, moment(entry.trashed_at), entry.principal, entry.reason, "", "all") for entry in entries
    ]
    grouped = Counter(
        (part.study_uid, moment(part.trashed_at), part.principal, part.reason, part.series_uid) for part in parts
    )
    rows += [(*key, number) for key, number in grouped.items()]
    if json:
        names = ("study", "trashed_at", "by", "reason", "series", "instances")
        as_json([dict(zip(names, row, strict=True)) for row in rows])
    else:
        table("Trash", ("study", "since (UTC)", "by", "reason", "series", "instances"), rows)


def check(
    read_data: Annotated[bool, typer.Option(help="Read every image from the disk and compare its digest.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where a reading was interrupted.")] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Prove that what should be there is there. Reports, never deletes; exit 7 if anything is damaged."""
    with opened(home) as archive, bar("records") as progress:
        report = archive.maintenance.check(operator(), read_data=read_data, resume=resume, progress=progress)
    if json:
        as_json({"instances": report.instances, "records": report.records, "problems": report.problems})
    else:
        for problem in report.problems:
            complain(f"damaged: {problem}")
        instances = count(report.instances, "instance", "instances")
        records = count(report.records, "record", "records")
        say(f"{instances}, {records}, {count(len(report.problems), 'problem', 'problems')}.")
    if report.problems:
        sys.exit(DAMAGED)


def reindex(home: HomeOption = None) -> None:
    """Forget the catalog and rebuild it from the images. The server must be stopped."""
    place = home_of(home)
    config = read_config(place.config)
    keys = keys_of(place, config)
    with server_lock(place.lock), open_archive(place, config, keys) as archive, bar("images") as progress:
        report = archive.recovery.reindex(operator(), progress)
    added, segments = count(report.added, "instance", "instances"), count(report.segments, "segment", "segments")
    say(f"Catalogued {added} of {segments}, {count(len(report.damage), 'damaged stretch', 'damaged stretches')}.")
    if report.damage:
        sys.exit(DAMAGED)


def _selection(studies: list[str], series: list[str], patient: str) -> Selection:
    if series:
        return Selection(Level.SERIES, patient, None, tuple(studies), tuple(series))
    if studies:
        return Selection(Level.STUDY, patient, None, tuple(studies))
    if patient:
        return Selection(Level.PATIENT, patient)
    raise LeadglassError(ErrorCode.USAGE, "Name what is meant with --study, --series or --patient.")
